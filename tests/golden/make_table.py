#!/usr/bin/python3
"""The golden table file tests/golden/table_v2.bin, written by the grammar in core/data/table_codec.h and nothing else.

Run with Debian's python3-numpy: /usr/bin/python3 tests/golden/make_table.py

table_v1.bin is the table of `size,weight,kind\\n1,0.5,b\\n2,,a\\n-3.25,1e20,\\n4,7,b` as version 1 wrote it; this is the same
table with one more column, whose kind was given.
"""
import pathlib
import struct

import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parent
PROBABILITIES = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
NUMERIC, TEXT = 1, 2
KIND_NUMERIC, KIND_CATEGORY = 1, 3
NAN = float("nan")


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def string(text):
    return struct.pack("<I", len(text.encode())) + text.encode()


def top(values):
    counted = sorted(((v, values.count(v)) for v in set(values)), key=lambda pair: (-pair[1], pair[0]))
    return struct.pack("<I", len(counted)) + b"".join(
        string(v if isinstance(v, str) else repr(v).removesuffix(".0")) + struct.pack("<q", n) for v, n in counted)


def numeric_stats(cells):
    there = np.array([v for v in cells if v == v])
    numbers = [there.min(), there.max(), there.mean(), there.std()]
    return (struct.pack("<qq4dB", len(cells) - len(there), len(set(there)), *numbers, bool(np.all(there == np.trunc(there))))
            + struct.pack("<I7d", 7, *np.quantile(there, PROBABILITIES)) + top([float(v) for v in there]))


def text_stats(cells):
    there = [v for v in cells if v is not None]
    return struct.pack("<qq4dBI", len(cells) - len(there), len(set(there)), 0, 0, 0, 0, 0, 0) + top(there)


COLUMNS = [
    ("size", NUMERIC, KIND_NUMERIC, 0, [1.0, 2.0, -3.25, 4.0]),
    ("weight", NUMERIC, KIND_NUMERIC, 0, [0.5, NAN, 1e20, 7.0]),
    ("kind", TEXT, KIND_CATEGORY, 0, ["b", "a", None, "b"]),
    ("zip", NUMERIC, KIND_CATEGORY, 1, [1010.0, 1020.0, 1010.0, 99.0]),
]


def main():
    file = b"TYTABLE2" + struct.pack("<I", 2) + bytes(52)
    header = struct.pack("<qI", 4, len(COLUMNS))
    for name, kind_of_cells, kind, given, cells in COLUMNS:
        file += bytes(-len(file) % 64)
        if kind_of_cells == NUMERIC:
            categories, data, stats = [], struct.pack("<4d", *cells), numeric_stats(cells)
        else:
            categories = sorted(set(cells) - {None})
            data = struct.pack("<4i", *[-1 if c is None else categories.index(c) for c in cells])
            stats = text_stats(cells)
        header += string(name) + struct.pack("<BBB", kind_of_cells, kind, given) + stats
        header += struct.pack("<I", len(categories)) + b"".join(map(string, categories))
        header += struct.pack("<QQI", len(file), len(data), crc32c(data))
        file += data
    file += header + struct.pack("<QI", len(header), crc32c(header)) + b"TYTABLE2"
    (FOLDER / "table_v2.bin").write_bytes(file)


main()

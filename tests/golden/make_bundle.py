"""Writes bundle_v2.bin and bundle_v3.bin, RichBundle() and ColumnsBundle() of tests/support/data_builders.h, from the
grammars in core/model/bundle.h and core/data/preprocessor_codec.h.

Run from anywhere: /usr/bin/python3 tests/golden/make_bundle.py. Shares no code with the product.
"""

import pathlib
import struct

BIASES, RESIDUAL = 1, 2
MULTICLASS, REGRESSION = 2, 3
SOFTMAX_CROSS_ENTROPY, HUBER = 2, 5
IDENTITY, ELU, GELU = 1, 6, 8
NONE, BATCH, LAYER = 1, 2, 3
NUMBER, ONE_HOT, ORDINAL, HASHING = 1, 2, 3, 4
OTHER, ZEROS, REFUSE = 1, 2, 3
MISSING_INDICATOR, NUMERIC_CATEGORIES, OTHER_BUCKET = 1, 2, 4


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def text(value):
    return struct.pack("<I", len(value.encode())) + value.encode()


def texts(values):
    return struct.pack("<I", len(values)) + b"".join(map(text, values))


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


def layer(size_in, size_out, activation, alpha, normalization, flags, *arrays):
    return struct.pack("<IIBfBB", size_in, size_out, activation, alpha, normalization, flags) + b"".join(map(floats, arrays))


def section(number, payload):
    return struct.pack("<IQI", number, len(payload), crc32c(payload)) + payload


def transform(encoding, offset=0.0, scale=1.0, fill=float("nan"), flags=0, buckets=0, unseen=ZEROS, categories=()):
    return struct.pack("<BdddBIB", encoding, offset, scale, fill, flags, buckets, unseen) + texts(categories)


def write(version, *payloads):
    sections = [section(i + 1, payload) for i, payload in enumerate(payloads)]
    golden = pathlib.Path(__file__).parent / f"bundle_v{version}.bin"
    golden.write_bytes(b"TYBUNDL1" + struct.pack("<II", version, len(sections)) + b"".join(sections))


assert crc32c(b"123456789") == 0xE3069283
provenance = struct.pack("<I", 2) + text("dataset_digest") + text("sha256:ab") + text("seed") + text("7")

loss = struct.pack("<BdddI", SOFTMAX_CROSS_ENTROPY, 0.125, 1, 0.5, 3) + floats([1, 0.5, 2])
schema = bytes([MULTICLASS]) + text("kind") + texts(["size", "weight"]) + texts(["a", "b", "c"]) + loss + text("count")
preprocessor = struct.pack("<I4d", 2, 1.5, -2, 0.25, 0)
weights = struct.pack("<I", 3) + b"".join([
    layer(2, 3, ELU, 0.5, BATCH, 0, [0.5, -1, 2, 0.125, 3, -0.75], [1, 2, -1], [0, 0.5, -0.25], [0.25, -1, 3], [1, 0.0625, 4]),
    layer(3, 3, GELU, 0, LAYER, BIASES | RESIDUAL, [1, 0, -1, 2, 0.5, 0, 0.25, -2, 1], [0.5, 0, -0.5], [1, 0.5, 2], [0.125, 0, -1]),
    layer(3, 3, IDENTITY, 0, NONE, 0, [1, -0.5, 0.25, 2, 1, 0, -1, 0.5, 3]),
])
write(2, schema, preprocessor, weights, provenance)

loss = struct.pack("<BdddddI", HUBER, 0, 2.5, 0.5, -3, 0.25, 0)
schema = bytes([REGRESSION]) + text("price") + texts(["size", "city", "code", "word"]) + texts([]) + loss + text("")
preprocessor = struct.pack("<I", 4) + b"".join([
    transform(NUMBER, 1.5, 0.25, 2, MISSING_INDICATOR),
    transform(ONE_HOT, flags=MISSING_INDICATOR | OTHER_BUCKET, unseen=OTHER, categories=["Oslo", "Zürich"]),
    transform(ORDINAL, 0.5, 2, flags=NUMERIC_CATEGORIES, unseen=REFUSE, categories=["-1.5", "3", "20"]),
    transform(HASHING, flags=MISSING_INDICATOR, buckets=2),
]) + texts(["?", "n/a"])
weights = struct.pack("<I", 1) + layer(10, 1, IDENTITY, 0, NONE, BIASES, [1, 2, -4, 0.5, 3, -2, 0.25, 8, -8, 0.125], [0.0625])
write(3, schema, preprocessor, weights, provenance)

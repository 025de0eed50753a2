"""Writes bundle_v2.bin, the RichBundle() of tests/support/data_builders.h, from the grammar in core/model/bundle.h.

Run from anywhere: /usr/bin/python3 tests/golden/make_bundle.py. Shares no code with the product.
"""

import pathlib
import struct

BIASES, RESIDUAL = 1, 2
MULTICLASS, SOFTMAX_CROSS_ENTROPY = 2, 2
IDENTITY, ELU, GELU = 1, 6, 8
NONE, BATCH, LAYER = 1, 2, 3


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def text(value):
    return struct.pack("<I", len(value)) + value.encode()


def texts(values):
    return struct.pack("<I", len(values)) + b"".join(map(text, values))


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


def layer(size_in, size_out, activation, alpha, normalization, flags, *arrays):
    return struct.pack("<IIBfBB", size_in, size_out, activation, alpha, normalization, flags) + b"".join(map(floats, arrays))


def section(number, payload):
    return struct.pack("<IQI", number, len(payload), crc32c(payload)) + payload


loss = struct.pack("<BdddI", SOFTMAX_CROSS_ENTROPY, 0.125, 1, 0.5, 3) + floats([1, 0.5, 2])
schema = bytes([MULTICLASS]) + text("kind") + texts(["size", "weight"]) + texts(["a", "b", "c"]) + loss + text("count")
preprocessor = struct.pack("<I4d", 2, 1.5, -2, 0.25, 0)
weights = struct.pack("<I", 3) + b"".join([
    layer(2, 3, ELU, 0.5, BATCH, 0, [0.5, -1, 2, 0.125, 3, -0.75], [1, 2, -1], [0, 0.5, -0.25], [0.25, -1, 3], [1, 0.0625, 4]),
    layer(3, 3, GELU, 0, LAYER, BIASES | RESIDUAL, [1, 0, -1, 2, 0.5, 0, 0.25, -2, 1], [0.5, 0, -0.5], [1, 0.5, 2], [0.125, 0, -1]),
    layer(3, 3, IDENTITY, 0, NONE, 0, [1, -0.5, 0.25, 2, 1, 0, -1, 0.5, 3]),
])
provenance = struct.pack("<I", 2) + text("dataset_digest") + text("sha256:ab") + text("seed") + text("7")

assert crc32c(b"123456789") == 0xE3069283
sections = [section(i + 1, payload) for i, payload in enumerate([schema, preprocessor, weights, provenance])]
golden = pathlib.Path(__file__).parent / "bundle_v2.bin"
golden.write_bytes(b"TYBUNDL1" + struct.pack("<II", 2, len(sections)) + b"".join(sections))

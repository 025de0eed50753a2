#!/usr/bin/python3
"""Golden files of number formats and compressions: tests/golden/formats.txt, and the seeds of the fuzz targets.

Run with Debian's python3-numpy and python3-sklearn, and the zstd command: /usr/bin/python3 tests/golden/make_formats.py

Each block is one file: its `bytes` in hex, made by numpy, scikit-learn, Python's gzip or zipfile, or zstd; and what they
themselves read from it: `columns` and `values` row by row ("nan" for a missing one). A block with `error` is a file that
is refused, with words of the message. `weights` blocks are what ReadNpzArrays gives: shape and float32 values.
"""
import gzip
import io
import pathlib
import struct
import subprocess
import types
import zipfile

import numpy as np
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

FOLDER = pathlib.Path(__file__).resolve().parent
CORPUS = FOLDER.parent / "fuzz" / "corpus"
# Values that each dtype holds exactly, its ends among them.
ENDS = {
    "f2": [0, -0.0, 1.5, -2, 65504, 6e-8, 6.1e-5, np.nan, 0.1],
    "f4": [0, -0.0, 1.5, -2, 3.4028235e38, 1e-45, 0.1, np.nan, 1e-38],
    "f8": [0, -0.0, 1.5, -2, 1.7976931348623157e308, 5e-324, 0.1, np.nan, 1e-308],
    "i1": [0, 1, -1, 127, -128, 2, 3, 4, 5], "u1": [0, 1, 255, 128, 127, 2, 3, 4, 5],
    "i2": [0, 1, -1, 32767, -32768, 258, 3, 4, 5], "u2": [0, 1, 65535, 258, 2, 3, 4, 5, 6],
    "i4": [0, 1, -1, 2**31 - 1, -2**31, 16909060, 3, 4, 5], "u4": [0, 1, 2**32 - 1, 16909060, 2, 3, 4, 5, 6],
    "i8": [0, 1, -1, 2**53, -2**53, 72623859790382 * 8, 3, 4, 5], "u8": [0, 1, 2**53, 72623859790382, 2, 3, 4, 5, 6],
    "b1": [0, 1, 1, 0, 0, 1, 0, 1, 1],
}
# The same bytes at any time of day.
zipfile.time = types.SimpleNamespace(localtime=lambda *_: (1980, 1, 1, 0, 0, 0), time=lambda: 0)
out = open(FOLDER / "formats.txt", "w")
print("# Written by make_formats.py. Blocks of one file each.", file=out)


def text(values):
    return " ".join(repr(float(v) + 0.0) for v in np.asarray(values).ravel())


def block(name, format_, data, columns=None, values=None, compression="none", **items):
    print("name", name, file=out)
    print("format", format_, file=out)
    print("compression", compression, file=out)
    print("bytes", data.hex(), file=out)
    if columns is not None:
        print("columns", " ".join(columns), file=out)
        print("values", text(values), file=out)
    for key, value in items.items():
        print(key, value, file=out)
    print(file=out)


def saved(array, version=None):
    stream = io.BytesIO()
    if version is None:
        np.save(stream, array)
    else:
        np.lib.format.write_array(stream, array, version=version)
    return stream.getvalue()


def seed(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def npy(name, array, **kwargs):
    """What numpy itself reads back is what is expected."""
    data = saved(array, **kwargs)
    back = np.load(io.BytesIO(data))
    table = back.astype(np.float64).reshape(len(back), -1)
    block(name, "npy", data, [f"c{i}" for i in range(table.shape[1])], table)
    return data


def npy_error(name, array, error, hint, cut=None, extra=b""):
    data = saved(array)[:cut] + extra
    block(name, "npy", data, error=error, hint=hint)
    seed("npy", name, data)


def make_npy():
    for dtype, ends in ENDS.items():
        for order in "CF":
            for endian in "<>":
                array = np.array(ends).astype(endian + dtype).reshape(3, 3)
                data = npy(f"npy_{dtype}_{endian}_{order}", np.asarray(array, order=order))
                if dtype in ("f2", "i8", "b1"):
                    seed("npy", f"{dtype}_{'le' if endian == '<' else 'be'}_{order}", data)
    cube = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    seed("npy", "three_dimensions_fortran", npy("npy_3d_fortran", np.asfortranarray(cube)))
    npy("npy_3d", cube)
    npy("npy_1d", np.arange(5, dtype=np.int16))
    npy("npy_one_row", np.arange(5.0).reshape(1, 5))
    npy("npy_one_column", np.arange(5.0).reshape(5, 1))
    npy("npy_5d_fortran", np.asfortranarray(np.arange(48, dtype=np.uint8).reshape(3, 2, 2, 2, 2)))
    seed("npy", "version_2", npy("npy_version_2", np.arange(6.0).reshape(3, 2), version=(2, 0)))
    npy("npy_version_3", np.arange(6.0).reshape(3, 2), version=(3, 0))
    python_2 = saved(np.arange(6.0).reshape(3, 2)).replace(b"(3, 2), } ", b"(3L, 2L),}")
    block("npy_python_2", "npy", python_2, ["c0", "c1"], np.arange(6.0))
    npy("npy_long", np.arange(90000, dtype=np.uint8).reshape(-1, 3)[:70000 // 3][::97])


def make_npy_errors():
    npy_error("npy_object", np.array([1, "a"], dtype=object), "dtype |O", "astype(np.float64)")
    npy_error("npy_text", np.array(["a", "bc"]), "dtype <U2", "CSV")
    npy_error("npy_bytes", np.array([b"a", b"bc"]), "dtype |S2", "CSV")
    npy_error("npy_complex", np.array([1j]), "dtype <c16", "x.imag")
    npy_error("npy_time", np.array(["2020-01-01"], dtype="M8[s]"), "dtype <M8[s]", "np.int64")
    npy_error("npy_record", np.zeros(2, dtype=[("a", "<f8"), ("b", "<i4")]), "dtype [('a', '<f8'), ('b', '<i4')]", "fields")
    npy_error("npy_long_double", np.zeros(2, dtype=np.longdouble), "dtype <f16", "astype(np.float64)")
    npy_error("npy_inf", np.array([[1, 2], [3, -np.inf]]), 'row 1 (from 0), column "c1": the number is infinite', "nan")
    big = np.zeros((4, 3), dtype=np.int64)
    big[2, 1] = 2**53 + 1
    npy_error("npy_beyond_exact", big, 'row 2 (from 0), column "c1": the integer is beyond', "np.float64")
    npy_error("npy_beyond_exact_fortran", np.asfortranarray(big.astype(">u8")), 'row 2 (from 0), column "c1"', "np.float64")
    npy_error("npy_truncated", np.arange(10.0), "of the 80 bytes of its shape there are 79", "again", cut=-1)
    npy_error("npy_truncated_fortran", np.asfortranarray(np.ones((3, 2))), "of the 48 bytes of its shape there are 40", "again", cut=-8)
    npy_error("npy_too_long", np.arange(10.0), "has more than the 80 bytes of its shape", "savez", extra=b"\0")
    npy_error("npy_two_arrays", np.arange(2.0), "has more than the 16 bytes", "savez", extra=saved(np.arange(2.0)))
    npy_error("npy_header_cut", np.arange(10.0), "cut off within its header", "numpy.save", cut=30)
    npy_error("npy_preamble_cut", np.arange(10.0), "cut off within its header", "numpy.save", cut=9)
    npy_error("npy_number", np.float64(3), "shape (), which is no table", "(rows, columns)")
    npy_error("npy_no_rows", np.zeros((0, 3)), "shape (0, 3), which is no table", "(rows, columns)")
    npy_error("npy_no_columns", np.zeros((3, 0)), "shape (3, 0), which is no table", "(rows, columns)")


def archive(arrays, compressed=False):
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **arrays)
    return stream.getvalue()


class Unseekable(io.RawIOBase):
    """Makes zipfile write sizes behind the data (data descriptors)."""

    def __init__(self):
        self.parts = []

    def writable(self):
        return True

    def write(self, data):
        self.parts.append(bytes(data))
        return len(data)


def make_npz():
    rng = np.random.default_rng(7)
    x = rng.normal(size=(7, 3)).astype(np.float32)
    y = np.arange(7, dtype=">i4")
    w = np.asfortranarray(rng.integers(0, 9, size=(7, 2), dtype=np.uint16))
    arrays = {"X": x, "y": y, "w": w, "flag": y > 3}
    columns = ["X0", "X1", "X2", "y", "w0", "w1", "flag"]
    table = np.column_stack([x, y, w, y > 3]).astype(np.float64)
    for compressed in (False, True):
        data = archive(arrays, compressed)
        block(f"npz_compressed_{compressed}", "npz", data, columns, table)
        block(f"npz_chosen_{compressed}", "npz", data, ["y", "X0", "X1", "X2"], np.column_stack([y, x]), arrays="y X")
        seed("npz", f"compressed_{compressed}".lower(), data)
    stream = Unseekable()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as zip_:
        zip_.writestr("notes.txt", "not an array")
        zip_.writestr("X.npy", saved(x))
        zip_.comment = b"PK\x05\x06 a comment"
    data = b"".join(stream.parts)
    block("npz_descriptors", "npz", data, columns[:3], x)
    seed("npz", "descriptors", data)
    block("npz_fortran_only", "npz", archive({"w": w}), ["w0", "w1"], w)
    block("npz_unnamed", "npz", archive_of(x, y), ["arr_00", "arr_01", "arr_02", "arr_1"], np.column_stack([x, y]))
    seed("npz", "zip64", zip64(x))
    block("npz_zip64", "npz", zip64(x), columns[:3], x)


def archive_of(*arrays):
    stream = io.BytesIO()
    np.savez(stream, *arrays)
    return stream.getvalue()


def zip64(array):
    """An archive whose every number stands in a ZIP64 field, as in one of more than 4 GiB."""
    data = saved(array)
    crc, name, ones = zipfile.crc32(data), b"X.npy", 0xFFFFFFFF
    local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 45, 0, 0, 0, 33, crc, ones, ones, len(name), 20)
    local += name + struct.pack("<HHQQ", 1, 16, len(data), len(data)) + data
    extra = struct.pack("<HH3Q", 1, 24, len(data), len(data), 0)
    entry = struct.pack("<4s6H3I5HII", b"PK\x01\x02", 45, 45, 0, 0, 0, 33, crc, ones, ones, len(name), len(extra), 0, 0, 0, 0, ones)
    entry += name + extra
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(entry), len(local))
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, len(local) + len(entry), 1)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, ones, ones, 0)
    whole = local + entry + end64 + locator + end
    assert np.array_equal(np.load(io.BytesIO(whole))["X"], array)
    return whole


def npz_error(name, data, error, hint, **items):
    block(name, "npz", data, error=error, hint=hint, **items)
    seed("npz", name, data)


def make_npz_errors():
    x, y = np.ones((7, 3)), np.arange(6)
    npz_error("npz_rows", archive({"X": x, "y": y}), "different numbers of rows: X (7, 3) <f8, y (6,) <i8", "npz_arrays")
    npz_error("npz_scalar", archive({"X": x, "n": np.int32(3)}), "X (7, 3) <f8, n () <i4", "npz_arrays")
    npz_error("npz_object", archive({"X": x, "t": np.array(["a"] * 7, dtype=object)}), 'array "t" has the dtype |O', "npz_arrays")
    npz_error("npz_not_there", archive({"X": x}), 'npz_arrays[1]: there is no array "y"', "X (7, 3) <f8", arrays="X y")
    npz_error("npz_named_twice", archive({"X": x}), 'npz_arrays[1]: "X" is named twice', "X (7, 3) <f8", arrays="X X")
    npz_error("npz_same_column", archive({"X": x, "X1": np.arange(7)}), 'array "X1" makes a column "X1", which there is already', "npz_arrays")
    npz_error("npz_inf", archive({"X": x, "y": np.full(7, np.inf)}), 'array "y", row 0 (from 0), column "y": the number is infinite', "nan")
    whole = archive({"X": x}, True)
    npz_error("npz_cut", whole[:-1], "its end is not there", "unzip -t")
    npz_error("npz_half", whole[:len(whole) // 2], "its end is not there", "unzip -t")
    plain = archive({"X": x})
    at = plain.index(np.ones(1).tobytes())
    npz_error("npz_flipped", plain[:at] + b"\1" + plain[at + 1:], 'array "X": the ZIP archive is damaged or cut off: it has bytes of another CRC', "unzip -t")
    at = whole.index(b"X.npy") + 40
    npz_error("npz_flipped_deflate", whole[:at] + b"\xff\xff" + whole[at + 2:], 'array "X": damaged data', "unzip -t")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_LZMA) as zip_:
        zip_.writestr("X.npy", saved(x))
    npz_error("npz_lzma", stream.getvalue(), 'array "X" has the compression method 14', "savez")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as zip_:
        zip_.writestr("table.csv", "a,b\n1,2\n")
    npz_error("npz_of_csv", stream.getvalue(), "no NumPy array (*.npy) in it, but table.csv", "unpack it")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as zip_:
        zip_.writestr("xl/workbook.xml", "<x/>")
    npz_error("npz_workbook", stream.getvalue(), "no NumPy array", "Excel")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w"):
        pass
    npz_error("npz_empty", stream.getvalue(), "but nothing", "unpack it")
    encrypted = bytearray(plain)
    encrypted[plain.index(b"PK\x01\x02") + 8] |= 1
    npz_error("npz_encrypted", bytes(encrypted), 'array "X" is encrypted', "password")


def make_overlap():
    """Two entries of the directory share the bytes of one member: how small archives become endless."""
    plain = archive({"X": np.ones((7, 3))})
    start, end = plain.index(b"PK\x01\x02"), plain.index(b"PK\x05\x06")
    entry = plain[start:end]
    twice = plain[:start] + entry + entry.replace(b"X.npy", b"Y.npy")
    twice += struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 2, 2, 2 * len(entry), start, 0)
    npz_error("npz_overlap", twice, "are not its own", "unzip -t")


def make_weights():
    rng = np.random.default_rng(8)
    arrays = {"layer0/weight": rng.normal(size=(3, 4)).astype(np.float32), "bias": rng.normal(size=3),
              "fortran": np.asfortranarray(rng.normal(size=(2, 3, 4))), "steps": np.int64(7), "none": np.zeros((0, 3)),
              "half": rng.normal(size=(2, 2)).astype(">f2")}
    data = archive(arrays, True)
    print("name npz_weights\nformat weights\ncompression none\nbytes", data.hex(), file=out)
    print("columns", " ".join(arrays), file=out)
    for name, array in arrays.items():
        print(f"shape.{name}", " ".join(str(n) for n in array.shape), file=out)
        print(f"values.{name}", text(array.astype(np.float32)), file=out)
    print(file=out)
    block("npz_weights_nan", "weights", archive({"w": np.array([1, np.nan])}), error='array "w", number 1', hint="finite")
    block("npz_weights_large", "weights", archive({"w": np.array([1e39])}), error="1e+39 is no finite 32-bit float", hint="finite")
    block("npz_weights_text", "weights", archive({"w": np.array(["a"])}), error="dtype <U1", hint="CSV")


def idx(array, code, shape=None):
    shape = array.shape if shape is None else shape
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape) + array.tobytes()


def make_idx():
    for code, dtype in ((0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")):
        array = np.array((ENDS[dtype][:6] + ENDS[dtype][:6])).astype(">" + dtype)
        block(f"idx_{dtype}", "idx", idx(array, code), ["label"], array.astype(np.float64))
        for shape in ((4, 3), (2, 3, 2), (3, 1, 2, 2)):
            table = array.reshape(shape).astype(np.float64).reshape(shape[0], -1)
            data = idx(array.reshape(shape), code)
            block(f"idx_{dtype}_{len(shape)}d", "idx", data, [f"c{i}" for i in range(table.shape[1])], table)
        seed("idx", dtype, data)


def idx_error(name, data, error, hint="decompressed once"):
    block(name, "idx", data, error=error, hint=hint)
    seed("idx", name, data)


def make_idx_errors():
    array = np.arange(12, dtype=np.uint8)
    idx_error("idx_type", idx(array, 0x0F), "elements of type 0x0f")
    idx_error("idx_type_0a", idx(array, 0x0A), "elements of type 0x0a")
    idx_error("idx_no_dimensions", idx(array, 8, ()), "has 0 dimensions")
    idx_error("idx_five_dimensions", idx(array, 8, (1, 2, 3, 2, 1)), "has 5 dimensions")
    idx_error("idx_zero", idx(array, 8, (0, 3)), "shape (0, 3), which is no table", "neither of them 0")
    idx_error("idx_zero_columns", idx(array, 8, (12, 0)), "shape (12, 0), which is no table", "neither of them 0")
    idx_error("idx_cut", idx(array, 8, (4, 4)), "of the 16 bytes of its shape there are 12", "again")
    idx_error("idx_long", idx(array, 8, (3, 3)), "has more than the 9 bytes of its shape", "savez")
    idx_error("idx_header_cut", idx(array, 8, (4, 3))[:10], "cut off within its dimensions")
    idx_error("idx_magic_cut", b"\0\0\x08", "does not begin with two zeros")
    idx_error("idx_not", b"P5 28 28 255\n", "does not begin with two zeros")
    idx_error("idx_inf", idx(np.array([1, np.inf], dtype=">f4"), 0x0D), 'row 1 (from 0), column "label": the number is infinite', "nan")


def svmlight(x, y, **kwargs):
    stream = io.BytesIO()
    dump_svmlight_file(x, y, stream, **kwargs)
    return stream.getvalue()


def svmlight_good(name, data, zero_based, target="target"):
    """What scikit-learn reads is what is expected."""
    qid = b"qid:" in data
    read = load_svmlight_file(io.BytesIO(data), zero_based=zero_based, query_id=qid)
    x, y = read[0].toarray(), read[1]
    names = [target] + (["qid"] if qid else []) + [f"f{i + (0 if zero_based else 1)}" for i in range(x.shape[1])]
    table = np.column_stack([y] + ([read[2]] if qid else []) + [x])
    block(name, "svmlight", data, names, table)
    seed("svmlight", name, data)


def make_svmlight():
    rng = np.random.default_rng(9)
    x = rng.normal(size=(6, 5)) * (rng.random((6, 5)) < 0.6)
    x[:, 0] = [0, 1, 0, 2, 0, 3]
    y = np.array([1, -1, 1, 1, -1, 1])
    svmlight_good("svm_from_0", svmlight(x, y), True)
    svmlight_good("svm_from_1", svmlight(x, y, zero_based=False), False)
    svmlight_good("svm_comment", svmlight(x, y, comment="by scikit-learn\ntwo lines"), True)
    svmlight_good("svm_qid", svmlight(x, y, query_id=np.array([1, 1, 2, 2, 3, 3])), True)
    svmlight_good("svm_real_target", svmlight(x, rng.normal(size=6)), True)
    svmlight_good("svm_crlf", svmlight(x, y).replace(b"\n", b"\r\n"), True)
    svmlight_good("svm_no_line_feed", svmlight(x, y)[:-1], True)
    svmlight_good("svm_by_hand", b"# comment\n+1 1:0.5  3:-2e-3 # rest\n\n-1\t2:7\n  0 \n1 3:1.\n", False)
    svmlight_good("svm_nan", b"1 1:nan 2:3\n0 1:1 2:2\n", False)
    block("svm_bom", "svmlight", b"\xef\xbb\xbf1 1:2\n", ["target", "f1"], [1, 2])
    block("svm_some_qid", "svmlight", b"1 qid:4 1:2\n2 1:3\n", ["target", "qid", "f1"], [1, 4, 2, 2, np.nan, 3])


def svmlight_error(name, data, error, hint):
    block(name, "svmlight", data, error=error, hint=hint)
    seed("svmlight", name, data)


def make_svmlight_errors():
    svmlight_error("svm_labels", b"1 1:2\n1,2 1:2\n", 'line 2 (byte 6): expected one label, found "1,2"', "column per label")
    svmlight_error("svm_label_text", b"# c\ncat 1:2\n", 'line 2 (byte 4): expected a number as label, found "cat"', "as a number")
    svmlight_error("svm_descending", b"1 1:2\n\n1 3:1 2:1\n", "line 3 (byte 7): index 2 comes after index 3", "ascending")
    svmlight_error("svm_twice", b"1 2:2 2:3\n", "line 1 (byte 0): index 2 comes after index 2", "each once")
    svmlight_error("svm_no_colon", b"1 1:2 7\n", 'expected index:value, found "7"', "colon")
    svmlight_error("svm_value", b"1 1:2 2:x\n", 'value of index "2", found "x"', "nan")
    svmlight_error("svm_inf", b"1 1:inf\n", 'value of index "1", found "inf"', "nan")
    svmlight_error("svm_index", b"1 -1:2\n", 'expected an index, 0 or more, found "-1"', "from 0 or 1")
    svmlight_error("svm_index_huge", b"1 1:2\n0 99999999999999999999:2\n", 'found "99999999999999999999"', "from 0 or 1")
    svmlight_error("svm_late_qid", b"1 1:2 qid:3\n", 'found "qid:3"', "after its label")
    svmlight_error("svm_qid_text", b"1 qid:a 1:2\n", 'found "qid:a"', "after its label")
    svmlight_error("svm_qid_least", b"1 qid:-9223372036854775808 1:2\n", "expected one qid", "after its label")
    svmlight_error("svm_empty", b"", "has no rows", "at least one")
    svmlight_error("svm_comments", b"# only\n\n", "has no rows", "at least one")
    svmlight_error("svm_labels_only", b"1\n2\n", "has no features", "at least one")
    svmlight_error("svm_latin", b"1 caf\xe9\n", "found bytes that are not UTF-8", "colon")
    svmlight_error("svm_nul", b"1 1:2\x00\n", "expected a finite number", "nan")


def zipped(data, level=9):
    return gzip.compress(data, level, mtime=0)


def zstd(data, *options):
    return subprocess.run(["zstd", "-q", "-c", *options], input=data, stdout=subprocess.PIPE, check=True).stdout


def compression_error(name, compression, data, error, hint):
    block(name, "npy", data, compression=compression, error=error, hint=hint)
    seed("decompress", name, data)


def make_compressed():
    plain = saved(np.arange(300.0).reshape(100, 3))
    expected = {"columns": ["c0", "c1", "c2"], "values": np.arange(300.0)}
    files = {
        "gzip": zipped(plain), "gzip_stored": zipped(plain, 0),
        "gzip_members": zipped(plain[:1]) + zipped(b"") + zipped(plain[1:]),
        "gzip_padded": zipped(plain) + b"\0" * 700,
        "zstd": zstd(plain, "--check"), "zstd_no_check": zstd(plain, "--no-check"), "zstd_ultra": zstd(plain, "--ultra", "-22"),
        "zstd_frames": zstd(plain[:1]) + b"\x52\x2a\x4d\x18\3\0\0\0abc" + zstd(b"") + zstd(plain[1:]),
        "zstd_skippable": b"\x50\x2a\x4d\x18\0\0\0\0" + zstd(plain),
    }
    for name, data in files.items():
        block(name, "npy", data, compression=name.split("_")[0], **expected)
        seed("decompress", name, data)
    seed("decompress", "plain", plain)
    whole, framed = files["gzip"], files["zstd"]
    flipped = whole[:-6] + bytes([whole[-6] ^ 1]) + whole[-5:]
    compression_error("gzip_cut", "gzip", whole[:-1], f"the gzip file is cut off: its compressed bytes end after {len(whole) - 1}", "gzip -t")
    compression_error("gzip_half", "gzip", whole[:len(whole) // 2], "the gzip file is cut off", "gzip -t")
    compression_error("gzip_head", "gzip", whole[:2], "the gzip file is cut off", "gzip -t")
    compression_error("gzip_crc", "gzip", flipped, "the gzip file: damaged data (incorrect data check)", "gzip -t")
    compression_error("gzip_garbage", "gzip", whole + b"xyz", "the gzip file: damaged data (incorrect header check)", "gzip -t")
    compression_error("gzip_after_padding", "gzip", whole + b"\0\0xyz", "the gzip file: damaged data (bytes after its end)", "gzip -t")
    compression_error("zstd_cut", "zstd", framed[:-1], f"the zstd file is cut off: its compressed bytes end after {len(framed) - 1}", "zstd -t")
    compression_error("zstd_half", "zstd", framed[:len(framed) // 2], "the zstd file is cut off", "zstd -t")
    compression_error("zstd_crc", "zstd", framed[:-1] + bytes([framed[-1] ^ 1]), "the zstd file: damaged data", "zstd -t")
    compression_error("zstd_garbage", "zstd", framed + b"xyzw", "the zstd file: damaged data", "zstd -t")
    # A frame header that asks for a window of 2 GiB (--long=31), which zstd itself refuses by default.
    compression_error("zstd_window", "zstd", b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", "takes a window of more than 128 MiB", "--long")


for make in (make_npy, make_npy_errors, make_npz, make_npz_errors, make_overlap, make_weights, make_idx, make_idx_errors,
             make_svmlight, make_svmlight_errors, make_compressed):
    make()
out.close()

#!/usr/bin/python3
"""Canonical JSON and receipts, made without our code: tests/golden/receipt/.

Run with Debian's python3-cryptography: /usr/bin/python3 tests/golden/make_receipts.py

`canonical.txt`: random documents, two lines each: JSON with arbitrary white space, escapes and order, then its canonical form by
Python's json (whose escapes without ensure_ascii are those of RFC 8785) with keys sorted as UTF-16.
`student.json`, `released.json`, `staff.json`: the receipt of receipt_test.cc in its three forms, signed by `cryptography` with the
seed 00 01 02 ... 1f; they have no source, as those from before there was one. `sourced.json` is `released.json` with a source.
`public_key.txt` is the key's public half. Without a line end, as GetReceipt gives them.
"""
import hashlib
import json
import pathlib
import random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

FOLDER = pathlib.Path(__file__).resolve().parent / "receipt"
DOCUMENTS = 150
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def sort(value):
    if isinstance(value, list):
        return [sort(item) for item in value]
    if isinstance(value, dict):
        return {key: sort(value[key]) for key in sorted(value, key=lambda key: key.encode("utf-16-be"))}
    return value


def canonical(value):
    return json.dumps(sort(value), ensure_ascii=False, separators=(",", ":"))


def random_text(rng):
    ranges = [(0x20, 0x7E), (0, 0x1F), (0x7F, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF)]
    return "".join(chr(rng.randint(*rng.choice(ranges))) for _ in range(rng.randint(0, 8)))


def random_value(rng, depth):
    kind = rng.randint(0, 5 if depth < 4 else 3)
    if kind == 0:
        return rng.random() < 0.5
    if kind == 1:
        return rng.choice([0, 1, -1, 2**53 - 1, -(2**53 - 1), rng.randint(-10**6, 10**6)])
    if kind in (2, 3):
        return random_text(rng)
    if kind == 4:
        return [random_value(rng, depth + 1) for _ in range(rng.randint(0, 4))]
    return {random_text(rng): random_value(rng, depth + 1) for _ in range(rng.randint(0, 5))}


def spaced(rng, value):
    """JSON of `value` that is as far from canonical as may be."""
    space = lambda: rng.choice(["", " ", "\t", "  "])
    if isinstance(value, list):
        return "[" + space() + ",".join(space() + spaced(rng, item) + space() for item in value) + "]"
    if isinstance(value, dict):
        items = list(value.items())
        rng.shuffle(items)
        text = ",".join(space() + spaced(rng, key) + space() + ":" + space() + spaced(rng, item) for key, item in items)
        return "{" + space() + text + space() + "}"
    return json.dumps(value, ensure_ascii=rng.random() < 0.5)


def number(value):
    return {"decimal": repr(value), "hex": hex_of(value)}


def hex_of(value):
    """C's %a: as float.hex, without the zeros at the end of the fraction."""
    mantissa, exponent = value.hex().split("p")
    return mantissa.rstrip("0").rstrip(".") + "p" + exponent


def digest(letter):
    return "sha256:" + letter * 64


def receipt(copy, released, source=None):
    staff = copy == "staff"
    runs = []
    for seed, public, sealed in ((18446744073709551615, 0.93, 0.921), (7, 0.925, 0.1)):
        run = {"result_digest": digest(str(seed % 10))}
        if staff:
            run.update(seed=str(seed), public_value=number(public), sealed_value=number(sealed))
        runs.append(run)
    data = [{"role": "training", "commitment": "a" * 64}, {"role": "sealed", "commitment": "b" * 64}]
    if staff:
        data[0]["table_digest"], data[1]["table_digest"] = digest("c"), digest("d")
    criteria = [{"name": "accuracy at least 0.85", "points": 40, "max_points": 40, "passed": True},
                {"name": "accuracy at least 0.95", "points": 0, "max_points": 60, "passed": False}]
    result = {"points": 40, "max_points": 100, "score": number(0.92), "metric": "ACCURACY", "sealed": True, "criteria": criteria}
    document = {
        "format": "trainyard-receipt-v1", "copy": copy, "receipt": "r1", "course": "courses/dl",
        "assignment": "courses/dl/assignments/hw-mlp", "assignment_version": 2,
        "policy": {"version": 3, "digest": digest("e")}, "student": "u\u00fc\U0001f600",
        "submission": "courses/dl/assignments/hw-mlp/submissions/s1",
        "accepted_at": "2027-02-10T18:40:55.123456Z", "graded_at": "2027-02-10T18:42:07.000000Z",
        "spec": {"epochs": 20, "optimizer": {"learningRate": "0.001", "weightDecay": "1e-05"}, "layers": [{"units": 64}]},
        "spec_digest": digest("f"), "data": data, "seed_count": 2, "runs": runs,
        "engine": {"build": "0.1.0 (abc)", "onednn_version": "2.6.3", "isa": "AVX2", "threads": 1, "cpu_family": "GenuineIntel 6",
                   "deterministic": True},
        "work": {"parameters": "18410", "train_flops": "9007199254740993", "epochs": 20},
        "public_score": number(0.9275), "released": released, "result": result if staff or released else "withheld",
        "previous": "", "key_id": hashlib.sha256(PUBLIC).hexdigest()[:16]}
    if source is not None:
        document["source"] = source
    document["signature"] = KEY.sign(canonical(document).encode()).hex()
    return canonical(document)


def main():
    FOLDER.mkdir(exist_ok=True)
    rng = random.Random(1)
    lines = []
    for _ in range(DOCUMENTS):
        value = random_value(rng, 0)
        lines += [spaced(rng, value), canonical(value)]
    (FOLDER / "canonical.txt").write_bytes(("\n".join(lines) + "\n").encode())
    (FOLDER / "student.json").write_bytes(receipt("student", False).encode())
    (FOLDER / "released.json").write_bytes(receipt("student", True).encode())
    source = {"repository_id": "42", "commit": "c0ffee", "run_id": "987654", "verified": True}
    (FOLDER / "sourced.json").write_bytes(receipt("student", True, source).encode())
    (FOLDER / "staff.json").write_bytes(receipt("staff", False).encode())
    (FOLDER / "public_key.txt").write_text(PUBLIC.hex() + "\n")


if __name__ == "__main__":
    main()

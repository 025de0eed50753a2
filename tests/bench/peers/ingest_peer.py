"""The parts of ingest_compare.sh that are Python.

  ingest_peer.py make numeric OUT MB          ingest_peer.py make adult OUT MB SOURCE
  ingest_peer.py read FILE KIND REPEATS       pandas.read_csv, C engine: one JSON line with medians
  ingest_peer.py ratio FILE.jsonl             one JSON line per file from those of ingest_bench and of read

numeric: a header and 20 columns, 8 of integers (a flag, a count, a year, a signed one, an amount, a money sum, one of nine digits, the
row's number) and 12 of floats, each printed with %.6g (uniform, normal, exponential and log-normal ones of several magnitudes, so that
some have an exponent), no missing cells. adult: SOURCE (UCI's adult.data: ", " between cells, no header) over and over. Both are the same
bytes each time.
"""
import collections
import json
import os
import statistics
import sys
import time

import numpy as np
import pandas

ROWS = 50_000
INTEGERS = 8


def columns(rng, first_row):
    n = ROWS
    yield rng.integers(0, 2, n)
    yield rng.poisson(6, n)
    yield rng.integers(1950, 2024, n)
    yield rng.integers(-1000, 1001, n)
    yield rng.integers(0, 100_000, n)
    yield (rng.lognormal(10, 1.5, n)).astype(np.int64)
    yield rng.integers(0, 1_000_000_000, n)
    yield np.arange(first_row, first_row + n)
    yield rng.random(n)
    yield rng.random(n) * 360 - 180
    yield rng.random(n) * 1e-3
    yield rng.standard_normal(n)
    yield rng.standard_normal(n)
    yield rng.standard_normal(n) * 25 + 170
    yield rng.standard_normal(n) * 1e4
    yield rng.exponential(1, n)
    yield rng.exponential(250, n)
    yield rng.lognormal(0, 1, n)
    yield rng.lognormal(3, 2, n)
    yield rng.lognormal(0, 6, n)


def numeric(out, size_bytes):
    rng = np.random.default_rng(20261126)
    names = [f"c{i}" for i in range(20)]
    out.write((",".join(names) + "\n").encode())
    row_format = ",".join(["%d"] * INTEGERS + ["%.6g"] * (len(names) - INTEGERS)) + "\n"
    first_row = 0
    while out.tell() < size_bytes:
        rows = zip(*(column.tolist() for column in columns(rng, first_row)))
        out.write("".join(row_format % row for row in rows).encode())
        first_row += ROWS


def adult(out, size_bytes, source):
    with open(source, "rb") as file:
        table = file.read().rstrip(b"\n") + b"\n"
    while out.tell() < size_bytes:
        out.write(table)


def make(kind, path, megabytes, source=None):
    with open(path, "wb") as out:
        if kind == "numeric":
            numeric(out, int(megabytes) * 1_000_000)
        else:
            adult(out, int(megabytes) * 1_000_000, source)


def read(path, kind, repeats):
    options = {"header": None, "skipinitialspace": True} if kind == "adult" else {}
    wall, cpu = [], []
    for _ in range(int(repeats)):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        table = pandas.read_csv(path, engine="c", **options)
        wall.append(time.perf_counter() - wall_start)
        cpu.append(time.process_time() - cpu_start)
    print(json.dumps({"file": path, "peer": "pandas " + pandas.__version__, "rows": len(table),
                      "seconds": round(statistics.median(wall), 4), "cpu_seconds": round(statistics.median(cpu), 4)}))


def ratio(path):
    ours, theirs = collections.defaultdict(list), collections.defaultdict(list)
    for line in open(path, encoding="utf-8"):
        result = json.loads(line)
        (theirs if "peer" in result else ours)[result["file"]].append(result)
    for file, results in ours.items():
        def median(of, key, file=file):
            return statistics.median(r[key] for r in of[file])
        cpu = median(ours, "cpu_seconds")
        print(json.dumps({
            "file": os.path.basename(file), "bytes": results[0]["bytes"], "rows": results[0]["rows"], "rounds": len(results),
            "cpu_seconds": cpu, "mb_per_cpu_s": round(results[0]["bytes"] / 1e6 / cpu, 1),
            "pandas_cpu_seconds": median(theirs, "cpu_seconds"),
            "ratio": round(statistics.median(p["cpu_seconds"] / o["cpu_seconds"] for o, p in zip(results, theirs[file])), 2),
            "wall_ratio": round(statistics.median(p["seconds"] / o["seconds"] for o, p in zip(results, theirs[file])), 2),
            "of_read_bandwidth": round(statistics.median(o["read_cpu_seconds"] / o["cpu_seconds"] for o in results), 4)}))


if __name__ == "__main__":
    {"make": make, "read": read, "ratio": ratio}[sys.argv[1]](*sys.argv[2:])

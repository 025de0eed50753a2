#!/usr/bin/python3
"""Golden statistics of columns: tests/golden/column_stats.txt from numpy.

Run with Debian's python3-numpy: /usr/bin/python3 tests/golden/make_column_stats.py

The numbers are drawn by a generator and made by operations that any language does alike (Draws and NumberOf in
column_stats_golden_test.cc), so that the file needs only the results: quantiles of numpy.quantile, different values of
numpy.unique, the mean from an exact sum.
"""
import math
import pathlib
from fractions import Fraction

import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parent
PROBABILITIES = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
NAN = float("nan")


def draws(count):
    """Numbers in [0, 1) of a linear congruential generator."""
    state = 12345
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield (state >> 11) / 2**53


def bell(u):
    """Dense in the middle, with far values: a ratio, no function of a library."""
    return (u - 0.5) / (1.0001 - abs(2 * u - 1))


KINDS = {
    "uniform": lambda u, i: u,
    "cents": lambda u, i: math.floor(u * 10000) / 100,
    "byte": lambda u, i: float(math.floor(u * 256)),
    "far_integers": lambda u, i: 1e15 + math.floor(u * 1000),
    "large_integers": lambda u, i: float(math.floor(u * 1e9)),
    "huge_integers": lambda u, i: float(math.floor(u * 1000)) * 1e18,
    "mostly_zero": lambda u, i: 0.0 if i % 16 else bell(u),
    "half_missing": lambda u, i: NAN if i % 2 else bell(u),
    "shifted": lambda u, i: 1e9 + 1 + u,
    "bell": lambda u, i: bell(u),
    "magnitudes": lambda u, i: math.ldexp(u - 0.5, (i * 37) % 601 - 300),
    "huge": lambda u, i: (u - 0.5) * 1.7e308,
    "tiny": lambda u, i: u * 1e-300,
    "squares_overflow": lambda u, i: 1e154 * (1 + math.floor(u * 8)),
    "equal": lambda u, i: 0.1,
    "two": lambda u, i: float(u < 0.25),
    "counter": lambda u, i: float(i + 1),
    "signed_zero": lambda u, i: -0.0 if u < 0.5 else 0.0,
    "clusters": lambda u, i: float(i % 3) * 1e6 + u * 1e-3,
}


def exact(values):
    """Mean and deviation: the sum as a fraction, squares in extended precision and scaled, so that none overflows."""
    mean = sum(map(Fraction, values)) / len(values)
    extended = np.longdouble(float(mean)) + np.longdouble(float(mean - Fraction(float(mean))))
    scale = np.longdouble(2.0 ** -math.frexp(max(abs(v) for v in values))[1]) if any(values) else np.longdouble(1)
    distances = np.array(values, dtype=np.longdouble) * scale - extended * scale
    return float(mean), float(np.sqrt(np.sum(distances**2) / len(values)) / scale)


def main():
    out = [f"# made by tests/golden/make_column_stats.py with numpy {np.__version__}",
           "# kind rows missing distinct integers min max mean deviation quantiles..."]
    for rows in [1, 2, 3, 7, 100, 5000, 70001]:
        for kind, number in KINDS.items():
            column = np.array([number(u, i) for i, u in enumerate(draws(rows))])
            there = column[~np.isnan(column)]
            mean, deviation = exact([float(v) for v in there])
            if there.min() == there.max():
                mean, deviation = there.min(), 0.0
            numbers = [there.min(), there.max(), mean, deviation, *np.quantile(there, PROBABILITIES)]
            out.append(" ".join([kind, str(rows), str(rows - len(there)), str(len(np.unique(there))),
                                 str(int(np.all(there == np.trunc(there)))),
                                 *[repr(float(v)) for v in numbers]]))
    (FOLDER / "column_stats.txt").write_text("\n".join(out) + "\n")


main()

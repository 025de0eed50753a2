#!/usr/bin/python3
"""Splits of small tables, made from their description alone: tests/golden/splits.txt.

Run with Debian's python3-numpy and python3-sklearn: /usr/bin/python3 tests/golden/make_splits.py

Philox, the hash and the rules of core/data/split.h are written a second time here, from the paper (Salmon et al. 2011) and
from the header. scikit-learn says how evenly StratifiedKFold deals classes: `sklearn_most` and `sklearn_least` are the
largest and smallest number of rows of a class in one of its folds.

Blocks as in make_losses.py: `key values...` lines, an empty line after each. `parts` has one letter per row: t for train,
v for validation, s for test; with folds a digit for the fold that the row is in, s for test.
"""
import pathlib

import numpy as np
import sklearn
from sklearn.model_selection import StratifiedKFold

FOLDER = pathlib.Path(__file__).resolve().parent
M32, M64 = 2**32 - 1, 2**64 - 1
SPLIT_STREAM = 1


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & M32, (p0 >> 32) ^ c[3] ^ k[1], p0 & M32]
        k = [(k[0] + 0x9E3779B9) & M32, (k[1] + 0xBB67AE85) & M32]
    return c


def key_of(seed, number):
    key = [seed & M32, (seed >> 32) ^ (SPLIT_STREAM * 0x85EBCA6B & M32)]
    words = philox([0, 0, number & M32, number >> 32], key)
    return words[1] << 32 | words[0]


def stable_hash(text):
    h = 14695981039346656037
    for byte in text.encode():
        h = (h ^ byte) * 1099511628211 & M64
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD & M64
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 & M64
    return h ^ h >> 33


def rounded(x):
    return int(np.floor(x + 0.5))


def in_order(rows, seed):
    return sorted(rows, key=lambda row: (key_of(seed, row), row))


def groups_in_order(values, seed):
    return sorted(set(values), key=lambda value: (key_of(seed, stable_hash(value)), value.encode()))


def by_counts(order, test, validation):
    return {item: "s" if i < test else "v" if i < test + validation else "t" for i, item in enumerate(order)}


def shares(total, fraction, class_rows, available):
    """Largest remainders, ties to the lower class."""
    quotas = [n * fraction for n in class_rows]
    counts = [min(int(q), a) for q, a in zip(quotas, available)]
    order = sorted(range(len(quotas)), key=lambda c: (-(quotas[c] - counts[c]), c))
    while sum(counts) < total:
        for c in order:
            if sum(counts) < total and counts[c] < available[c]:
                counts[c] += 1
    return counts


def random_split(rows, seed, validation, test):
    return by_counts(in_order(range(rows), seed), rounded(rows * test), rounded(rows * validation))


def group_split(values, seed, validation, test):
    order = groups_in_order(values, seed)
    n_test = max(1, rounded(len(order) * test))
    part = by_counts(order, n_test, max(1, rounded(len(order) * validation)))
    return {row: part[value] for row, value in enumerate(values)}


def deal(order, test, folds, dealt=0):
    return {item: "s" if i < test else str((dealt + i - test) % folds) for i, item in enumerate(order)}


def stratified(classes, seed, validation, test):
    rows = [[r for r, k in enumerate(classes) if k == c] for c in range(max(classes) + 1)]
    counts = [len(r) for r in rows]
    tests = shares(rounded(len(classes) * test), test, counts, counts)
    left = [n - t for n, t in zip(counts, tests)]
    validations = shares(rounded(len(classes) * validation), validation, counts, left)
    parts = {}
    for members, t, v in zip(rows, tests, validations):
        parts |= by_counts(in_order(members, seed), t, v)
    return parts


def stratified_folds(classes, seed, test, folds):
    rows = [[r for r, k in enumerate(classes) if k == c] for c in range(max(classes) + 1)]
    counts = [len(r) for r in rows]
    tests = shares(rounded(len(classes) * test), test, counts, counts)
    parts, dealt = {}, 0
    for members, t in zip(rows, tests):
        parts |= deal(in_order(members, seed), t, folds, dealt)
        dealt += len(members) - t
    return parts


def block(out, parts, **items):
    for key, value in items.items():
        print(key, *(value if isinstance(value, (list, tuple)) else [value]), file=out)
    print("parts", "".join(parts[row] for row in range(len(parts))), file=out)
    print(file=out)


def stratified_k_fold(out, rng):
    for folds, class_count in ((2, 2), (3, 4), (5, 3), (10, 6)):
        classes = [int(c) for c in rng.integers(0, class_count, size=120)]
        counts = [[] for _ in range(class_count)]
        for _, validating in StratifiedKFold(folds).split(np.zeros(len(classes)), classes):
            for c in range(class_count):
                counts[c].append(sum(classes[row] == c for row in validating))
        block(out, stratified_folds(classes, 5, 0, folds), kind="stratified_folds", seed=5, test=0, folds=folds,
              classes=classes, sklearn_least=[min(c) for c in counts], sklearn_most=[max(c) for c in counts])


def main():
    rng = np.random.default_rng(4)
    with open(FOLDER / "splits.txt", "w", encoding="ascii") as out:
        print(f"# Made by make_splits.py with numpy {np.__version__}, scikit-learn {sklearn.__version__}.", file=out)
        for rows, seed, validation, test in ((20, 7, 0.2, 0.2), (61, 2**40 + 3, 0.15, 0.15), (50, 0, 0, 0.3)):
            block(out, random_split(rows, seed, validation, test), kind="random", seed=seed, rows=rows,
                  validation=validation, test=test)
        classes = [int(c) for c in rng.choice(4, size=75, p=(0.5, 0.3, 0.15, 0.05))]
        block(out, stratified(classes, 11, 0.15, 0.2), kind="stratified", seed=11, validation=0.15, test=0.2,
              classes=classes)
        values = [f"patient{p}" for p in rng.integers(0, 17, size=80)]
        for validation, test in ((0.15, 0.15), (0.01, 0.01), (0.45, 0.45)):
            block(out, group_split(values, 3, validation, test), kind="group", seed=3, validation=validation,
                  test=test, values=values)
        block(out, deal(in_order(range(44), 9), rounded(44 * 0.2), 5), kind="folds", seed=9, rows=44, test=0.2,
              folds=5)
        order = deal(groups_in_order(values, 6), 0, 4)
        block(out, {row: order[value] for row, value in enumerate(values)}, kind="group_folds", seed=6, test=0,
              folds=4, values=values)
        stratified_k_fold(out, rng)


main()

#!/usr/bin/python3
"""Golden features: tests/golden/preprocessing.txt, from scikit-learn's transformers.

Run with Debian's python3-sklearn: /usr/bin/python3 tests/golden/make_preprocessing.py

Each block is one column: options (numbers as in core/data/feature_options.h), cells (`?` is missing), how many of them
are training rows (the first), and what scikit-learn makes of all of them, row by row.
"""
import pathlib

import numpy as np
import sklearn
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler

FOLDER = pathlib.Path(__file__).resolve().parent
TRAIN = 60
SCALERS = {1: StandardScaler, 2: None, 3: MinMaxScaler, 4: RobustScaler}
IMPUTERS = {1: "mean", 2: "median", 3: "constant"}
NUMBER, ONE_HOT, ORDINAL = 1, 2, 3
OTHER, ZEROS = 1, 2


def block(out, name, cells, features, **options):
    print("case", name, file=out)
    for key, value in options.items():
        print(key, value, file=out)
    print("train", TRAIN, file=out)
    print("cells", *cells, file=out)
    print("features", *(repr(float(v)) for v in np.asarray(features).ravel()), file=out)
    print(file=out)


def words(column):
    return ["?" if x is None or x != x else x if isinstance(x, str) else repr(float(x)) for x in column]


def scaled(scaling, x):
    if SCALERS[scaling] is None:
        return x
    return SCALERS[scaling]().fit(x[:TRAIN]).transform(x)


def number_cases(out, rng):
    for scaling in SCALERS:
        x = np.round(rng.gamma(2, 1000, 90), 3)
        block(out, f"scaling_{scaling}", words(x), scaled(scaling, x[:, None]), encoding=NUMBER, scaling=scaling, imputation=4)
        for imputation, strategy in IMPUTERS.items():
            for indicator in (0, 1):
                holes = x.copy()
                holes[rng.random(90) < 0.2] = np.nan
                imputer = SimpleImputer(strategy=strategy, fill_value=-7.5).fit(holes[:TRAIN, None])
                features = scaled(scaling, imputer.transform(holes[:, None]))
                if indicator:
                    flags = MissingIndicator().fit(holes[:TRAIN, None]).transform(holes[:, None])
                    features = np.hstack([features, flags])
                block(out, f"scaling_{scaling}_{strategy}_{indicator}", words(holes), features, encoding=NUMBER, scaling=scaling,
                      imputation=imputation, fill_value=-7.5, missing_indicator=indicator)


def draw(rng, names, holes):
    # Frequencies that all differ, so that no tie decides which categories are kept.
    weights = np.arange(1, len(names) + 1) ** 2.0
    column = rng.choice(np.array(names, dtype=object), 90, p=weights / weights.sum())
    column[:TRAIN] = np.resize(np.repeat(np.array(names[: len(names) - 1], dtype=object), np.arange(2, len(names) + 1)), TRAIN)
    if holes:
        column[rng.random(90) < 0.15] = None
    return column


def one_hot_cases(out, rng):
    text = ["zeta", "Beta", "alpha", "ébène", "gamma", "delta", "unseen"]
    numbers = [30.0, 4.0, -1.5, 100.0, 7.0, 12.25, 55.0]
    for kind, names in {"text": text, "numbers": numbers}.items():
        for holes in (False, True):
            column = draw(rng, names, holes)
            if kind == "numbers":
                column = np.array([np.nan if c is None else c for c in column])
            encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(column[:TRAIN, None])
            block(out, f"one_hot_{kind}_{holes}", words(column), encoder.transform(column[:, None]), encoding=ONE_HOT,
                  categories_max=64, unseen=ZEROS)
    for kind, names in {"text": text, "numbers": numbers}.items():
        column = draw(rng, names, False)
        # Beyond the cap scikit-learn's maximum counts the feature of the infrequent ones, too.
        encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=4, sparse_output=False).fit(column[:TRAIN, None])
        block(out, f"one_hot_{kind}_capped", words(column), encoder.transform(column[:, None]), encoding=ONE_HOT, categories_max=3,
              unseen=OTHER)
    column = draw(rng, text, False)
    order = ["gamma", "zeta", "alpha"]
    encoder = OneHotEncoder(categories=[order], handle_unknown="ignore", sparse_output=False).fit(
        np.array(order, dtype=object)[:, None])
    block(out, "one_hot_given", words(column), encoder.transform(column[:, None]), encoding=ONE_HOT, unseen=ZEROS,
          categories=" ".join(order))


def ordinal_cases(out, rng):
    text = ["zeta", "Beta", "alpha", "ébène", "gamma", "delta", "unseen"]
    numbers = [30.0, 4.0, -1.5, 100.0, 7.0, 12.25, 55.0]
    for kind, names in {"text": text, "numbers": numbers}.items():
        for scaling in SCALERS:
            column = draw(rng, names, False)
            codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan).fit(column[:TRAIN, None])
            features = scaled(scaling, codes.transform(column[:, None]))
            features[np.isnan(features)] = 0
            block(out, f"ordinal_{kind}_{scaling}", words(column), features, encoding=ORDINAL, scaling=scaling, unseen=ZEROS)


with open(FOLDER / "preprocessing.txt", "w", encoding="utf-8") as golden:
    print(f"# made by tests/golden/make_preprocessing.py with scikit-learn {sklearn.__version__}", file=golden)
    generator = np.random.default_rng(5)
    number_cases(golden, generator)
    one_hot_cases(golden, generator)
    ordinal_cases(golden, generator)

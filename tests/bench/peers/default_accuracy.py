"""Test scores on real tables with default settings: Trainyard beside scikit-learn's MLPClassifier and MLPRegressor.

  TRAINYARD_BIN=build/release/bin /usr/bin/python3 tests/bench/peers/default_accuracy.py --data DIR [--sets iris,...] [--seeds 5]

DIR holds wdbc.csv, iris.csv, winequality-red.csv, auto_imports.csv, adult-train.csv, adult-test.csv and MNIST's two t10k files.
Neither side is told how to train. Trainyard runs as a server and gets the table as it is by its command line, with one more column
that says which rows are the test's; beyond the names of that column and of the target, and the task where the target is a number of
few values, nothing is given but the seed. scikit-learn gets the same rows in the pipeline of its documentation: StandardScaler (after
SimpleImputer, where numbers are missing) and OneHotEncoder. For a regression it is measured a second time with its target scaled
(TransformedTargetRegressor).

30 % of the rows test (Adult's are its authors'), other ones for each seed. Accuracy, or R² in the target's own unit. Prints a table:
means over the seeds with their standard errors, and whether ours is at most one standard error of scikit-learn's below it.
"""
import collections
import gzip
import math
import statistics
import warnings

import numpy as np
import pandas
from service import compare_all, value_of
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

TEST_RATIO = 0.3
ADULT_TEST_ROWS = 16281
MISSING = "?"

# `task` where ours cannot know it; `test_rows`: the last ones, where the split is the authors'.
Recipe = collections.namedtuple("Recipe", "read task test_rows", defaults=(None, None))


def read_texts(path, **options):
    """Every cell as it stands in the file, the target in the last column."""
    frame = pandas.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True, **options)
    frame.columns = [f"x{i}" for i in range(frame.shape[1] - 1)] + ["target"]
    return frame


def read_adult(folder):
    parts = [read_texts(folder / f"adult-{part}.csv", header=None) for part in ("train", "test")]
    frame = pandas.concat(parts, ignore_index=True)
    return frame.assign(target=frame.target.str.rstrip("."))


def read_mnist(folder):
    images = np.frombuffer(gzip.decompress((folder / "mnist-t10k-images-idx3-ubyte.gz").read_bytes())[16:], np.uint8)
    labels = np.frombuffer(gzip.decompress((folder / "mnist-t10k-labels-idx1-ubyte.gz").read_bytes())[8:], np.uint8)
    frame = pandas.DataFrame(images.reshape(len(labels), -1)).astype(str)
    return frame.rename(columns="x{}".format).assign(target=labels.astype(str))


def read_wine(folder):
    return read_texts(folder / "winequality-red.csv", header=None)


RECIPES = {
    "iris": Recipe(lambda d: read_texts(d / "iris.csv")),
    "wdbc": Recipe(lambda d: read_texts(d / "wdbc.csv")),
    "wine": Recipe(read_wine, "regression"),
    "wine classes": Recipe(read_wine, "multiclass"),
    "auto_imports": Recipe(lambda d: read_texts(d / "auto_imports.csv", header=None), "regression"),
    "mnist10k": Recipe(read_mnist, "multiclass"),
    "adult": Recipe(read_adult, None, ADULT_TEST_ROWS),
}


def test_mask(recipe, rows, seed):
    if recipe.test_rows is not None:
        return np.arange(rows) >= rows - recipe.test_rows
    order = np.random.default_rng(seed).permutation(rows)
    return order < round(TEST_RATIO * rows)


def as_numbers(column):
    """None when a cell is text."""
    numbers = pandas.to_numeric(column.where(column != MISSING), errors="coerce")
    return numbers if (numbers.notna() == (column != MISSING)).all() else None


def typed(frame):
    """Columns of numbers as numbers, others as they are."""
    numbers = {name: as_numbers(frame[name]) for name in frame.columns}
    return pandas.DataFrame({name: frame[name] if column is None else column for name, column in numbers.items()})


def pipeline(features, network):
    text = [name for name in features.columns if features[name].dtype == object]
    numbers = [name for name in features.columns if name not in text]
    prepare = ColumnTransformer([("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
                                 ("text", OneHotEncoder(handle_unknown="ignore"), text)])
    return make_pipeline(prepare, network)


def sklearn_scores(recipe, frame, is_test, seed):
    features = typed(frame.drop(columns="target"))
    if recipe.task == "regression":
        target = frame.target.astype(float)
        network = pipeline(features, MLPRegressor(random_state=seed))
        models = {"scikit-learn": network,
                  "target scaled": TransformedTargetRegressor(regressor=network, transformer=StandardScaler())}
    else:
        target = frame.target
        models = {"scikit-learn": pipeline(features, MLPClassifier(random_state=seed))}
    return {name: model.fit(features[~is_test], target[~is_test]).score(features[is_test], target[is_test])
            for name, model in models.items()}


def own_score(yard, recipe, frame, is_test, seed, options=()):
    table = frame.assign(part=np.where(is_test, "test", "train"))
    dataset = yard.upload(table.columns, table.values)
    task = ("--task", recipe.task) if recipe.task else ()
    job = yard.train("--dataset", dataset, "--target", "target", "--part-column", "part", *task, "--seed", str(seed), *options)
    return value_of(job["test_metrics"], "r2" if recipe.task == "regression" else "accuracy")


def standard_error(scores):
    return statistics.stdev(scores) / math.sqrt(len(scores))


def text_of(scores):
    return f"{statistics.mean(scores):.4f} ± {standard_error(scores):.4f}" if scores else "–"


def compare(name, recipe, args, yard):
    frame = recipe.read(args.data)
    scores = collections.defaultdict(list)
    for seed in range(args.seeds):
        is_test = test_mask(recipe, len(frame), seed)
        scores["own"].append(own_score(yard, recipe, frame, is_test, seed))
        for peer, score in sklearn_scores(recipe, frame, is_test, seed).items():
            scores[peer].append(score)
    own = statistics.mean(scores["own"])
    peers = [scores[peer] for peer in scores if peer != "own"]
    holds = all(own >= statistics.mean(peer) - standard_error(peer) for peer in peers)
    print(f"| {name} | {(~is_test).sum()} / {is_test.sum()} | {text_of(scores['own'])} | {text_of(scores['scikit-learn'])} "
          f"| {text_of(scores['target scaled'])} | {'yes' if holds else 'NO'} |", flush=True)


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)
    header = ["data", "rows train / test", "Trainyard", "scikit-learn", "with its target scaled", "not worse"]
    compare_all(__doc__, RECIPES, header, compare)


if __name__ == "__main__":
    main()

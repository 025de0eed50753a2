"""Test accuracy on real data: Trainyard as people use it, beside PyTorch and scikit-learn.

  TRAINYARD_BIN=build/release/bin /usr/bin/python3 tests/bench/peers/accuracy.py --data DIR [--sets iris,adult,...] [--seeds 5]

DIR holds wdbc.csv, iris.csv, winequality-red.csv, adult-train.csv, adult-test.csv and MNIST's two t10k files. For each set and
seed: one split, the same for all three (Adult's is its authors'); one network, Adam, batch and number of epochs; features
standardised by the training rows; initial weights are drawn as PyTorch's (scikit-learn's are Glorot's), the order of rows is each
program's own. Trainyard runs as a server and gets everything by its command line: upload, train, evaluate on the uploaded test rows.
Text columns (Adult's) are one-hot encoded here, a missing cell being a category of its own.

Prints a table: mean accuracy over the seeds, the standard error of one split's accuracy, and whether the means are within it.
"""
import collections
import csv
import gzip
import math
import statistics
import warnings

import numpy as np
import torch
from service import compare_all, value_of
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

# Uniform in ±1 / sqrt(fan_in), as torch.nn.Linear draws weights. (Its biases too; ours start at zero.)
PYTORCH_INIT = ("--init", "lecun_uniform", "--init-gain", "0.5773502691896258")
Recipe = collections.namedtuple("Recipe", "read hidden learning_rate batch epochs test_ratio")


def read_numbers(folder, name, header):
    with open(folder / name, encoding="ascii") as file:
        rows = list(csv.reader(file))[1 if header else 0:]
    return np.array([[float(v) for v in row[:-1]] for row in rows]), np.array([row[-1] for row in rows])


def read_mnist(folder):
    images = np.frombuffer(gzip.decompress((folder / "mnist-t10k-images-idx3-ubyte.gz").read_bytes())[16:], np.uint8)
    labels = np.frombuffer(gzip.decompress((folder / "mnist-t10k-labels-idx1-ubyte.gz").read_bytes())[8:], np.uint8)
    return images.reshape(len(labels), -1).astype(float), labels.astype(str)


def read_adult(folder):
    """Training rows first, then the 16 281 test rows."""
    rows = []
    for name in ("adult-train.csv", "adult-test.csv"):
        with open(folder / name, encoding="ascii") as file:
            rows += [row for row in csv.reader(file, skipinitialspace=True) if len(row) == 15]
    columns = []
    for cells in zip(*(row[:-1] for row in rows)):
        if all(cell.lstrip("-").isdigit() for cell in cells):
            columns.append(np.array(cells, float))
        else:
            columns += [np.array([cell == name for cell in cells], float) for name in sorted(set(cells))]
    return np.stack(columns, axis=1), np.array([row[-1].rstrip(".") for row in rows])


RECIPES = {
    "iris": Recipe(lambda d: read_numbers(d, "iris.csv", True), (16,), 0.01, 32, 60, 0.3),
    "wdbc": Recipe(lambda d: read_numbers(d, "wdbc.csv", True), (16,), 0.01, 32, 60, 0.3),
    "wine": Recipe(lambda d: read_numbers(d, "winequality-red.csv", False), (32,), 0.003, 32, 40, 0.3),
    "adult": Recipe(read_adult, (32,), 0.001, 128, 10, None),
    "mnist10k": Recipe(read_mnist, (128,), 0.001, 128, 15, 0.2),
}


def split(recipe, rows, seed):
    """(training rows, test rows)."""
    if recipe.test_ratio is None:
        return np.arange(rows - 16281), np.arange(rows - 16281, rows)
    order = np.random.default_rng(seed).permutation(rows)
    count = round(recipe.test_ratio * rows)
    return np.sort(order[count:]), np.sort(order[:count])


def torch_accuracy(recipe, x, y, x_test, y_test, seed):
    torch.manual_seed(seed)
    classes = int(y.max()) + 1
    layers, width = [], x.shape[1]
    for units in recipe.hidden:
        layers += [torch.nn.Linear(width, units), torch.nn.ReLU()]
        width = units
    net = torch.nn.Sequential(*layers, torch.nn.Linear(width, classes))
    optimizer = torch.optim.Adam(net.parameters(), lr=recipe.learning_rate)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    for _ in range(recipe.epochs):
        for rows in torch.randperm(len(y)).split(recipe.batch):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
    with torch.no_grad():
        return np.mean(net(torch.tensor(x_test, dtype=torch.float32)).numpy().argmax(axis=1) == y_test)


def sklearn_accuracy(recipe, x, y, x_test, y_test, seed):
    net = MLPClassifier(recipe.hidden, alpha=0, learning_rate_init=recipe.learning_rate, batch_size=recipe.batch,
                        max_iter=recipe.epochs, tol=0, n_iter_no_change=recipe.epochs, random_state=seed)
    return net.fit(x, y).score(x_test, y_test)


def own_accuracy(yard, recipe, x, y, x_test, y_test, seed):
    train, test = upload(yard, x, y), upload(yard, x_test, y_test)
    job = yard.train("--dataset", train, "--target", "class", "--hidden", ",".join(map(str, recipe.hidden)), "--learning-rate",
                     str(recipe.learning_rate), "--batch-size", str(recipe.batch), "--epochs", str(recipe.epochs), *PYTORCH_INIT,
                     "--validation-fraction", "0", "--test-fraction", "0", "--seed", str(seed))
    return value_of(yard.call("model", "evaluate", job["model"], "--dataset", test)["metrics"], "accuracy")


def upload(yard, x, y):
    header = [*(f"x{i}" for i in range(x.shape[1])), "class"]
    return yard.upload(header, ([*(f"{v:g}" for v in row), f"c{label}"] for row, label in zip(x, y)))


def compare(name, recipe, args, yard):
    x, labels = recipe.read(args.data)
    y = np.unique(labels, return_inverse=True)[1]
    results = collections.defaultdict(list)
    for seed in range(args.seeds):
        train, test = split(recipe, len(y), seed)
        mean, deviation = x[train].mean(axis=0), x[train].std(axis=0)
        deviation[deviation == 0] = 1
        scaled = ((x[train] - mean) / deviation, y[train], (x[test] - mean) / deviation, y[test])
        results["Trainyard"].append(own_accuracy(yard, recipe, x[train], y[train], x[test], y[test], seed))
        results["PyTorch"].append(torch_accuracy(recipe, *scaled, seed))
        results["scikit-learn"].append(sklearn_accuracy(recipe, *scaled, seed))
    own, peers = statistics.mean(results["Trainyard"]), [statistics.mean(results[p]) for p in ("PyTorch", "scikit-learn")]
    error = math.sqrt(peers[0] * (1 - peers[0]) / len(test))
    within = all(abs(own - peer) <= error for peer in peers)
    print(f"| {name} | {len(train)} / {len(test)} | {own:.4f} | {peers[0]:.4f} | {peers[1]:.4f} | {error:.4f} "
          f"| {'yes' if within else 'NO'} |", flush=True)


def main():
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ConvergenceWarning)
    header = ["data", "rows train / test", "Trainyard", "PyTorch", "scikit-learn", "standard error", "within it"]
    compare_all(__doc__, RECIPES, header, compare)


if __name__ == "__main__":
    main()

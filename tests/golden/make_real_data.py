#!/usr/bin/python3
"""Test accuracy of PyTorch and scikit-learn on tests/data, five splits each: tests/golden/real_data.txt.

Run with Debian's python3-torch and python3-sklearn: /usr/bin/python3 tests/golden/make_real_data.py

The network is the one of tests/core/train/real_data_test.cc: one hidden layer of 16 ReLU, Adam with learning rate 0.01 and
its defaults, batches of 32, 60 epochs, no regularisation; features standardised by the training rows. Initial weights and
the order of rows are each library's own. The split (30 % test rows) is drawn here and written down, so that all three have
the same one.

Blocks as in make_losses.py: `key values...` lines, an empty line after each.
"""
import csv
import pathlib
import warnings

import numpy as np
import sklearn
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

TESTS = pathlib.Path(__file__).resolve().parent.parent
SEEDS, TEST_RATIO = range(5), 0.3
HIDDEN, LR, BATCH, EPOCHS = 16, 0.01, 32, 60


def read(name):
    with open(TESTS / "data" / f"{name}.csv", encoding="ascii") as file:
        rows = list(csv.reader(file))[1:]
    classes = sorted({row[-1] for row in rows})
    x = np.array([[float(v) for v in row[:-1]] for row in rows])
    return x, np.array([classes.index(row[-1]) for row in rows])


def torch_accuracy(x, y, x_test, y_test, seed):
    torch.manual_seed(seed)
    binary = y.max() == 1
    net = torch.nn.Sequential(torch.nn.Linear(x.shape[1], HIDDEN), torch.nn.ReLU(),
                              torch.nn.Linear(HIDDEN, 1 if binary else int(y.max()) + 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=LR)
    x, x_test = torch.tensor(x, dtype=torch.float32), torch.tensor(x_test, dtype=torch.float32)
    y = torch.tensor(y)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(y)).split(BATCH):
            optimizer.zero_grad()
            z = net(x[rows])
            loss = (torch.nn.functional.binary_cross_entropy_with_logits(z[:, 0], y[rows].float()) if binary else
                    torch.nn.functional.cross_entropy(z, y[rows]))
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        z = net(x_test).numpy()
    return np.mean((z[:, 0] > 0 if binary else z.argmax(axis=1)) == y_test)


def sklearn_accuracy(x, y, x_test, y_test, seed):
    net = MLPClassifier((HIDDEN,), alpha=0, learning_rate_init=LR, batch_size=BATCH, max_iter=EPOCHS, tol=0,
                        n_iter_no_change=EPOCHS, random_state=seed)
    return net.fit(x, y).score(x_test, y_test)


def main():
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ConvergenceWarning)
    with open(TESTS / "golden" / "real_data.txt", "w", encoding="ascii") as out:
        print(f"# made by tests/golden/make_real_data.py with PyTorch {torch.__version__}, "
              f"scikit-learn {sklearn.__version__}", file=out)
        for name in ("wdbc", "iris"):
            x, y = read(name)
            for seed in SEEDS:
                order = np.random.default_rng(seed).permutation(len(y))
                test = np.sort(order[:round(TEST_RATIO * len(y))])
                train = np.setdiff1d(np.arange(len(y)), test)
                mean, deviation = x[train].mean(axis=0), x[train].std(axis=0)
                parts = ((x[train] - mean) / deviation, y[train], (x[test] - mean) / deviation, y[test])
                print(f"data {name}\nseed {seed}\ntest_rows {' '.join(map(str, test))}", file=out)
                print(f"pytorch_accuracy {torch_accuracy(*parts, seed)!r}", file=out)
                print(f"sklearn_accuracy {sklearn_accuracy(*parts, seed)!r}\n", file=out)


if __name__ == "__main__":
    main()

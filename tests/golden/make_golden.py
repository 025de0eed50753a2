#!/usr/bin/python3
"""Writes tests/golden/loss_curves/*.txt: what PyTorch makes of 50 steps from given weights.

Run from anywhere: /usr/bin/python3 tests/golden/make_golden.py. Needs PyTorch (1.13 made the files in the tree).
The order of the rows is Trainyard's, written here a second time and independently: Philox 4x32-10 and Fisher-Yates.

File format, one item a line, numbers as decimal text that reads back as the same float32:
  # comment
  task|optimizer|activation NAME        batch_size|epochs|seed|features|outputs N       hidden N...
  lr|momentum|weight_decay X
  x ROW...              one line a row
  y VALUE...            all rows (class indices, 0/1 or numbers)
  order ROW...          one line an epoch
  initial_weights L ... [in, out] row-major; initial_biases L ...; final_weights L ...; final_biases L ...
  losses X...           one a step
"""
import pathlib

import numpy as np
import torch

MASK32 = 0xFFFFFFFF
SHUFFLE_STREAM = 3


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & MASK32, (p0 >> 32) ^ c[3] ^ k[1], p0 & MASK32]
        k = [(k[0] + 0x9E3779B9) & MASK32, (k[1] + 0xBB67AE85) & MASK32]
    return c


def words(seed, stream, substream):
    """64-bit random words of core/base/rng.h."""
    key = (seed & MASK32, (seed >> 32) ^ ((stream * 0x85EBCA6B) & MASK32))
    block = 0
    while True:
        r = philox((block & MASK32, block >> 32, substream & MASK32, substream >> 32), key)
        yield r[1] << 32 | r[0]
        yield r[3] << 32 | r[2]
        block += 1


def below(source, n):
    """Uniform in [0, n), Lemire's rejection."""
    product = next(source) * n
    while product & (2**64 - 1) < (2**64 - n) % n:
        product = next(source) * n
    return product >> 64


def epoch_order(rows, seed, epoch):
    order = list(range(rows))
    source = words(seed, SHUFFLE_STREAM, epoch)
    for i in range(rows, 1, -1):
        j = below(source, i)
        order[i - 1], order[j] = order[j], order[i - 1]
    return order


ROWS, FEATURES, BATCH, EPOCHS = 37, 5, 8, 10  # 5 steps an epoch, the last of 5 rows
OPTIMIZERS = {
    "sgd": dict(optimizer="sgd", lr=0.1, momentum=0.0, weight_decay=0.0),
    "sgd_momentum": dict(optimizer="sgd", lr=0.05, momentum=0.9, weight_decay=0.0),
    "sgd_momentum_decay": dict(optimizer="sgd", lr=0.05, momentum=0.9, weight_decay=0.01),
    "adam": dict(optimizer="adam", lr=0.01, momentum=0.0, weight_decay=0.0),
    "adam_decay": dict(optimizer="adam", lr=0.01, momentum=0.0, weight_decay=0.05),
}
TASKS = {
    "binary": dict(outputs=1, activation="tanh", hidden=[6]),
    "multiclass": dict(outputs=3, activation="relu", hidden=[8, 6]),
    "regression": dict(outputs=1, activation="sigmoid", hidden=[7]),
}
ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}


def make_data(task, rng):
    x = rng.standard_normal((ROWS, FEATURES)).astype(np.float32)
    scores = x @ rng.standard_normal((FEATURES, 3)) + 0.3 * rng.standard_normal((ROWS, 3))
    if task == "binary":
        return x, (scores[:, 0] > 0).astype(np.float32)
    if task == "multiclass":
        return x, scores.argmax(axis=1)
    return x, scores[:, 0].astype(np.float32)


def forward(layers, activation, x):
    for i, (w, b) in enumerate(layers):
        x = x @ w + b
        if i + 1 < len(layers):
            x = ACTIVATIONS[activation](x)
    return x


def loss_of(task, outputs, y):
    if task == "multiclass":
        return torch.nn.functional.cross_entropy(outputs, y)
    if task == "binary":
        return torch.nn.functional.binary_cross_entropy_with_logits(outputs[:, 0], y)
    return torch.nn.functional.mse_loss(outputs[:, 0], y)


def make_optimizer(layers, o):
    groups = [
        dict(params=[w for w, _ in layers], weight_decay=o["weight_decay"]),
        dict(params=[b for _, b in layers], weight_decay=0.0),
    ]
    if o["optimizer"] == "adam":
        return torch.optim.Adam(groups, lr=o["lr"])
    return torch.optim.SGD(groups, lr=o["lr"], momentum=o["momentum"])


def numbers(values):
    return " ".join(f"{float(v):.9g}" for v in np.asarray(values).ravel())


def write_layers(out, prefix, layers):
    for i, (w, b) in enumerate(layers):
        print(f"{prefix}_weights {i} {numbers(w.detach())}", file=out)
        print(f"{prefix}_biases {i} {numbers(b.detach())}", file=out)


def make(path, task, t, o, seed):
    rng = np.random.default_rng(seed)
    x, y = make_data(task, rng)
    sizes = [FEATURES, *t["hidden"], t["outputs"]]
    layers = []
    for n_in, n_out in zip(sizes, sizes[1:]):
        w = (rng.standard_normal((n_in, n_out)) / np.sqrt(n_in)).astype(np.float32)
        b = (0.1 * rng.standard_normal(n_out)).astype(np.float32)
        layers.append((torch.tensor(w, requires_grad=True), torch.tensor(b, requires_grad=True)))
    orders = [epoch_order(ROWS, seed, epoch) for epoch in range(EPOCHS)]
    with open(path, "w", encoding="ascii") as out:
        print(f"# made by tests/golden/make_golden.py with PyTorch {torch.__version__}", file=out)
        print(f"task {task}\noptimizer {o['optimizer']}\nactivation {t['activation']}", file=out)
        print(f"batch_size {BATCH}\nepochs {EPOCHS}\nseed {seed}\nfeatures {FEATURES}", file=out)
        print(f"outputs {t['outputs']}\nhidden {' '.join(map(str, t['hidden']))}", file=out)
        print(f"lr {o['lr']}\nmomentum {o['momentum']}\nweight_decay {o['weight_decay']}", file=out)
        for row in x:
            print("x", numbers(row), file=out)
        print("y", numbers(y), file=out)
        for order in orders:
            print("order", *order, file=out)
        write_layers(out, "initial", layers)
        losses = train(task, t, layers, make_optimizer(layers, o), x, y, orders)
        write_layers(out, "final", layers)
        print("losses", numbers(losses), file=out)


def train(task, t, layers, optimizer, x, y, orders):
    x, y, losses = torch.tensor(x), torch.tensor(y), []
    for order in orders:
        for begin in range(0, ROWS, BATCH):
            rows = order[begin:begin + BATCH]
            optimizer.zero_grad()
            loss = loss_of(task, forward(layers, t["activation"], x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


def main():
    torch.set_num_threads(1)
    folder = pathlib.Path(__file__).resolve().parent / "loss_curves"
    folder.mkdir(exist_ok=True)
    seed = 2**40 + 17
    for task, t in TASKS.items():
        for name, o in OPTIMIZERS.items():
            make(folder / f"{task}_{name}.txt", task, t, o, seed)
            seed += 1


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Golden values of losses and metrics: tests/golden/losses.txt from PyTorch, tests/golden/metrics.txt from scikit-learn.

Run with Debian's python3-torch and python3-sklearn: /usr/bin/python3 tests/golden/make_losses.py

Computed in float64 from inputs that are exact float32. What PyTorch 1.13 lacks (quantile, binary hinge) is written out
here with autograd for the gradient. Weighted means are divided by the sum of the weights of the rows; of PyTorch's losses
only CrossEntropyLoss does so itself, and there its own mean is taken.

Both files are blocks of `key values...` lines, each block ended by an empty line. Numbers read back as the same float64.
"""
import pathlib

import numpy as np
import sklearn
import sklearn.metrics as skm
import torch
import torch.nn.functional as F

FOLDER = pathlib.Path(__file__).resolve().parent
ROWS = 23
SMOOTHING, DELTA, QUANTILE = 0.15, 0.75, 0.3


def text(values):
    return " ".join(repr(float(v)) for v in np.asarray(values, dtype=np.float64).ravel())


def float32(values):
    return np.asarray(values, dtype=np.float32).astype(np.float64)


def block(out, **items):
    for key, value in items.items():
        if value is not None:
            print(key, value if isinstance(value, (str, int)) else text(value), file=out)
    print(file=out)


# Each takes z [rows, outputs], y and class weights (or None); gives the rows' losses and the weights of the rows by class.
def bce(z, y, w):
    losses = F.binary_cross_entropy_with_logits(z[:, 0], y, reduction="none")
    of_class = torch.ones_like(y) if w is None else w[y.long()]
    return losses * of_class, of_class


def bce_labels(z, y, w):
    losses = F.binary_cross_entropy_with_logits(z, y, reduction="none", pos_weight=w)
    return losses.mean(dim=1), torch.ones(len(y), dtype=torch.float64)


def softmax(smoothing):
    def rows(z, y, w):
        losses = F.cross_entropy(z, y, weight=w, reduction="none", label_smoothing=smoothing)
        return losses, torch.ones(len(y), dtype=torch.float64) if w is None else w[y]
    return rows


def hinge(z, y, w):
    losses = torch.clamp(1 - (2 * y - 1) * z[:, 0], min=0)
    of_class = torch.ones_like(y) if w is None else w[y.long()]
    return losses * of_class, of_class


def margin(z, y, w):
    losses = F.multi_margin_loss(z, y, weight=w, reduction="none")
    return losses, torch.ones(len(y), dtype=torch.float64) if w is None else w[y]


def regression(function):
    def rows(z, y, w):
        return function(z[:, 0], y), torch.ones_like(y)
    return rows


def pinball(z, y):
    return torch.maximum(QUANTILE * (y - z), (QUANTILE - 1) * (y - z))


# name: (trainyard.v1.Loss, rows' losses, outputs, targets, class weights fit)
LOSSES = {
    "binary": (1, bce, 1, "binary", True),
    "labels": (1, bce_labels, 4, "labels", True),
    "softmax": (2, softmax(0.0), 5, "classes", True),
    "softmax_smoothed": (2, softmax(SMOOTHING), 5, "classes", True),
    "squared": (3, regression(lambda z, y: F.mse_loss(z, y, reduction="none")), 1, "numbers", False),
    "absolute": (4, regression(lambda z, y: F.l1_loss(z, y, reduction="none")), 1, "numbers", False),
    "huber": (5, regression(lambda z, y: F.huber_loss(z, y, reduction="none", delta=DELTA)), 1, "numbers", False),
    "quantile": (6, regression(pinball), 1, "numbers", False),
    "poisson": (7, regression(lambda z, y: F.poisson_nll_loss(z, y, reduction="none")), 1, "counts", False),
    "hinge": (8, hinge, 1, "binary", True),
    "margin": (8, margin, 5, "classes", True),
}


def make_targets(kind, rng, outputs, rows):
    if kind == "binary":
        return rng.integers(0, 2, rows).astype(np.float64)
    if kind == "labels":
        return rng.integers(0, 2, (rows, outputs)).astype(np.float64)
    if kind == "classes":
        return rng.integers(0, outputs, rows)
    if kind == "counts":
        return rng.poisson(2, rows).astype(np.float64)
    return float32(2 * rng.standard_normal(rows))


def write_loss(out, name, rng, weighted, by_class):
    number, rows_of, outputs, kind, _ = LOSSES[name]
    z = torch.tensor(float32(2 * rng.standard_normal((ROWS, outputs))), requires_grad=True)
    y = make_targets(kind, rng, outputs, ROWS)
    s = float32(rng.uniform(0, 3, ROWS)) if weighted else None
    if weighted:
        s[3] = 0
    classes = 2 if kind == "binary" else outputs
    w = float32(rng.uniform(0.2, 4, classes)) if by_class else None
    wt = None if w is None else torch.tensor(w)
    rows, of_class = rows_of(z, torch.tensor(y), wt)
    st = torch.ones(ROWS, dtype=torch.float64) if s is None else torch.tensor(s)
    loss = (st * rows).sum() / (st * of_class).sum()
    if name.startswith("softmax") and not weighted:
        smoothing = SMOOTHING if name.endswith("smoothed") else 0.0
        loss = F.cross_entropy(z, torch.tensor(y), weight=wt, label_smoothing=smoothing)
    loss.backward()
    block(out, case=name + ("_weights" if weighted else "") + ("_classes" if by_class else ""), loss_kind=number,
          outputs=outputs, label_smoothing=repr(SMOOTHING if name.endswith("smoothed") else 0.0), z=z.detach(), y=y,
          weights=s, class_weights=w, loss=[loss.item()], gradient=z.grad)


def make_losses():
    rng = np.random.default_rng(11)
    with open(FOLDER / "losses.txt", "w", encoding="ascii") as out:
        print(f"# made by tests/golden/make_losses.py with PyTorch {torch.__version__}", file=out)
        print(f"# delta {DELTA}, quantile {QUANTILE}", file=out)
        for name, (_, _, _, _, classes_fit) in LOSSES.items():
            for weighted in (False, True):
                for by_class in (False, True) if classes_fit else (False,):
                    write_loss(out, name, rng, weighted, by_class)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def binary_metrics(z, y, s):
    p, yes = sigmoid(z[:, 0]), (z[:, 0] > 0).astype(float)
    y = y.astype(float)
    values = choice_metrics(y, yes, s, average="binary")
    values["roc_auc"] = skm.roc_auc_score(y, p, sample_weight=s)
    values["pr_auc"] = skm.average_precision_score(y, p, sample_weight=s)
    values["log_loss"] = skm.log_loss(y, p, sample_weight=s)
    values["brier"] = skm.brier_score_loss(y, p, sample_weight=s)
    return values, skm.confusion_matrix(y, yes, sample_weight=s)


def choice_metrics(y, predicted, s, average):
    precision, recall, f1, _ = skm.precision_recall_fscore_support(
        y, predicted, average=average, sample_weight=s, zero_division=0)
    return {
        "accuracy": skm.accuracy_score(y, predicted, sample_weight=s),
        "balanced_accuracy": skm.balanced_accuracy_score(y, predicted, sample_weight=s),
        "precision": precision, "recall": recall, "f1": f1,
        "f1_micro": skm.f1_score(y, predicted, average="micro", sample_weight=s),
    }


def multiclass_metrics(z, y, s):
    classes = list(range(z.shape[1]))
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    one_hot = np.eye(len(classes))[y]
    p = p.round(14)  # equal probabilities must not differ by the rounding of their sums
    values = choice_metrics(y, z.argmax(axis=1), s, average="macro")
    values["roc_auc"] = skm.roc_auc_score(y, p, multi_class="ovr", sample_weight=s)
    values["pr_auc"] = skm.average_precision_score(one_hot, p, sample_weight=s)
    values["log_loss"] = skm.log_loss(y, p, labels=classes, sample_weight=s)
    values["brier"] = np.average(((p - one_hot) ** 2).sum(axis=1), weights=s)
    for k in (2, 3, 5):
        if len(classes) > k:
            ranked = p - 1e-9 * np.arange(len(classes))  # of equal scores the first class first; scikit-learn has the last
            values[f"top_{k}_accuracy"] = skm.top_k_accuracy_score(y, ranked, k=k, labels=classes, sample_weight=s)
    return values, skm.confusion_matrix(y, z.argmax(axis=1), labels=classes, sample_weight=s)


def label_metrics(z, y, s):
    p, yes = sigmoid(z), (z > 0).astype(float)
    repeated = None if s is None else np.repeat(s, z.shape[1])
    flat = y.ravel(), p.ravel()
    macro, micro = (skm.precision_recall_fscore_support(y, yes, average=average, sample_weight=s, zero_division=0)
                    for average in ("macro", "micro"))
    return {
        "accuracy": skm.accuracy_score(y.ravel(), yes.ravel(), sample_weight=repeated),
        "exact_match": skm.accuracy_score(y, yes, sample_weight=s),
        "precision": macro[0], "recall": macro[1], "f1": macro[2],
        "precision_micro": micro[0], "recall_micro": micro[1], "f1_micro": micro[2],
        "roc_auc": skm.roc_auc_score(y, p, sample_weight=s),
        "pr_auc": skm.average_precision_score(y, p, sample_weight=s),
        "log_loss": skm.log_loss(*flat, sample_weight=repeated),
        "brier": skm.brier_score_loss(*flat, sample_weight=repeated),
    }, None


def error_metrics(z, y, s):
    value = z[:, 0]
    return {
        "rmse": np.sqrt(skm.mean_squared_error(y, value, sample_weight=s)),
        "mae": skm.mean_absolute_error(y, value, sample_weight=s),
        "r2": skm.r2_score(y, value, sample_weight=s),
        "mape": skm.mean_absolute_percentage_error(y, value, sample_weight=s),
    }, None


# name: (trainyard.v1.Task, metrics, outputs, targets)
TASKS = {
    "binary": (1, binary_metrics, 1, "binary"),
    "multiclass": (2, multiclass_metrics, 3, "classes"),
    "many_classes": (2, multiclass_metrics, 7, "classes"),
    "regression": (3, error_metrics, 1, "numbers"),
    "labels": (4, label_metrics, 4, "labels"),
}


def signal(kind, y, outputs):
    """Logits that lean towards the targets, so that no metric is that of chance."""
    if kind == "classes":
        return np.eye(outputs)[y]
    if kind == "numbers":
        return y[:, None]
    return (2 * y - 1).reshape(len(y), outputs)


def write_metrics(out, name, rng, weighted):
    number, metrics_of, outputs, kind = TASKS[name]
    rows = 60
    y = make_targets(kind, rng, outputs, rows)
    # Multiples of 1/8: scores that are equal, which is where rankings differ, and exact in float32. (Tenths are not: scores then
    # differ by 1e-9, which scikit-learn's float64 tells apart and the float32 scores of EvalMeter do not.)
    z = np.round(8 * (signal(kind, y, outputs) + rng.standard_normal((rows, outputs)))) / 8
    s = float32(rng.uniform(0, 3, rows)) if weighted else None
    values, confusion = metrics_of(z, y, s)
    names = list(values)
    block(out, case=name + ("_weights" if weighted else ""), task=number, outputs=outputs, z=z, y=y, weights=s,
          confusion=confusion, metric_names=" ".join(names), metric_values=[values[n] for n in names])


def make_metrics():
    rng = np.random.default_rng(12)
    with open(FOLDER / "metrics.txt", "w", encoding="ascii") as out:
        print(f"# made by tests/golden/make_losses.py with scikit-learn {sklearn.__version__}", file=out)
        for name in TASKS:
            for weighted in (False, True):
                write_metrics(out, name, rng, weighted)


if __name__ == "__main__":
    torch.set_num_threads(1)
    make_losses()
    make_metrics()

"""The workloads of train_bench.cc, for the peers: same sizes, batches, losses and optimizers; synthetic data."""
import collections

import numpy as np

Workload = collections.namedtuple("Workload", "rows features hidden activation classes batch optimizer dropout")

WORKLOADS = {
    "logreg": Workload(569, 30, (), "relu", 1, 32, "sgd", 0.0),
    "tiny": Workload(1000, 2, (3,), "sigmoid", 1, 16, "sgd", 0.0),
    "seminar": Workload(100, 2, (100, 100), "relu", 1, 100, "sgd", 0.0),
    "fmnist": Workload(60000, 784, (256, 128), "relu", 10, 128, "adam", 0.0),
    "fmnistdo": Workload(60000, 784, (100, 100), "relu", 10, 128, "adam", 0.3),
    "higgs100": Workload(100000, 28, (300, 300, 300, 300), "relu", 1, 100, "sgd", 0.0),
    "higgs1024": Workload(102400, 28, (300, 300, 300, 300), "relu", 1, 1024, "sgd", 0.0),
    "wide": Workload(4096, 1024, (4096, 4096), "relu", 10, 512, "adam", 0.0),
}


def make_data(workload):
    """Standard normal features, and the class of the best of some random linear scores."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((workload.rows, workload.features), dtype=np.float32)
    scores = x @ rng.standard_normal((workload.features, workload.classes), dtype=np.float32)
    if workload.classes == 1:
        return x, (scores[:, 0] > 0).astype(np.float32)
    return x, scores.argmax(axis=1)

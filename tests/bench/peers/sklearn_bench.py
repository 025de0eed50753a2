"""How fast scikit-learn's MLPClassifier trains a workload of train_bench.

  /usr/bin/python3 sklearn_bench.py WORKLOAD [--threads N] [--seconds S]

One JSON line as torch_bench.py's. It has no dropout: fmnistdo is trained without, which flatters it. Without hidden layers it is a
softmax or logistic regression all the same. The number of BLAS threads is that of the environment (compare.sh sets it).
"""
import argparse
import json
import time
import warnings

from sklearn.neural_network import MLPClassifier

import workloads


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", choices=workloads.WORKLOADS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2)
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # it says after each epoch that it has not converged
    w = workloads.WORKLOADS[args.workload]
    x, y = workloads.make_data(w)
    activation = "relu" if w.activation == "relu" else "logistic"
    net = MLPClassifier(w.hidden, activation=activation, solver=w.optimizer, batch_size=w.batch, momentum=0.9,
                        nesterovs_momentum=False, alpha=0, max_iter=1, warm_start=True, tol=0, random_state=1)
    net.fit(x, y)
    epochs, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < args.seconds:
        net.fit(x, y)
        epochs += 1
    steps = epochs * -(-w.rows // w.batch)
    print(json.dumps({"peer": "scikit-learn", "variant": "MLPClassifier", "workload": args.workload,
                      "threads": args.threads, "steps_per_s": round(steps / (time.perf_counter() - begin), 2)}))


if __name__ == "__main__":
    main()

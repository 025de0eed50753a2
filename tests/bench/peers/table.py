"""Prints the table of compare.sh from its JSON lines: medians over the rounds and ratios to the strongest PyTorch variant.

  /usr/bin/python3 table.py compare.jsonl

With two threads PyTorch's strongest is the better of one and two threads, when both were measured.
"""
import collections
import json
import statistics
import sys


def read(path):
    speeds, shares = collections.defaultdict(list), collections.defaultdict(list)
    for line in open(path, encoding="utf-8"):
        r = json.loads(line)
        program = r.get("peer") or "trainyard " + r["precision"]
        speeds[r["workload"], r["threads"], program, r.get("variant")].append(r["steps_per_s"])
        if "gemm_peak_fraction" in r:
            shares[r["workload"], r["threads"], program].append(r["gemm_peak_fraction"])
    return ({k: statistics.median(v) for k, v in speeds.items()}, {k: statistics.median(v) for k, v in shares.items()})


def strongest(speeds, workload, threads):
    """(speed, variant, threads) of the fastest PyTorch on at most so many threads."""
    return max((speed, variant, t) for (w, t, program, variant), speed in speeds.items()
               if w == workload and program == "pytorch" and t <= threads)


def number(value):
    return "–" if value is None else f"{value:,.0f}".replace(",", " ") if value >= 100 else f"{value:.2f}"


def main():
    speeds, shares = read(sys.argv[1])
    print("| workload | threads | Trainyard fp32 | of GEMM peak | bf16 | PyTorch strongest | as written | scikit-learn "
          "| ratio | bf16 / fp32 |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    cases = dict.fromkeys((w, t) for w, t, _, _ in speeds)
    for workload, threads in cases:
        get = lambda program, variant=None: speeds.get((workload, threads, program, variant))
        fp32, bf16 = get("trainyard fp32"), get("trainyard bf16")
        best, variant, best_threads = strongest(speeds, workload, threads)
        share = shares.get((workload, threads, "trainyard fp32"))
        print(f"| {workload} | {threads} | {number(fp32)} | {share:.0%} | {number(bf16)} "
              f"| {number(best)} ({variant}, {best_threads}) | {number(get('pytorch', 'as_written'))} "
              f"| {number(get('scikit-learn', 'MLPClassifier'))} | {fp32 / best:.2f} "
              f"| {'–' if bf16 is None else f'{bf16 / fp32:.2f}'} |")


if __name__ == "__main__":
    main()

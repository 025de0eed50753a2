#!/bin/bash
# Trainyard's Trainer, PyTorch and scikit-learn side by side: tests/bench/compare.sh [options]
#   --workloads "a b …"  default: all eight         --threads "1 2"  default: 1
#   --rounds R           default: 5                 --seconds S      of each program in each round, default: 2
#   --build DIR          default: build/release     --bf16           Trainyard in bf16 too
#   --no-sklearn         leave it out
# Each round runs every program once, in turns, so that a busy neighbour slows all alike; the table has medians over the rounds and
# ratios to the strongest PyTorch variant (tests/bench/README.md). JSON lines go to compare.jsonl beside train_bench.
set -euo pipefail
cd "$(dirname "$0")/../.."

workloads="logreg tiny seminar fmnist fmnistdo higgs100 higgs1024 wide" threads="1" rounds=5 seconds=2 build=build/release
bf16=no sklearn=yes
while [[ $# -gt 0 ]]; do
  case $1 in
    --workloads) workloads=$2; shift 2 ;;
    --threads) threads=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    --build) build=$2; shift 2 ;;
    --bf16) bf16=yes; shift ;;
    --no-sklearn) sklearn=no; shift ;;
    *) sed -n '2,8s/^# \?//p' "$0" >&2; exit 2 ;;
  esac
done
bench=$build/tests/bench/train_bench python=/usr/bin/python3 out=$build/tests/bench/compare.jsonl

die() { echo "compare.sh: $1" >&2; exit 1; }
[[ -x $bench ]] || die "no $bench: cmake --preset release && cmake --build --preset release"
$python -c 'import torch, sklearn' 2>/dev/null || die "PyTorch or scikit-learn is missing: apt-get install python3-torch python3-sklearn"
# The peers' best: OpenBLAS on the same OpenMP runtime as PyTorch, not held to an older CPU, and a malloc that keeps its memory.
[[ -e /usr/lib/x86_64-linux-gnu/openblas-openmp ]] || die "the peers need their fastest BLAS: apt-get install libopenblas0-openmp"
unset OPENBLAS_CORETYPE OMP_WAIT_POLICY
export LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu/openblas-openmp ATEN_CPU_CAPABILITY=avx512
export MALLOC_TRIM_THRESHOLD_=$((1 << 30)) MALLOC_MMAP_THRESHOLD_=$((1 << 30)) MALLOC_TOP_PAD_=$((64 << 20))

run_round() {  # WORKLOAD THREADS
  "$bench" "$1" --threads "$2" --seconds "$seconds" --repeats 1
  if [[ $bf16 == yes ]]; then "$bench" "$1" --threads "$2" --seconds "$seconds" --repeats 1 --precision bf16; fi
  OMP_NUM_THREADS=$2 $python tests/bench/peers/torch_bench.py "$1" --threads "$2" --seconds "$seconds"
  if [[ $sklearn == yes ]]; then
    OMP_NUM_THREADS=$2 $python tests/bench/peers/sklearn_bench.py "$1" --threads "$2" --seconds "$seconds"
  fi
}

: >"$out"
for ((round = 1; round <= rounds; ++round)); do
  for count in $threads; do
    for workload in $workloads; do
      echo "round $round of $rounds: $workload, $count thread(s)" >&2
      run_round "$workload" "$count" >>"$out"
    done
  done
done
$python tests/bench/peers/table.py "$out"

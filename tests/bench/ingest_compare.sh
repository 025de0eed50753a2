#!/bin/bash
# CSV ingest beside pandas.read_csv (C engine) on one core: tests/bench/ingest_compare.sh [options]
#   --numeric-mb N   size of the numeric file, default: 1000     --rounds R    default: 5
#   --adult-mb N     size of the Adult file, default: 500        --repeats N   of each program in each round, default: 3
#   --adult FILE     UCI's adult.data; without it only numeric   --core C      default: 0
#   --dir DIR        for the files, default: BUILD/ingest        --build DIR   default: build/release
# Each round runs both programs on each file, in turns and pinned to the core. One JSON line per file: medians over the rounds of the
# ratio of processor times (`ratio`), of the wall clock, and of the time for reading the bytes once to the time of ingest.
set -euo pipefail
cd "$(dirname "$0")/../.."

numeric_mb=1000 adult_mb=500 adult="" rounds=5 repeats=3 core=0 build=build/release dir=""
while [[ $# -gt 1 ]]; do
  case $1 in
    --numeric-mb) numeric_mb=$2 ;;
    --adult-mb) adult_mb=$2 ;;
    --adult) adult=$2 ;;
    --rounds) rounds=$2 ;;
    --repeats) repeats=$2 ;;
    --core) core=$2 ;;
    --dir) dir=$2 ;;
    --build) build=$2 ;;
    *) break ;;
  esac
  shift 2
done
if [[ $# -gt 0 ]]; then sed -n '2,8s/^# \?//p' "$0" >&2; exit 2; fi
dir=${dir:-$build/ingest}
bench=$build/tests/bench/ingest_bench peer="/usr/bin/python3 tests/bench/peers/ingest_peer.py"

die() { echo "ingest_compare.sh: $1" >&2; exit 1; }
[[ -x $bench ]] || die "no $bench: cmake --preset release && cmake --build --preset release --target ingest_bench"
/usr/bin/python3 -c 'import pandas' 2>/dev/null || die "pandas is missing: apt-get install python3-pandas"

mkdir -p "$dir"
kinds=numeric
[[ -e $dir/numeric-$numeric_mb.csv ]] || $peer make numeric "$dir/numeric-$numeric_mb.csv" "$numeric_mb"
if [[ -n $adult ]]; then
  kinds="numeric adult"
  [[ -e $dir/adult-$adult_mb.csv ]] || $peer make adult "$dir/adult-$adult_mb.csv" "$adult_mb" "$adult"
fi

out=$dir/compare.jsonl
: >"$out"
for ((round = 1; round <= rounds; ++round)); do
  for kind in $kinds; do
    size=$numeric_mb
    if [[ $kind == adult ]]; then size=$adult_mb; fi
    file=$dir/$kind-$size.csv
    echo "round $round of $rounds: $file" >&2
    taskset -c "$core" "$bench" "$file" "$repeats" >>"$out"
    taskset -c "$core" $peer read "$file" "$kind" "$repeats" >>"$out"
  done
done
$peer ratio "$out"

#!/usr/bin/env bash
# From a bare Debian 12 to a trained model: installs packages, builds, starts a server, trains, predicts, shows metrics.
# Run it again as often as you like; the second time takes seconds.
#
#   deploy/quickstart.sh [options] [-- options of `trainyard train` instead of the ones shown]
#
#   --keep-running    leave the server running at the end, and say how to use and stop it
#   --data-dir DIR    where the server keeps its data (default: data/quickstart in the repository)
#   --no-install      do not install packages
#   --bin DIR         use the binaries in DIR: neither install nor build
set -euo pipefail
export LC_ALL=C

accuracy_min=0.95
root=$(cd "$(dirname "$0")/.." && pwd)
build_dir=$root/build/quickstart
data_dir=$root/data/quickstart
bin=
install=yes
keep_running=no
# Larger and slower to learn than this table needs, so that there is something to watch for a second or so.
train_options=(--hidden 512,256 --activation relu --optimizer adam --learning-rate 0.0003 --weight-decay 0.01 --batch-size 16
  --epochs 60 --stratify --seed 7)
server_pid=

usage() { sed -n '2,11s/^# \{0,1\}//p' "$0"; }
say() { printf '\n== %s\n' "$*"; }
fail() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }
refuse() { printf 'quickstart: %s\n' "$*" >&2; usage >&2; exit 2; }

# Shows a command as one would type it, then runs it.
show() {
  printf '$ %s\n' "${*/#$bin\//}"
  "$@"
}

parse_options() {
  while [[ $# -gt 0 ]]; do
    case "$1" in
      -h | --help) usage; exit 0 ;;
      --keep-running) keep_running=yes ;;
      --no-install) install=no ;;
      --data-dir | --bin)
        [[ $# -ge 2 ]] || refuse "$1 needs a folder"
        mkdir -p "$2"
        if [[ $1 == --bin ]]; then bin=$(cd "$2" && pwd); else data_dir=$(cd "$2" && pwd); fi
        shift ;;
      --) shift; train_options=("$@"); return ;;
      *) refuse "unknown option '$1'" ;;
    esac
    shift
  done
}

build() {
  if [[ $install == yes ]]; then
    say "packages"
    "$root/deploy/install-deps.sh"
  fi
  say "build (release, $(nproc) cores; minutes the first time)"
  mkdir -p "$build_dir"
  cmake -S "$root" -B "$build_dir" -G Ninja -DCMAKE_BUILD_TYPE=Release -DTY_TESTS=OFF -DTY_BENCH=OFF \
    >"$build_dir/configure.log" 2>&1 || { cat "$build_dir/configure.log" >&2; fail "cannot configure the build"; }
  cmake --build "$build_dir" --target trainyard-server trainyard-worker trainyard
  bin=$build_dir/bin
}

# Sends SIGTERM and waits; returns the server's exit status.
stop_server() {
  local pid=$server_pid
  server_pid=
  kill -TERM "$pid" 2>/dev/null || true
  wait "$pid"
}

clean_up() {
  if [[ -n $server_pid ]]; then
    stop_server || true
    tail -n 20 "$data_dir/../$(basename "$data_dir").log" >&2 || true
  fi
}

start_server() {
  say "server"
  local log address_file
  log=$(cd "$data_dir/.." && pwd)/$(basename "$data_dir").log
  address_file=$data_dir.address
  rm -f "$address_file"
  nohup "$bin/trainyard-server" --listen 127.0.0.1:0 --metrics-listen 127.0.0.1:0 --data-dir "$data_dir" \
    --print-address "$address_file" >"$log" 2>&1 </dev/null &
  server_pid=$!
  trap clean_up EXIT
  local tenths
  for ((tenths = 0; tenths < 300; ++tenths)); do
    if [[ -s $address_file ]]; then break; fi
    if ! kill -0 "$server_pid" 2>/dev/null; then fail "the server did not start; its log is $log"; fi
    sleep 0.1
  done
  [[ -s $address_file ]] || fail "the server is not ready after 30 s; its log is $log"
  TRAINYARD_SERVER=$(head -n 1 "$address_file")
  export TRAINYARD_SERVER
  show "$bin/trainyard" server info
  metrics=$("$bin/trainyard" -o json server info | text_field metrics_address)
}

# The first value of a text field in the JSON on stdin.
text_field() { tr ',{\n' '\n\n ' | sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | sed -n 1p; }

# The number called $1 among the test metrics in the JSON on stdin.
test_metric() {
  tr -d ' \n' | sed -n 's/.*"test_metrics":\[\([^]]*\)\].*/\1/p' | tr '}' '\n' |
    sed -n "s/.*\"name\":\"$1\",\"value\":\([0-9.eE+-]*\).*/\1/p"
}

train() {
  say "upload a table"
  show "$bin/trainyard" dataset upload "$root/tests/data/wdbc.csv" --name wdbc
  local dataset job
  dataset=$("$bin/trainyard" -o json dataset list | text_field name)
  say "train a multilayer perceptron"
  echo "\$ trainyard train --dataset $dataset --target diagnosis ${train_options[*]}"
  job=$("$bin/trainyard" -o json train --dataset "$dataset" --target diagnosis "${train_options[@]}" | text_field name)
  [[ -n $job ]] || fail "the job was not accepted"
  show "$bin/trainyard" job watch "$job"

  local finished accuracy
  finished=$("$bin/trainyard" -o json job get "$job")
  accuracy=$(test_metric accuracy <<<"$finished")
  model=$(text_field model <<<"$finished")
  [[ -n $accuracy && -n $model ]] || fail "the job has no test accuracy: $finished"
  awk -v got="$accuracy" -v least="$accuracy_min" 'BEGIN { exit !(got >= least) }' ||
    fail "test accuracy $accuracy is below $accuracy_min"
  say "test accuracy $accuracy (at least $accuracy_min is promised)"
}

predict() {
  say "predict"
  local few=$data_dir.few.csv
  head -n 6 "$root/tests/data/wdbc.csv" >"$few"
  show "$bin/trainyard" model predict "$model" "$few"
  rm -f "$few"
}

show_metrics() {
  say "metrics: http://$metrics/metrics and /metrics/jobs"
  curl -fsS "http://$metrics/metrics" | grep -E '^trainyard_(jobs_finished_total|training_samples_total|build_info)'
  curl -fsS "http://$metrics/metrics/jobs" | grep -E '^trainyard_job_(loss|epoch)' | tail -n 3
}

finish() {
  if [[ $keep_running == yes ]]; then
    say "the server goes on"
    echo "  export TRAINYARD_SERVER=$TRAINYARD_SERVER PATH=$bin:\$PATH    # then: trainyard --help"
    echo "  kill $server_pid                                              # stops it; nothing is lost"
    server_pid=
    return
  fi
  say "stop"
  stop_server || fail "the server ended with status $?; its log is beside $data_dir"
  echo "the server stopped cleanly; data stays in $data_dir. To keep it running: deploy/quickstart.sh --keep-running"
}

main() {
  parse_options "$@"
  [[ -n $bin ]] || build
  mkdir -p "$data_dir"
  start_server
  train
  predict
  show_metrics
  finish
}

main "$@"

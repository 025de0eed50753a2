#!/bin/bash
# kill -9 at random instants over a mixed load, and nothing is lost, doubled or changed:
#   tests/e2e/kill_loop.sh [--rounds N] [--seed S] [--build DIR]
#   --rounds N   kills; default: 200     --seed S   of what is submitted and killed when; default: 1
#   --build DIR  default: build/dev
# Prints one closing line of counts, as JSON, and exits with 1 when lost, duplicated, differing or gaps is not 0.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=build/dev
arguments=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --rounds | --seed) [[ $# -gt 1 ]] || { sed -n '2,6s/^# \?//p' "$0" >&2; exit 2; }; arguments+=("$1" "$2") ;;
    --build) build=${2:?--build needs a directory} ;;
    *) sed -n '2,6s/^# \?//p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
TRAINYARD_BIN=${TRAINYARD_BIN:-$build/bin} exec /usr/bin/python3 -B tests/e2e/kill_loop.py "${arguments[@]}"

#!/bin/bash
# kill -9 at random instants over a mixed load, and nothing is lost, doubled or changed:
#   tests/e2e/kill_loop.sh [--rounds N] [--seed S] [--build DIR]
#   --rounds N   kills; default: 200     --seed S   of what is submitted and killed when; default: 1
#   --build DIR  default: build/dev
# Prints one closing line of counts, as JSON, and exits with 1 when lost, duplicated, differing or gaps is not 0.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/e2e/support/run_python.sh
run_python tests/e2e/kill_loop.py "--rounds --seed" "$@"

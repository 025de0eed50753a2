#!/bin/bash
# Metrics, rules and dashboards against Debian's Prometheus and promtool and a real server under load:
#   tests/e2e/prometheus_check.sh [--build DIR]
#   --build DIR  default: build/dev
# Prints what it looked at in one closing line, as JSON, and exits with 1 when anything is missing, wrong or out of date.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/e2e/support/run_python.sh
run_python tests/e2e/prometheus_check.py "" "$@"

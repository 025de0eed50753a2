#!/bin/bash
# Metrics, rules and dashboards against Debian's Prometheus and promtool and a real server under load:
#   tests/e2e/prometheus_check.sh [--build DIR]
#   --build DIR  default: build/dev
# Prints what it looked at in one closing line, as JSON, and exits with 1 when anything is missing, wrong or out of date.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=build/dev
while [[ $# -gt 0 ]]; do
  case $1 in
    --build) build=${2:?--build needs a directory}; shift 2 ;;
    *) sed -n '2,5s/^# \?//p' "$0" >&2; exit 2 ;;
  esac
done
TRAINYARD_BIN=${TRAINYARD_BIN:-$build/bin} exec /usr/bin/python3 -B tests/e2e/prometheus_check.py

#!/bin/bash
# Random clients against one server, with workers killed, and nothing grows:
#   tests/e2e/soak.sh [--minutes N] [--seed S] [--build DIR]
#   --minutes N  default: 20         --seed S   of who does what when; default: 1
#   --build DIR  default: build/dev
# Prints one closing line, as JSON, and exits with 1 when memory, descriptors or threads have grown, or a call was answered
# with an error that the contract does not have.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=build/dev
arguments=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --minutes | --seed) [[ $# -gt 1 ]] || { sed -n '2,7s/^# \?//p' "$0" >&2; exit 2; }; arguments+=("$1" "$2") ;;
    --build) build=${2:?--build needs a directory} ;;
    *) sed -n '2,7s/^# \?//p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
TRAINYARD_BIN=${TRAINYARD_BIN:-$build/bin} exec /usr/bin/python3 -B tests/e2e/soak.py "${arguments[@]}"

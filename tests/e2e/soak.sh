#!/bin/bash
# Random clients against one server, with workers killed, and nothing grows:
#   tests/e2e/soak.sh [--minutes N] [--seed S] [--build DIR]
#   --minutes N  default: 20         --seed S   of who does what when; default: 1
#   --build DIR  default: build/dev
# Prints one closing line, as JSON, and exits with 1 when memory, descriptors or threads have grown, or a call was answered
# with an error that the contract does not have.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/e2e/support/run_python.sh
run_python tests/e2e/soak.py "--minutes --seed" "$@"

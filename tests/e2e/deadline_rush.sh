#!/bin/bash
# A class hands in before a deadline, by the contract, and every submission must be graded once, with a receipt that holds:
#   tests/e2e/deadline_rush.sh [--students N] [--submissions N] [--minutes M] [--arrivals WHEN] [--rows N] [--features N]
#       [--layers L] [--epochs N] [--seeds N] [--workers N] [--seed S] [--build DIR]
#   --students N      default: 300
#   --submissions N   of each student, every one another spec; default: 3
#   --minutes M       from the first submission to the deadline; default: 10
#   --arrivals WHEN   uniform, growing (more and more towards the deadline) or together (all at once); default: growing
#   --rows N          of the training data, which is synthetic; public and sealed data have a fifth of it each; default: 10000
#   --features N      default: 784
#   --layers L        hidden units, e.g. 100,100 (default)
#   --epochs N        default: 5
#   --seeds N         trainings of a submission; default: 3
#   --workers N       default: one a core
#   --seed S          of data and arrivals; default: 1
#   --build DIR       default: build/dev
# Prints one closing line, as JSON; deadline_rush.py says what its numbers are. Exits with 1 when a submission is lost, doubled, not
# DONE or without points, a receipt does not hold, or an attempt is miscounted.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/e2e/support/run_python.sh
run_python tests/e2e/deadline_rush.py \
  "--students --submissions --minutes --arrivals --rows --features --layers --epochs --seeds --workers --seed" "$@"

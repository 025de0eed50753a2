#!/usr/bin/env bash
# Runs every check of the project from a bare Debian 12 machine: packages, build, all tests. Ends with ctest's summary.
#
#   tests/run.sh [--sanitizers] [ctest arguments, e.g. -L small, -R e2e_crash]
#
# --sanitizers: first the tests without processes under ASan+UBSan, then under TSan (own builds).
set -euo pipefail
cd "$(dirname "$0")/.."

sanitizers=no
ctest_arguments=()
for argument in "$@"; do
  case "$argument" in
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --sanitizers) sanitizers=yes ;;
    *) ctest_arguments+=("$argument") ;;
  esac
done

say() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }

# A preset's build; only warnings, errors and the last line are worth a CI log.
build() {
  say "building preset $1"
  cmake --preset "$1" >"build/$1-configure.log" || { cat "build/$1-configure.log"; return 1; }
  cmake --build --preset "$1" --parallel "$(nproc)" -- --quiet
}

say "packages"
deploy/install-deps.sh --tests
# Without install scripts: none of the packages needs them, and CI should not run them.
for folder in tests/e2e/grpc_js tests/e2e/onnx deploy/grafana/source; do
  say "npm packages of $folder"
  (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
done
mkdir -p build
build dev

if [[ $sanitizers == yes ]]; then
  for preset in asan tsan; do
    build "$preset"
    say "tests of preset $preset"
    ctest --preset "$preset" -L 'small|medium'
  done
fi

say "tests of preset dev"
ctest --preset dev "${ctest_arguments[@]+"${ctest_arguments[@]}"}"

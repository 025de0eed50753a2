#!/usr/bin/env bash
# Installs the Debian 12 packages that Trainyard is built from; with --tests, those of its tests as well.
# Does nothing, in well under a second and without root, when all of them are there.
#
#   deploy/install-deps.sh [--tests]
set -euo pipefail

build_packages=(
  cmake ninja-build g++ ccache pkg-config git ca-certificates curl
  libgrpc++-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libabsl-dev libdnnl-dev
  prometheus-cpp-dev libsqlite3-dev libspdlog-dev libcli11-dev libyaml-cpp-dev
  zlib1g-dev libzstd-dev libssl-dev libsodium-dev libcurl4-openssl-dev tzdata
)
test_packages=(
  libgtest-dev libgmock-dev libbenchmark-dev clang clang-tidy libclang-rt-14-dev
  python3-grpcio python3-protobuf python3-numpy python3-onnx python3-yaml prometheus sqlite3 gnuplot-nox jq
)

usage() { sed -n '2,5s/^# \{0,1\}//p' "$0"; }

installed() { dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^ii'; }

# Prints the packages of its arguments that are not installed, one per line.
missing() {
  local package
  for package in "$@"; do
    # pkgconf took over from pkg-config; either will do.
    if [[ $package == pkg-config ]] && command -v pkg-config >/dev/null; then continue; fi
    installed "$package" || echo "$package"
  done
}

# Any node with any npm will do, whoever packaged it: Debian's npm would throw out a newer nodejs.
missing_node() {
  command -v node >/dev/null || echo nodejs
  command -v npm >/dev/null || echo npm
}

as_root() {
  if [[ $(id -u) -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

# Debian's prometheus package starts a service. invoke-rc.d asks this file first; the one that was there is put back.
policy=/usr/sbin/policy-rc.d
forbid_service_start() {
  saved_policy=
  if [[ -e $policy ]]; then
    saved_policy=$(mktemp -u "$policy.XXXXXX")
    as_root mv "$policy" "$saved_policy"
  fi
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
  trap restore_service_start EXIT
}
restore_service_start() {
  as_root rm -f "$policy"
  if [[ -n $saved_policy ]]; then as_root mv "$saved_policy" "$policy"; fi
}

install() {
  echo "install-deps: installing $*"
  if [[ $(id -u) -ne 0 ]] && ! command -v sudo >/dev/null; then
    echo "install-deps: needs root to install packages; run it as root, or install sudo" >&2
    return 1
  fi
  forbid_service_start
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
  if [[ " $* " == *" prometheus "* && -d /run/systemd/system ]]; then
    as_root systemctl disable --now prometheus prometheus-node-exporter 2>/dev/null || true
  fi
}

main() {
  local with_tests=no
  case "${1:-}" in
    "") ;;
    --tests) with_tests=yes ;;
    -h | --help) usage; return 0 ;;
    *) echo "install-deps: unknown option '$1'" >&2; usage >&2; return 2 ;;
  esac
  local wanted=()
  mapfile -t wanted < <(missing "${build_packages[@]}")
  if [[ $with_tests == yes ]]; then
    mapfile -t -O "${#wanted[@]}" wanted < <(missing "${test_packages[@]}"; missing_node)
  fi
  if [[ ${#wanted[@]} -eq 0 ]]; then
    echo "install-deps: everything is installed"
    return 0
  fi
  install "${wanted[@]}"
}

main "$@"

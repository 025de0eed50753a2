# Sourced by the scripts beside this folder, which are a program in Python on the binaries of a build. What they print as usage is
# the comment at their head.
#   run_python tests/e2e/soak.py "--minutes --seed" "$@"
# The options named take a value and are handed on; --build DIR is the build (default: build/dev), unless TRAINYARD_BIN names its binaries.
run_python() {
  local program=$1 options=" $2 " build=build/dev arguments=()
  shift 2
  while [[ $# -gt 0 ]]; do
    if [[ $1 == --build ]]; then
      build=${2:?--build needs a directory}
    elif [[ $options == *" $1 "* && $# -gt 1 ]]; then
      arguments+=("$1" "$2")
    else
      sed -n '2,/^[^#]/s/^# \?//p' "$0" >&2
      exit 2
    fi
    shift 2
  done
  TRAINYARD_BIN=${TRAINYARD_BIN:-$build/bin} exec /usr/bin/python3 -B "$program" "${arguments[@]+"${arguments[@]}"}"
}

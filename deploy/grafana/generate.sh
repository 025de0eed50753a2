#!/bin/bash
# Makes the dashboards from their source: deploy/grafana/generate.sh [DIR]   (default: deploy/grafana/dashboards)
# Needs `npm ci --ignore-scripts` in deploy/grafana/source once.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:-$here/dashboards}")
cd "$here/source"
[[ -d node_modules ]] || { echo "generate: run \`npm ci --ignore-scripts\` in $PWD first" >&2; exit 1; }
# Below node_modules, because that is where the compiled files look for the SDK.
node_modules/.bin/tsc --outDir node_modules/.generated
exec node node_modules/.generated/generate.js "$out"

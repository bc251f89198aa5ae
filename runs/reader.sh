#!/usr/bin/env bash
# From nothing to the network that reads pictures back, src/arldm/weights/reader. It knows no model; whoever changes it or the world
# makes all scores incomparable. Usage: runs/reader.sh [folder of the arldm command]. Stopped, run again: it goes on.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="${1:-.venv/bin}"
out="${OUT:-runs/out/reader}"
[ -e "$out/model" ] || "$bin/arldm" train toonsv-reader --out "$out"
rm -rf src/arldm/weights/reader.new
cp -r "$out/model" src/arldm/weights/reader.new
rm -rf src/arldm/weights/reader
mv src/arldm/weights/reader.new src/arldm/weights/reader
echo "The reader is in src/arldm/weights/reader"

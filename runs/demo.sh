#!/usr/bin/env bash
# A script becomes a comic: five frames, a strip and a page in demo/. Usage: runs/demo.sh [folder of the arldm command]
set -euo pipefail
cd "$(dirname "$0")/.."
bin="${1:-.venv/bin}"
rm -rf demo
"$bin/arldm" tell examples/kite.txt --out demo --seed 7
"$bin/arldm" page demo --enlarge -o demo/page.png
"$bin/arldm" page demo --enlarge -o demo/page.pdf
echo "Frames, strip and page are in demo/: open demo/page.png"

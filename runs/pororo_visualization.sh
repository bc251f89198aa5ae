#!/usr/bin/env bash
# Story visualization on PororoSV:
# one row of the paper's tables, from published files to a told test split.
# Published FID: 16.59 (arXiv 2211.10950), judged at 64 px. Not reproduced here: nobody has trained this yet.
# Published hardware: 8 A100 of 80 GB, said to be two days (second-hand), in float32.
# Expected here: 4 hours on the same in bf16. Predicted: 50 epochs of 10,191 stories of 13.8 TFLOP (counted, --dry-run prints it)
# at a fifth of 8 x 312 TFLOP/s (assumed). Encoding the stills once and telling the test split come on top.
# Usage: SD=.. BLIP=.. PORORO=.. GPUS=8 runs/pororo_visualization.sh [folder of the arldm command]
# PORORO: the unpacked zip of StoryDALL-E. The rest: runs/row.sh.
# Stopped, run again: it goes on.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="${1:-.venv/bin}"
source runs/row.sh
row pororo-visualization pororo pororo "$PORORO" 0

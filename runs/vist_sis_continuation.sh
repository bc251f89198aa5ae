#!/usr/bin/env bash
# Story continuation on VIST, its stories told in sequence (SIS):
# one row of the paper's tables, from published files to a told test split.
# Published FID: 16.95 (arXiv 2211.10950), judged at 64 px. Not reproduced here: nobody has trained this yet.
# Published hardware: 8 A100 of 80 GB, said to be two days (second-hand), in float32.
# Expected here: 9 hours on the same in bf16. Predicted: 50 epochs of some 27,000 stories of 11.4 TFLOP (counted, --dry-run prints it)
# at a fifth of 8 x 312 TFLOP/s (assumed). Encoding the stills once and telling the test split come on top.
# Usage: SD=.. BLIP=.. VIST=.. GPUS=8 runs/vist_sis_continuation.sh [folder of the arldm command]
# VIST: the unpacked annotations. The rest: runs/row.sh.
# Stopped, run again: it goes on.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="${1:-.venv/bin}"
source runs/row.sh
"$bin/arldm" photographs "$VIST"
row vist-sis-continuation vist vist-sis "$VIST" 1 sis

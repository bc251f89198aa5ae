#!/usr/bin/env bash
# The table of the paper's claim: AR-LDM with no history, with past captions, with past captions and pictures, trained alike from the
# same start for as many steps, told with three seeds, given 0 and 1 pictures. `runs/toonsv.sh` must have gone through its stages 1 to 3 and 5.
# Usage: runs/toonsv_table.sh [folder of the python and arldm commands]. Stopped, run again: it goes on. OUT, FROM (the OUT of runs/toonsv.sh), STEPS,
# STORIES, PRECISION ("no" where bf16 does not pay: docs/speed.md) may be set, the same at every call.
# Reports that are there are not made again: docs/table keeps those of the README.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="${1:-.venv/bin}"
from="${FROM:-runs/out/toonsv}"
out="${OUT:-runs/out/table}"
steps="${STEPS:-1200}"
stories="${STORIES:-200}"
precision="${PRECISION:-bf16}"

# train HISTORY : the twin, unless it is there
train() {
    [ -e "$out/$1/model" ] || "$bin/arldm" train toonsv --out "$out/$1" --model.history "$1" --train.steps "$steps" --details 2 --train.precision "$precision" \
        --autoencoder "$from/autoencoder/autoencoder.safetensors" --encoders "$from/doubt/encoders.safetensors" \
        --cache "$from/cache" --freeze text_encoder history_encoder conditioner
}

for history in none captions pictures; do
    for given in 0 1; do
        for seed in 0 1 2; do
            report="$out/$history-given$given-seed$seed"
            [ -e "$report.json" ] && continue
            train "$history"
            "$bin/arldm" evaluate toonsv --model "$out/$history/model" --stories "$stories" --precision "$precision" \
                --given "$given" --seed "$seed" --keep "$report" --json "$report.json"
        done
    done
done
"$bin/python" runs/table.py "$out"

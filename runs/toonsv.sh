#!/usr/bin/env bash
# From nothing to the models that ship with the program: src/arldm/weights/toonsv and src/arldm/weights/reader.
# Usage: runs/toonsv.sh [folder of the arldm command]. Stop it when you like (Ctrl-C, kill -9, power cut): run again, it goes on.
# OUT (a folder), ALONE and STEPS (of AR-LDM, see 4 and 5) and THREADS may be set, the same at every call.
set -euo pipefail
export GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-30000}" # threads that wait for each other soon sleep: other programs may run beside (docs/log.md)
cd "$(dirname "$0")/.."
bin="${1:-.venv/bin}"
out="${OUT:-runs/out}"
alone="${ALONE:-4500}"
steps="${STEPS:-1700}"
threads="${THREADS:-0}"
toonsv=(--autoencoder "$out/autoencoder/autoencoder.safetensors" --cache "$out/cache")

# train NAME PRODUCT OPTIONS.. : a recipe, unless what it leaves is there already
train() {
    local name="$1" product="$2"
    shift 2
    if [ -e "$product" ]; then
        echo "$product is there"
    else
        "$bin/arldm" train "$name" --train.threads "$threads" "$@"
    fi
}

# install FROM TO : put a finished model where the program looks for it, in one move
install() {
    rm -rf "$2.new"
    cp -r "$1" "$2.new"
    rm -rf "$2"
    mv "$2.new" "$2"
}

# 1. pictures <-> latents
train toonsv-autoencoder "$out/autoencoder/autoencoder.safetensors" --out "$out/autoencoder"

# 2. the network that reads pictures back, for evaluation
train toonsv-reader "$out/reader/model" --out "$out/reader"

# 3. the text and history encoders' first lesson, in the place of CLIP's and BLIP's pretraining
lesson=()
for option in "${toonsv[@]}"; do lesson+=("${option/#--/--toonsv.}"); done
train toonsv-encoders "$out/encoders/encoders.safetensors" --out "$out/encoders" "${lesson[@]}"

# 4. one picture to one caption, in the place of Stable Diffusion's pretraining
toonsv+=(--encoders "$out/encoders/encoders.safetensors")
train toonsv "$out/alone/model" --out "$out/alone" --history none --train.steps "$alone" "${toonsv[@]}"

# 5. from there AR-LDM, and the same without history for as many steps: the comparison that shows what history is for. First stories
# that stand still, and noisy timesteps oftener: or a U-Net that knows its captions never learns to look back (docs/log.md)
for history in pictures none; do
    train toonsv "$out/$history/model" --out "$out/$history" --history "$history" --start "$out/alone/model" "${toonsv[@]}" \
        --still 500 --freeze history_encoder --train.mode-scale 0 --train.shift 2.5 --train.steps "$steps"
done

install "$out/pictures/model" src/arldm/weights/toonsv
install "$out/reader/model" src/arldm/weights/reader
echo "The models are in src/arldm/weights/"

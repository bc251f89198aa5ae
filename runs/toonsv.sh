#!/usr/bin/env bash
# From nothing to what ships with the program, src/arldm/weights: model and enlarger. (The reader, which measures them: runs/reader.sh.)
# Usage: runs/toonsv.sh [folder of the arldm command]. Stop it when you like (Ctrl-C, kill -9, power cut): run again, it goes on.
# OUT (a folder) and STEPS and MORE (of AR-LDM, see 4 and 6 to 9) may be set, the same at every call; OMP_NUM_THREADS at any.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="${1:-.venv/bin}"
out="${OUT:-runs/out/toonsv}"

# train NAME PRODUCT OPTIONS.. : a recipe, unless what it leaves is there already
train() {
    local name="$1" product="$2"
    shift 2
    if [ -e "$product" ]; then
        echo "$product is there"
    else
        "$bin/arldm" train "$name" "$@"
    fi
}

# 1. pictures <-> latents
train toonsv-autoencoder "$out/autoencoder/autoencoder.safetensors" --out "$out/autoencoder"

# 2. all that makes the condition learns to tell facts, in the place of CLIP's and BLIP's pretraining
train toonsv-encoders "$out/encoders/encoders.safetensors" --out "$out/encoders" --cache "$out/cache"

# 3. what joins captions and history learns longer
train toonsv-context "$out/context/encoders.safetensors" --out "$out/context" --cache "$out/cache" --encoders "$out/encoders/encoders.safetensors"

# 4. AR-LDM: the U-Net learns to draw what the condition tells
train toonsv "$out/pictures/model" --out "$out/pictures" --model.choices 0 ${STEPS:+--train.steps "$STEPS"} \
    --autoencoder "$out/autoencoder/autoencoder.safetensors" --encoders "$out/context/encoders.safetensors" --cache "$out/cache" \
    --freeze text_encoder history_encoder conditioner

# 5. the context learns how likely each answer is where nothing tells it
train toonsv-context "$out/doubt/encoders.safetensors" --out "$out/doubt" --cache "$out/cache" --encoders "$out/context/encoders.safetensors" \
    --doubt --train.seed 2 --train.steps 900 --train.learning-rate 2e-4 --train.muon-learning-rate 1e-3

# learn NAME DENOISER DETAILS STEPS SEED OPTIONS.. : the U-Net learns on, with nothing left open, and what is small counts more; by
# the seed of another stage it would see the same stories with the same noise again
learn() {
    train toonsv "$out/$1/model" --out "$out/$1" --denoiser "$2" --details "$3" --train.steps "$4" --train.seed "$5" "${@:6}" \
        --train.learning-rate 3e-4 --train.muon-learning-rate 2e-3 \
        --autoencoder "$out/autoencoder/autoencoder.safetensors" --encoders "$out/doubt/encoders.safetensors" --cache "$out/cache" \
        --freeze text_encoder history_encoder conditioner
}

# 6. faces, hats, things that are held
learn details "$out/pictures/model" 2 "${MORE:-4000}" 1

# 7. and more so: the colours of hats and things
learn hats "$out/details/model" 4 "${MORE:-4000}" 2

# 8. the same for what is held, down to what a child holds
learn things "$out/hats/model" 8 "${MORE:-1500}" 3

# 9. what stories seldom show: three together, and things in anybody's hands
learn scenes "$out/things/model" 8 "${MORE:-2500}" 4 --scenes 10000

# 10. the decoder learns to draw what the denoiser means
train toonsv-decoder "$out/decoder/model" --out "$out/decoder" --model "$out/scenes/model" --cache "$out/cache"

# 11. for pages: pictures of twice the side
train toonsv-enlarger "$out/enlarger/model" --out "$out/enlarger" --model "$out/decoder/model" --cache "$out/cache"

# ship FOLDER NAME : whole where the program looks for it
ship() {
    rm -rf "src/arldm/weights/$2.new"
    cp -r "$1" "src/arldm/weights/$2.new"
    rm -rf "src/arldm/weights/$2"
    mv "src/arldm/weights/$2.new" "src/arldm/weights/$2"
    echo "$1 is now src/arldm/weights/$2"
}
ship "$out/decoder/model" toonsv
ship "$out/enlarger/model" enlarger

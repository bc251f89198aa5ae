# What the scripts of the paper's rows share; they source it. Nothing here runs by itself.
# SD, BLIP: published folders, Stable Diffusion 1.x of diffusers and BLIP-large of transformers. GPUS: processes, 1 if not set.
# OUT: where all of it is made, runs/out if not set. OPTIONS: more for `arldm train`, e.g. "--train.precision no".

# row NAME CORPUS MODEL SOURCE GIVEN [CAPTIONS]: from published files to a told test split
row() {
    local name="$1" corpus="$2" model="$3" source="$4" given="$5" captions="${6:-}"
    local out="${OUT:-runs/out}"
    local many=("$bin/torchrun" --standalone --nproc-per-node "${GPUS:-1}" -m arldm)
    "$bin/arldm" prepare "$corpus" "$source" "$out/$corpus/archive"
    [ -e "$out/$model/model" ] ||
        "$bin/arldm" init paper --sd "$SD" --blip "$BLIP" --corpus "$model" --out "$out/$model/model"
    # shellcheck disable=SC2086 # OPTIONS are several words
    [ -e "$out/$name/model" ] || "${many[@]}" train "$name" --model "$out/$model/model" --dataset "$out/$corpus/archive" \
        --cache "$out/$corpus/cache" --out "$out/$name" ${OPTIONS:-}
    "${many[@]}" sample "$out/$corpus/archive" --model "$out/$name/model" --split test --given "$given" --steps 250 --guidance 6 \
        ${captions:+--captions "$captions"} --batch 4 --out "$out/$name/test"
    echo "The told test split is in $out/$name/test"
}

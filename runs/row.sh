# What the scripts of the paper's rows share; they source it. Nothing here runs by itself.
# SD, BLIP: published folders, Stable Diffusion 1.x of diffusers and BLIP-large of transformers. GPUS: processes, 1 if not set.
# OUT: where all of it is made, runs/out if not set. OPTIONS: more for `arldm train`, e.g. "--train.precision no"; SAMPLING: more for
# `arldm sample`, "--precision bf16" if not set: telling takes 500 calls of the U-Net a frame, more than half of what the training takes.

# row NAME CORPUS MODEL SOURCE GIVEN [CAPTIONS]: from published files to a told test split
row() {
    local name="$1" corpus="$2" model="$3" source="$4" given="$5" captions="${6:-}"
    local out="${OUT:-runs/out}" gpus="${GPUS:-1}"
    [ $((8 % gpus)) = 0 ] || { echo "GPUS is $gpus; expected 1, 2, 4 or 8, of which a step's eight stories are a multiple" >&2; exit 2; }
    local many=("$bin/torchrun" --standalone --nproc-per-node "$gpus" -m arldm)
    "$bin/arldm" prepare "$corpus" "$source" "$out/$corpus/archive"
    [ -e "$out/$model/model" ] ||
        "$bin/arldm" init paper --sd "$SD" --blip "$BLIP" --corpus "$model" --out "$out/$model/model"
    # shellcheck disable=SC2086 # OPTIONS are several words
    [ -e "$out/$name/model" ] || "${many[@]}" train "$name" --model "$out/$model/model" --dataset "$out/$corpus/archive" \
        --cache "$out/$corpus/cache" --out "$out/$name" --train.gradient-accumulation-steps $((8 / gpus)) ${OPTIONS:-}
    # shellcheck disable=SC2086
    "${many[@]}" sample "$out/$corpus/archive" --model "$out/$name/model" --split test --given "$given" --steps 250 --guidance 6 \
        ${captions:+--captions "$captions"} --batch 4 --out "$out/$name/test" ${SAMPLING:---precision bf16}
    echo "The told test split is in $out/$name/test"
}

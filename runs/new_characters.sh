#!/usr/bin/env bash
# The pictures of docs/new-characters.md: three characters learned, and told of alone and together.
# Usage: runs/new_characters.sh [folder of the arldm command]. OUT (a folder) may be set. Stopped, run again: it goes on.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="${1:-.venv/bin}"
out="${OUT:-runs/out/new-characters}"

# learn NAME LIKE MODE : a pack, unless it is there
learn() {
    [ -d "$out/$1-$3" ] || "$bin/arldm" adapt toonsv --pictures "examples/$1" --name "$1" --like "$2" --mode "$3" --keep-old toonsv \
        --author "arldm" --licence "Apache-2.0" --out "$out/$1-$3"
}
learn pako bromm full
learn vesna fenna full
learn miso fenna full
learn pako bromm lora

# told STORY OPTIONS.. : told anew
told() {
    rm -rf "$out/$1"
    "$bin/arldm" tell "$2" --out "$out/$1" "${@:3}"
}
told told-pako examples/pako.txt --pack "$out/pako-full"
told told-pako-lora examples/pako.txt --pack "$out/pako-lora"
told told-miso examples/miso.txt --pack "$out/miso-full"
told told-both examples/pako_vesna.txt --pack "$out/pako-full" --pack "$out/vesna-full"
"$bin/python" runs/new_characters.py "$out" docs/new-characters

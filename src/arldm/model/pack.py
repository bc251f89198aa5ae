"""A pack on disk: what a model needs to know one more character. (widening.py takes it up and lets it go.)

card.json                            who it is, which model it is for, hashes of the files below
pack.safetensors                     token.*   how the embeddings of its names differ from those of the word they began as
                                     delta.*   mode full: how weights differ from the model's
                                     newcomer  the direction of the answers that are this character (model/prior.py)
                                     past.*    mode pin: its pictures, as the history encoder reads them
pytorch_lora_weights.safetensors     mode lora: in diffusers' layout, so that other tools read it
preview.webp                         what a model with the pack drew
pictures/                            what it was made from, if its author wanted that
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from arldm.config import Mode
from arldm.errors import BROKEN, ModelError, OutputError, said
from arldm.pictures import encoded
from arldm.writing import put, put_json, replacing_folder

CARD, TENSORS, LORA, PREVIEW, PICTURES = (
    "card.json",
    "pack.safetensors",
    "pytorch_lora_weights.safetensors",
    "preview.webp",
    "pictures",
)
FORMAT = 2
NEWCOMER = "newcomer"
SEALED = ("names", "like", "mode", "base")  # of the card: written into the files of tensors, too, whose hashes it has


@dataclass(frozen=True, slots=True)
class Card:
    """What a pack says of itself."""

    names: tuple[str, ...]  # what captions call the character; the first is its name
    like: str  # the word of the model that its names began as
    mode: Mode
    base: str  # hash of the model it is for
    pictures: tuple[str, ...]  # hashes of the pixels that it was made from
    author: str = ""
    licence: str = ""
    files: dict[str, str] = field(default_factory=dict)  # SHA-256 of what holds tensors
    made_with: dict[str, Any] = field(default_factory=dict)  # options of the training

    @property
    def name(self) -> str:
        """The character's name."""
        return self.names[0]


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """A card with its tensors."""

    card: Card
    tensors: Mapping[str, Tensor]
    lora: Mapping[str, Tensor]  # of mode lora, by diffusers' names

    def further(self, times: float) -> "Pack":
        """The same, each weight moved so many times as far (task arithmetic, Ilharco et al. 2023)."""
        moves = ("token.", "delta.")
        tensors = {name: times * tensor if name.startswith(moves) else tensor for name, tensor in self.tensors.items()}
        lora = {name: times * tensor if ".lora_B." in name else tensor for name, tensor in self.lora.items()}
        return replace(self, tensors=tensors, lora=lora)

    def deltas(self) -> dict[str, Tensor]:
        """By how much the pack moves each weight that it moves, by the model's names. Raises ModelError."""
        found = {name.removeprefix("delta."): tensor.float() for name, tensor in self.tensors.items() if name.startswith("delta.")}
        for name, down in self.lora.items():
            if name.endswith(".lora_A.weight"):
                layer = name.removesuffix(".lora_A.weight")
                try:
                    up = self.lora[f"{layer}.lora_B.weight"].float()
                    found[f"{ours(layer)}.weight"] = (up.flatten(1) @ down.float().flatten(1)).view(len(up), *down.shape[1:])
                except (KeyError, IndexError, TypeError, RuntimeError) as error:
                    got = f"its low ranks of {layer} are no pair ({said(error)})"
                    raise ModelError(f"pack of {self.card.name!r}: {got}; fetch the pack again") from error
        return found


def ours(layer: str) -> str:
    """The name that a layer of a file in diffusers' layout has here."""
    return layer.replace("text_encoder.", "text_encoder.clip.", 1) if layer.startswith("text_encoder.") else layer


def theirs(layer: str) -> str:
    """The name that one of our layers has in a file in diffusers' layout."""
    return layer.replace("text_encoder.clip.", "text_encoder.", 1)


def write_pack(pack: Pack, folder: Path, preview: Image.Image, pictures: Sequence[Image.Image] = ()) -> None:
    """Write a pack, whole or not at all. Raises OutputError where something lies already."""
    if folder.exists():
        raise OutputError(f"{folder}: is there already; expected a new folder for the pack, choose another --out")
    parts = {
        name: save(dict(tensors), _seal(pack.card)) for name, tensors in ((TENSORS, pack.tensors), (LORA, pack.lora)) if tensors
    }
    card = asdict(pack.card) | {"files": {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}}
    with replacing_folder(folder) as beside:
        for name, data in parts.items():
            put(beside / name, data)
        put(beside / PREVIEW, encoded(preview, "WEBP", quality=80))  # as PNG, larger than all that a small pack has learned
        for number, picture in enumerate(pictures):
            put(beside / PICTURES / f"{number:03}.png", encoded(picture))
        put_json(beside / CARD, {"format": FORMAT, "arldm": version("arldm"), **card}, ensure_ascii=False)


def _seal(card: Card) -> dict[str, str]:
    return {"pack": json.dumps({name: getattr(card, name) for name in SEALED})}


def _unsealed(card: Card, written: dict[str, str] | None) -> str:
    """What of the card its file of tensors says otherwise."""
    if written == _seal(card):
        return ""
    try:
        was = json.loads((written or {})["pack"])
        return " and ".join(name for name in SEALED if list(was[name]) != list(getattr(card, name))) or ", ".join(SEALED)
    except BROKEN:  # whoever wrote that
        return ", ".join(SEALED)


def read_card(folder: Path) -> Card:
    """The card of a pack. Raises ModelError."""
    path = folder / CARD
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or "format" not in found:
            raise ValueError("it says no format")
        if found.pop("format") != FORMAT:
            writer = found.get("arldm", "of another version")
            raise ModelError(
                f"{path}: of another format, written by arldm {writer}; this is arldm {version('arldm')}, install that one"
            )
        found.pop("arldm", None)
        if odd := set(found) ^ {one.name for one in fields(Card)}:
            raise ValueError(f"{min(odd)} is {'missing' if min(odd) not in found else 'nothing that a card says'}")
        card = Card(**{**found, "names": tuple(found["names"]), "pictures": tuple(found["pictures"])})
        if not isinstance(card.files, dict):
            raise ValueError(f"files {str(card.files)[:40]}")
        named = bool(card.names) and all(map(str.isalpha, card.names)) and len(set(card.names)) == len(card.names)
        words = (card.like, card.base, card.author, card.licence, *card.pictures, *dict(card.files), *dict(card.files).values())
        if card.mode not in get_args(Mode) or not named or not all(isinstance(word, str) for word in words):
            raise ValueError(f"mode {card.mode}, names {card.names}, or values of another type")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelError(f"{path}: not there; expected a pack of `arldm adapt`, check the path") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check who may read it") from error
    except BROKEN as error:
        raise ModelError(f"{path}: is not the card of a pack ({said(error)}); fetch the pack again") from error
    return card


def read_pack(folder: Path) -> Pack:
    """A pack, its files compared with what its card says of them. Raises ModelError."""
    card, tensors = read_card(folder), {}
    expected = {TENSORS} | ({LORA} if card.mode == "lora" else set())
    if set(card.files) != expected:
        raise ModelError(
            f"{folder / CARD}: lists {', '.join(sorted(card.files)) or 'no files'}; expected {', '.join(sorted(expected))}"
        )
    for name, wanted in card.files.items():
        path = folder / name
        try:
            data = path.read_bytes()
            if (got := hashlib.sha256(data).hexdigest()) != wanted:
                raise ModelError(
                    f"{path}: has SHA-256 {got[:16]}, its card says {wanted[:16]}; it was altered, fetch the pack again"
                )
            tensors[name] = load(data)
            if other := _unsealed(card, safe_open(path, "pt").metadata()):
                raise ModelError(f"{folder / CARD}: says another {other} than its {name}; it was altered, fetch the pack again")
        except OSError as error:
            raise ModelError(
                f"{path}: cannot be read ({error.strerror}); check who may read it, or fetch the pack again"
            ) from error
        except SafetensorError as error:
            raise ModelError(f"{path}: cannot be read ({said(error)}); fetch the pack again") from error
    return Pack(card, tensors[TENSORS], tensors.get(LORA, {}))


def finite(tensors: Mapping[str, Tensor]) -> bool:
    """Are all numbers numbers?"""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values() if tensor.is_floating_point())

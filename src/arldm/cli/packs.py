"""What `arldm adapt` and `arldm pack` do, and packs given on other command lines."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from arldm.adapt.recipes import TOONSV, Adaptation
from arldm.errors import ConfigError, ModelError
from arldm.model.arldm import ARLDM
from arldm.model.pack import PICTURES, read_pack
from arldm.model.widening import MOST, take_up
from arldm.pictures import read_picture
from arldm.provenance import pixel_hash
from arldm.story_files import STORY
from arldm.weight_files import fastest_device

UNHEEDED = dict.fromkeys(("full", "token"), ("rank",)) | {
    "lora": (),
    "pin": ("rank", "epochs", "learning_rate", "ema_decay", "precision", "optimizer", "gradient_checkpointing", "preview_every"),
}
NUMBERS = ("ema_decay", "seed", "threads", "preview_every")  # options that are those of training

if TYPE_CHECKING:
    from arldm.cli.adapting import Adapt, PackCheck


def recipe_of(options: "Adapt") -> Adaptation:
    """The recipe that the options mean. Raises ConfigError."""
    from arldm.adapt.adapt import adaptation

    train = {name: getattr(options, name) for name in ("optimizer", "gradient_checkpointing", *NUMBERS)}
    train |= {name: given for name in ("learning_rate", "precision") if (given := getattr(options, name))}
    more = {name: getattr(options, name) for name in ("epochs", "keep_old", "rank", "author", "licence", "include_pictures")}
    recipe = adaptation(options.pictures, options.name, options.like, options.model, options.mode, train=train, **more)
    for name in UNHEEDED[options.mode]:
        if getattr(options, name) != getattr(type(options), name):
            raise ConfigError(f"--{name.replace('_', '-')}: is nothing to --mode {options.mode}; leave it out")
    if recipe.keep_old:  # and by a mode that needs none
        _check_old(recipe.keep_old)
    return recipe


def tell_of_pictures(recipe: Adaptation) -> None:
    """Say what of a folder and its pictures is not looked at. Raises DatasetError and PictureError."""
    from arldm.adapt.adapt import config_of, is_cut_out
    from arldm.adapt.pictures import passed_over, picture_paths
    from arldm.cli.telling import tell_of_margins

    if left := passed_over(recipe.pictures):
        print(f"arldm: {recipe.pictures}: not read: {', '.join(left)}", file=sys.stderr)
    if not is_cut_out(recipe, config_of(recipe.model)):
        for path in picture_paths(recipe.pictures):
            tell_of_margins(path, read_picture(path))


def _check_old(keep_old: str) -> None:
    """Raises ConfigError where there are no stories, before anything is read."""
    if keep_old == TOONSV:
        return
    if not Path(keep_old).is_dir():
        raise ConfigError(f"--keep-old: {keep_old} is no folder; expected {TOONSV}, an archive, or a folder of told stories")
    if not any(Path(keep_old).rglob(STORY)):
        from arldm.cli.preparing import check_installed

        check_installed()


def check(options: "PackCheck") -> int:
    """Raises ModelError for a pack that is not whole or not for the model."""
    pack = read_pack(options.pack)
    pictures = tuple(pixel_hash(read_picture(path)) for path in sorted((options.pack / PICTURES).glob("*.png")))
    if pictures and pictures != pack.card.pictures:
        raise ModelError(
            f"{options.pack / PICTURES}: are other pictures than the card says; they were altered, fetch the pack again"
        )
    take_up(ARLDM.from_pretrained(options.model), pack, 1.0)
    print(f"{options.pack}: {pack.card.name} ({pack.card.mode}) is whole and for {options.model}")
    return 0


def load_model(folder: Path | str, packs: Sequence[str] = ()) -> ARLDM:
    """A model, on the GPU if there is one, that took up packs, each DIR or DIR:WEIGHT. Raises ConfigError, ModelError."""
    model = ARLDM.from_pretrained(folder).to(fastest_device())
    for text in packs:
        model.load_pack(*parsed(text))
    return model


def parsed(text: str) -> tuple[Path, float]:
    """ "DIR:0.7" as a folder and a weight. Raises ConfigError."""
    folder, colon, said = text.rpartition(":")
    if Path(text).is_dir() or not colon:  # whatever its name ends in
        return Path(text), 1.0
    try:
        weight = float(said)
    except ValueError:
        weight = math.nan
    if not folder or not 0 <= weight <= MOST:
        got = f"got weight {said} in {text!r}" if folder else f"got {text!r}"
        raise ConfigError(f"--pack: {got}; expected a pack's folder, with a weight of 0 to {MOST:g} perhaps: DIR:0.7")
    return Path(folder), weight

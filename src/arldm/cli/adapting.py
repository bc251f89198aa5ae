"""`arldm adapt` and `arldm pack`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg, subcommand

from arldm.adapt.recipes import RANK
from arldm.config import Mode, Optimizer, TrainPrecision, to_dict
from arldm.errors import ConfigError

#: options of training -> those of an adaptation
THEIRS = {
    "--train.steps": "--epochs (in steps)",
    "--train.": "--",
    "--names": "--name",
    "--pictures-hash": "--pictures (as a hash)",
    "--old-hash": "--keep-old (as a hash)",
    "--model-hash": "MODEL (as a hash)",
}


@dataclass(frozen=True)
class Adapt:
    """Teach a model a new character from a few pictures; what was learned is a pack, a small folder that can be shared."""

    model: Annotated[Positional[str], arg(metavar="MODEL")]
    """A model's folder; "toonsv" is the one that ships with the program."""
    pictures: Path
    """A folder with 4 or 5 pictures, and a metadata.jsonl or a .txt beside each with its caption."""
    name: tuple[str, ...]
    """What captions call the character; more words if they call it by several."""
    like: str
    """A word that the model knows, most like the character: its name begins as that. For the embedded model one of its cast, but
    for the unnamed: who is like "stranger" or "child" is told from others by clothes, hat and skin alone."""
    out: Path
    """The pack, a new folder; the run lies beside it in OUT.run, and the same command continues it."""
    mode: Mode = "full"
    """What learns: all but the autoencoder (of the embedded model U-Net, context and the name), low-rank changes, the name alone,
    or nothing, but the pictures are looked at."""
    keep_old: str = ""
    """Stories of the old cast to learn from, too, so that nobody is forgotten: toonsv, an archive, or a folder of stories told by
    the model itself. Modes token and pin, which leave all weights as they are, need none."""
    epochs: int = 0
    """How many times the character's story is drawn; 0 = what suits the model: the paper's 100, more for the embedded one."""
    learning_rate: float = 0.0
    """0 = what suits the model and the mode."""
    rank: int = RANK
    """Of the low-rank changes."""
    ema_decay: float = 0.0
    """Decay of the moving average of what learns; 0 = none, runs are short."""
    precision: Literal[""] | TrainPrecision = ""
    """Of products; "auto" = bf16 where that is faster; "" = what suits the model."""
    optimizer: Optimizer = "adamw"
    gradient_checkpointing: bool = False
    """A third more time, a fraction of the memory."""
    seed: int = 0
    threads: int = 0
    """CPU threads, 0 = all."""
    preview_every: int = 0
    """Steps between sample strips; 0 = never."""
    author: str = ""
    """Written on the pack's card."""
    licence: str = ""
    """Written on the pack's card."""
    include_pictures: bool = False
    """Put the pictures themselves into the pack."""

    def __call__(self) -> int:
        from arldm.adapt.adapt import adapt
        from arldm.cli.packs import recipe_of, tell_of_pictures

        try:
            recipe = recipe_of(self)
            tell_of_pictures(recipe)
            adapt(recipe, self.out)
        except ConfigError as error:
            raise ConfigError(_in_own_words(str(error))) from error
        print(self.out)
        return 0


def _in_own_words(message: str) -> str:
    """What training says, by the options that an adaptation has."""
    for theirs, ours in THEIRS.items():
        message = message.replace(theirs, ours)
    return message


@dataclass(frozen=True)
class PackShow:
    """Print the card of a pack."""

    pack: Annotated[Positional[Path], arg(metavar="PACK")]
    """A pack's folder."""

    def __call__(self) -> int:
        from arldm.model.pack import read_card

        print(json.dumps(to_dict(read_card(self.pack)), indent=1, ensure_ascii=False))
        return 0


@dataclass(frozen=True)
class PackCheck:
    """Compare a pack with its card, and with the model that it is for."""

    pack: Annotated[Positional[Path], arg(metavar="PACK")]
    """A pack's folder."""
    model: str = "toonsv"
    """A model's folder; "toonsv" is the one that ships with the program."""

    def __call__(self) -> int:
        from arldm.cli.packs import check

        return check(self)


@dataclass(frozen=True)
class Pack:
    """Look at a pack: a character that `arldm adapt` made."""

    do: Annotated[Annotated[PackShow, subcommand("show")] | Annotated[PackCheck, subcommand("check")], arg(name="")]

    def __call__(self) -> int:
        return self.do()

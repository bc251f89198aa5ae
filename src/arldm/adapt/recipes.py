"""Adaptations as plain values, by the kind of model and by mode. No torch here."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from arldm.config import Mode, TrainConfig
from arldm.errors import ConfigError

RANK = 16
TOONSV = "toonsv"  # as `keep_old`: the stories that the program draws itself
OLD = 3  # of the stories that are drawn, the last of so many is an old one, where there are any
DRAWN = 2  # stories of a batch of the embedded model; all are read, which takes little


@dataclass(frozen=True, slots=True)
class Adaptation:
    """A new character from a few pictures; `arldm.adapt.adapt.adaptation` makes one that suits a model and a mode."""

    pictures: Path
    names: tuple[str, ...]  # what captions call the character; the first is its name
    like: str  # a word that the model knows, and that its names begin as
    model: Path | str = "toonsv"
    mode: Mode = "full"
    train: TrainConfig = TrainConfig()
    keep_old: str = ""  # where stories of the old cast are; "" = none beside the new character's
    old: int = 192  # of them, at most
    rank: int = RANK  # of mode lora
    author: str = ""
    licence: str = ""
    include_pictures: bool = False

    @property
    def moves_weights(self) -> bool:
        """Does more learn than the name?"""
        return self.mode in ("full", "lora")

    def drawn(self, summed_up: bool) -> int:
        """How many stories of a batch are drawn, by a model that sums up what it reads or by another."""
        return min(DRAWN, self.train.batch_size) if summed_up and self.moves_weights else self.train.batch_size

    @property
    def keeps_old(self) -> bool:
        """Does it learn from old stories, too? Modes that leave all weights as they are can forget nobody."""
        return bool(self.keep_old) and self.moves_weights


#: the paper's, for published weights; what it says nothing of (low ranks, tokens) as diffusers' examples have it
ADAPTATION_PAPER = {
    "full": TrainConfig(learning_rate=1e-5, warmup_steps=0, ema_decay=0.0, batch_size=1, precision="bf16"),
    "lora": TrainConfig(learning_rate=1e-4, warmup_steps=0, ema_decay=0.0, batch_size=1, precision="bf16"),
    "token": TrainConfig(learning_rate=5e-4, warmup_steps=0, weight_decay=0.0, ema_decay=0.0, batch_size=1, precision="bf16"),
    "pin": TrainConfig(),
}
EPOCHS_PAPER = dict.fromkeys(ADAPTATION_PAPER, 100)
#: for the embedded model, which is small and learns fast
ADAPTATION_TOONSV = {
    "full": TrainConfig(learning_rate=1e-3, warmup_steps=10, ema_decay=0.0, batch_size=4, shift=2.5, precision="auto"),
    "lora": TrainConfig(
        learning_rate=1.5e-3, warmup_steps=10, weight_decay=0.0, ema_decay=0.0, batch_size=4, shift=2.5, precision="auto"
    ),
    "token": TrainConfig(
        learning_rate=2e-2, warmup_steps=10, weight_decay=0.0, ema_decay=0.0, batch_size=2, shift=2.5, precision="auto"
    ),
    "pin": TrainConfig(),
}
EPOCHS_TOONSV = {"full": 933, "lora": 600, "token": 900, "pin": 0}


def as_words(names: Sequence[str]) -> tuple[str, ...]:
    """What captions call the character, as the vocabulary writes it. Raises ConfigError."""
    if not names:
        raise ConfigError("--name: got none; expected what captions call the character")
    words = tuple(unicodedata.normalize("NFC", name).lower() for name in names)
    for number, word in enumerate(words):
        if not word.isalpha():
            raise ConfigError(f"--name {word!r}: expected one word of letters, as captions have it")
        if word in words[:number]:
            raise ConfigError(f"--name {word!r}: got twice, for capitals do not count; expected different names")
    return words

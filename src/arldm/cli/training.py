"""`arldm train`."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from arldm.config import to_dict
from arldm.errors import ConfigError
from arldm.recipes import Autoencoder, Recipe
from arldm.train import run

#: the least and the most that an option can be, whatever it is an option of
RANGES: dict[str, tuple[float, float]] = {
    "steps": (1, math.inf),
    "batch": (1, math.inf),
    "gradient_accumulation_steps": (1, math.inf),
    "stories": (1, math.inf),
    "scenes": (1, math.inf),
    "frames": (2, 100),
    "threads": (0, 1024),
    "warmup": (0, math.inf),
    "learning_rate": (0, math.inf),
    "muon": (0, math.inf),
    "weight_decay": (0, math.inf),
    "clip": (0, math.inf),
    "dropout": (0, 1),
    **dict.fromkeys(("layers", "encoder_layers", "text_layers", "vision_layers", "window", "train_timesteps"), (1, math.inf)),
    **dict.fromkeys(("context", "coordinates", "memory", "stem", "summary"), (0, math.inf)),
    **dict.fromkeys(("width", "vision_width", "text_width", "heads", "text_heads", "vision_heads", "groups"), (1, math.inf)),
    **dict.fromkeys(("patch", "channels", "unshuffle", "max_tokens", "vocabulary"), (1, math.inf)),
    "mode_scale": (0, 1.75),  # beyond 2 / (pi - 2) it is no distribution any more
    "shift": (0.01, 100),
    "ema": (0, 1),
    "seed": (0, 2**63 - 1),
}
#: files that a run starts from, and the run that leaves them
STARTS = {"autoencoder": "toonsv-autoencoder", "encoders": "toonsv-encoders"}


def train(recipe: Recipe, out: Path) -> int:
    """Train what the recipe says. Raises ConfigError for an option that cannot be, and that before anything is written."""
    for path, value in _options(to_dict(recipe)):
        option, name = "--" + ".".join(path).replace("_", "-"), path[-1]
        if name in RANGES:
            _check_range(option, value, *RANGES[name])
        if name in STARTS and value is not None and not Path(value).exists():
            raise ConfigError(f"{option}: {value} is not there; run `arldm train {STARTS[name]}` first, or give what it left")
    if isinstance(recipe, Autoencoder):
        _check_sizes(recipe)
    run(recipe, out)
    return 0


def _options(values: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _options(value, (*path, name))
        else:
            yield (*path, name), value


def _check_range(option: str, got: float, least: float, most: float) -> None:
    if not least <= got <= most or math.isinf(got):
        raise ConfigError(f"{option}: got {got}; expected {least} " + (f"to {most}" if most < math.inf else "or more"))


def _check_sizes(recipe: Autoencoder) -> None:
    unit = recipe.latents.downsample
    for option, got, most in (
        ("--picture-size", recipe.picture_size, recipe.picture_size),
        ("--crop", recipe.crop, recipe.picture_size),
    ):
        if got < unit or got % unit or got > most:
            raise ConfigError(f"{option}: got {got}; expected a multiple of {unit} pixels, and no crop larger than the picture")

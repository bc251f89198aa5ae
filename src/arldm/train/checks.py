"""What options of training can be, whoever gives them; raised before anything is written."""

import math
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from arldm.config import TrainConfig, flat, to_dict
from arldm.errors import ConfigError, said
from arldm.evaluate.classifier import check_of_classifier
from arldm.model.latents import Latents
from arldm.recipes import Autoencoder, Classifier, Context, Decoder, Enlarger, Paper, Recipe, ToonSV
from arldm.train.optimizer import NO_BITSANDBYTES
from arldm.train.record import not_installed

#: the least and the most that an option can be, whatever it is an option of
RANGES: dict[str, tuple[float, float]] = {
    "steps": (1, math.inf),
    "batch_size": (1, math.inf),
    "gradient_accumulation_steps": (1, math.inf),
    "epochs": (1, math.inf),
    "given": (0, math.inf),
    "stories": (1, math.inf),
    "scenes": (1, math.inf),
    "thin": (1, 16),
    "frames": (2, 100),
    "threads": (0, 1024),
    **dict.fromkeys(("checkpoint_every", "preview_every"), (0, math.inf)),
    "checkpoints_total_limit": (1, math.inf),
    "warmup_steps": (0, math.inf),
    "learning_rate": (0, math.inf),
    "muon_learning_rate": (0, math.inf),
    "weight_decay": (0, math.inf),
    "max_grad_norm": (0, math.inf),
    "conditioning_dropout": (0, 1),
    "betas": (0, 0.999999),
    **dict.fromkeys(("layers", "encoder_layers", "text_layers", "vision_layers", "window", "train_timesteps"), (1, math.inf)),
    **dict.fromkeys(("context", "coordinates", "memory", "stem", "summary", "choices", "finish", "details"), (0, math.inf)),
    **dict.fromkeys(("width", "vision_width", "text_width", "heads", "text_heads", "vision_heads", "groups"), (1, math.inf)),
    **dict.fromkeys(("patch", "channels", "unshuffle", "max_tokens", "vocabulary"), (1, math.inf)),
    "shift": (0.01, 100),
    "ema_decay": (0, 1),
    "seed": (0, 2**63 - 1),
}
AS_MANY_AS_EPOCHS_TAKE: dict[str, tuple[float, float]] = {"steps": (0, math.inf)}
#: and where that is otherwise
OTHER_RANGES: dict[type[Recipe], dict[str, tuple[float, float]]] = {
    Paper: AS_MANY_AS_EPOCHS_TAKE,
    Classifier: AS_MANY_AS_EPOCHS_TAKE,
    ToonSV: {"scenes": (0, math.inf)},
    Context: {"frames": (3, 100)},
}
#: options of training that are nothing to other recipes: some denoise under a condition, some draw samples
HEEDED_BY: dict[str, tuple[type[Recipe], ...]] = {
    **dict.fromkeys(("conditioning_dropout", "shift"), (ToonSV, Paper)),
    "preview_every": (Autoencoder, Decoder, Enlarger, ToonSV, Paper, Classifier),
}
#: what a run starts from, and the command that leaves it
STARTS = {
    "autoencoder": "arldm train toonsv-autoencoder",
    "encoders": "arldm train toonsv-encoders",
    "denoiser": "arldm train toonsv",
    "dataset": "arldm prepare",
}
EMBEDDED = "toonsv"  # the model that ships with the program
MODELS: dict[type[Recipe], str] = {
    Paper: "arldm init paper",
    Decoder: "arldm train toonsv",
    Enlarger: "arldm train toonsv-decoder",
}


def check_recipe(recipe: Recipe) -> None:
    """Raises ConfigError for an option that cannot be, and where what the run starts from is not there."""
    check_ranges(to_dict(recipe), RANGES | OTHER_RANGES.get(type(recipe), {}))
    _check_starts(recipe)
    _check_heeded(recipe)
    _check_together(recipe.train)
    if isinstance(recipe, Autoencoder):
        _check_sizes(recipe)
    if isinstance(recipe, Paper):
        check_of_classifier(recipe.judges, "--judges.")


def check_train(config: TrainConfig) -> None:
    """Raises ConfigError for an option that cannot be."""
    check_ranges({"train": to_dict(config)}, RANGES | AS_MANY_AS_EPOCHS_TAKE)
    _check_together(config)


def _check_together(config: TrainConfig) -> None:
    if config.muon_learning_rate and not config.learning_rate:
        got = f"--train.learning-rate 0 with --train.muon-learning-rate {config.muon_learning_rate}"
        raise ConfigError(f"{got}: expected both above 0, or neither")
    if config.report_to != "none" and find_spec(config.report_to) is None:
        raise ConfigError(not_installed(config.report_to))
    if config.optimizer == "adamw_8bit" and find_spec("bitsandbytes") is None:
        raise ConfigError(NO_BITSANDBYTES)
    if config.muon_learning_rate and config.optimizer != "adamw":
        got = f"--train.optimizer {config.optimizer} with --train.muon-learning-rate {config.muon_learning_rate}"
        raise ConfigError(f"{got}; expected one of them, use --train.muon-learning-rate 0")


def _check_heeded(recipe: Recipe) -> None:
    usual = type(recipe)().train
    for name, heeding in HEEDED_BY.items():
        if not isinstance(recipe, heeding) and (got := getattr(recipe.train, name)) != getattr(usual, name):
            raise ConfigError(f"--train.{name.replace('_', '-')} {got}: is nothing to this recipe; leave it out")


def check_ranges(options: dict[str, Any], ranges: Mapping[str, tuple[float, float]] = RANGES) -> None:
    """Raises ConfigError, by the option's name on the command line, for a number that is not in its range."""
    for path, value in flat(options):
        for one in value if isinstance(value, list) else [value]:
            if path[-1] in ranges:
                _check_range("--" + ".".join(path).replace("_", "-"), one, *ranges[path[-1]])


def _check_range(option: str, got: float, least: float, most: float) -> None:
    if not least <= got <= most or math.isinf(got):
        raise ConfigError(f"{option}: got {got}; expected {least} " + (f"to {most}" if most < math.inf else "or more"))


def _check_starts(recipe: Recipe) -> None:
    starts = STARTS | {"model": MODELS[type(recipe)]} if type(recipe) in MODELS else STARTS
    for path, value in flat(to_dict(recipe)):
        if path[-1] in starts and value not in (None, EMBEDDED) and not Path(value).exists():
            option = "--" + ".".join(path).replace("_", "-")
            raise ConfigError(f"{option}: {value} is not there; run `{starts[path[-1]]}` first, or give what it left")


def _check_sizes(recipe: Autoencoder) -> None:
    unit = recipe.latents.downsample
    for option, got, most in (
        ("--picture-size", recipe.picture_size, recipe.picture_size),
        ("--crop", recipe.crop, recipe.picture_size),
    ):
        if got < unit or got % unit or got > most:
            raise ConfigError(f"{option}: got {got}; expected a multiple of {unit} pixels, and no crop larger than the picture")
    try:
        with torch.device("meta"):
            module = Latents(recipe.latents)
            module.decode(module.encode(torch.zeros(1, 3, recipe.crop, recipe.crop)))
    except Exception as error:  # whatever the libraries say of it
        raise ConfigError(
            f"--latents: no autoencoder can be built of them ({said(error)}); expected widths of even numbers"
        ) from error

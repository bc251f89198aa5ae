"""`arldm train`."""

import json
import math
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from arldm.cli.preparing import check_installed, check_of_classifier
from arldm.config import TrainConfig, flat, to_dict
from arldm.errors import ConfigError
from arldm.recipes import Autoencoder, Classifier, Context, Decoder, Enlarger, Paper, Recipe, ToonSV
from arldm.train import run
from arldm.train.optimizer import NO_BITSANDBYTES
from arldm.train.record import not_installed

#: the least and the most that an option can be, whatever it is an option of
RANGES: dict[str, tuple[float, float]] = {
    "steps": (1, math.inf),
    "batch": (1, math.inf),
    "gradient_accumulation_steps": (1, math.inf),
    "epochs": (1, math.inf),
    "given": (0, math.inf),
    "stories": (1, math.inf),
    "scenes": (1, math.inf),
    "thin": (1, 16),
    "frames": (2, 100),
    "threads": (0, 1024),
    "warmup": (0, math.inf),
    "learning_rate": (0, math.inf),
    "muon": (0, math.inf),
    "weight_decay": (0, math.inf),
    "clip": (0, math.inf),
    "dropout": (0, 1),
    "betas": (0, 0.999999),
    **dict.fromkeys(("layers", "encoder_layers", "text_layers", "vision_layers", "window", "train_timesteps"), (1, math.inf)),
    **dict.fromkeys(("context", "coordinates", "memory", "stem", "summary", "choices", "finish", "details"), (0, math.inf)),
    **dict.fromkeys(("width", "vision_width", "text_width", "heads", "text_heads", "vision_heads", "groups"), (1, math.inf)),
    **dict.fromkeys(("patch", "channels", "unshuffle", "max_tokens", "vocabulary"), (1, math.inf)),
    "shift": (0.01, 100),
    "ema": (0, 1),
    "seed": (0, 2**63 - 1),
}
AS_MANY_AS_EPOCHS_TAKE: dict[str, tuple[float, float]] = {"steps": (0, math.inf)}
#: and where it can be less in some recipes
OTHER_RANGES: dict[type[Recipe], dict[str, tuple[float, float]]] = {
    Paper: AS_MANY_AS_EPOCHS_TAKE,
    Classifier: AS_MANY_AS_EPOCHS_TAKE,
    ToonSV: {"scenes": (0, math.inf)},
    Context: {"frames": (3, 100)},
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
REACHED = (
    0.2  # of a device's fastest product of matrices, by a U-Net that learns from a few frames at a time: assumed, not measured
)


def train(recipe: Recipe, out: Path) -> int:
    """Train what the recipe says. Raises ConfigError for an option that cannot be, and that before anything is written."""
    _check(recipe)
    run(recipe, out)
    return 0


def foretell(recipe: Paper) -> int:
    """Print what a training would be, and train nothing. What is said of time is a prediction."""
    _check(recipe)
    from arldm.train.memory import sizes, training_peak
    from arldm.train.paper import begin, planned, read_stories
    from arldm.train.stills import size_of
    from arldm.train.work import operations, speed

    recipe = replace(recipe, train=planned(recipe))
    stories = read_stories(recipe)
    model = begin(recipe, stories)
    _, keep = model.tokenizer.encode(stories.told)
    print(json.dumps(to_dict(recipe), indent=1))
    for name, count in sizes(model).items():
        print(f"{name:16} {count / 1e6:8.1f} M")
    learning = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    print(f"{'that learn':16} {learning / 1e6:8.1f} M")
    learned = recipe.train.steps * recipe.train.batch * recipe.train.gradient_accumulation_steps
    print(f"{recipe.train.steps:,} steps; {len(stories):,} stories, each process learns {learned:,} times from one")
    stills = stories.ever_shown
    print(f"{len(stills):,} stills encoded once, {len(stills) * size_of(model) / 2**30:.1f} GiB in the cache")
    held = peak_of_disk(recipe.train, learning)
    print(f"{held / 2**30:.1f} GiB of disk for checkpoints, one every {recipe.train.checkpoint_every:,} steps")
    peak = training_peak(model.config, recipe.train, max(stories.lengths), recipe.given, recipe.freeze).total
    print(f"{peak / 2**30:.1f} GiB at the worst moment on one process, predicted; `arldm plan` tells what saves memory")
    work = operations(model, max(stories.lengths), recipe.given, round(float(keep.sum(1).float().mean())))
    rate, device = speed(recipe.train.precision)
    hours = learned * work / (REACHED * rate) / 3600
    print(f"{work / 1e12:.3g} TFLOP a story, forward and backward; {device} multiplies matrices at {rate / 1e12:.3g} TFLOP/s")
    print(
        f"{hours:.3g} hours, predicted: if training reaches {REACHED:.0%} of that (an assumption), encoding and samples not counted"
    )
    return 0


def peak_of_disk(train: TrainConfig, learning: int) -> int:
    """Bytes of the checkpoints that are kept and of the one that is being written: weights, average and two moments, float32."""
    return 4 * learning * (3 + (train.ema > 0)) * (train.checkpoints + 1)


def _check(recipe: Recipe) -> None:
    if isinstance(recipe, Paper | Classifier):
        check_installed()
    ranges = RANGES | OTHER_RANGES.get(type(recipe), {})
    starts = STARTS | {"model": MODELS[type(recipe)]} if type(recipe) in MODELS else STARTS
    given = ((path, one) for path, value in flat(to_dict(recipe)) for one in (value if isinstance(value, list) else [value]))
    for path, value in given:
        option, name = "--" + ".".join(path).replace("_", "-"), path[-1]
        if name in ranges:
            check_range(option, value, *ranges[name])
        if name in starts and value not in (None, EMBEDDED) and not Path(value).exists():
            raise ConfigError(f"{option}: {value} is not there; run `{starts[name]}` first, or give what it left")
    if recipe.train.muon and not recipe.train.learning_rate:
        raise ConfigError(f"--train.learning-rate 0 with --train.muon {recipe.train.muon}: expected both above 0, or neither")
    if (tracker := recipe.train.report_to) != "none" and find_spec(tracker) is None:
        raise ConfigError(not_installed(tracker))
    if recipe.train.optimizer == "adamw_8bit" and find_spec("bitsandbytes") is None:
        raise ConfigError(NO_BITSANDBYTES)
    if isinstance(recipe, Paper):
        check_of_classifier(recipe.judges, "--judges.")
    if isinstance(recipe, Autoencoder):
        _check_sizes(recipe)


def check_range(option: str, got: float, least: float, most: float) -> None:
    """Raises ConfigError for what is not between the least and the most."""
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

"""`arldm train`."""

import json
from dataclasses import replace
from pathlib import Path

from arldm.cli.preparing import check_installed
from arldm.config import TrainConfig, to_dict
from arldm.recipes import Classifier, Paper, Recipe
from arldm.train import run
from arldm.train.checks import check_recipe

REACHED = (
    0.2  # of a device's fastest product of matrices, by a U-Net that learns from a few frames at a time: assumed, not measured
)


def train(recipe: Recipe, out: Path) -> int:
    """Train what the recipe says. Raises ConfigError for an option that cannot be, and that before anything is written."""
    _check_extras(recipe)
    run(recipe, out)
    return 0


def foretell(recipe: Paper) -> int:
    """Print what a training would be, and train nothing. What is said of time is a prediction."""
    _check_extras(recipe)
    check_recipe(recipe)
    from arldm.train.memory import sizes, training_peak
    from arldm.train.paper import begin, planned, read_stories
    from arldm.train.stills import size_of
    from arldm.train.work import operations, speed

    stories = read_stories(recipe)
    recipe = replace(recipe, train=planned(recipe, len(stories)))
    model = begin(recipe, stories)
    _, keep = model.tokenizer.encode(stories.told)
    print(json.dumps(to_dict(recipe), indent=1))
    for name, count in sizes(model).items():
        print(f"{name:16} {count / 1e6:8.1f} M")
    learning = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    print(f"{'that learn':16} {learning / 1e6:8.1f} M")
    learned = recipe.train.steps * recipe.train.batch_size * recipe.train.gradient_accumulation_steps
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
    """Bytes of the checkpoints that are kept and of the one that is being written: weights, average and two moments."""
    moments = 2 if train.optimizer == "adamw_8bit" else 8  # of a weight; all else is float32
    return learning * (4 + 4 * (train.ema_decay > 0) + moments) * (train.checkpoints_total_limit + 1)


def _check_extras(recipe: Recipe) -> None:
    if isinstance(recipe, Paper | Classifier):
        check_installed()

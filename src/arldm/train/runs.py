"""From a recipe to its run."""

from contextlib import nullcontext
from pathlib import Path

from arldm.errors import ConfigError
from arldm.recipes import Autoencoder, Classifier, Context, Decoder, Encoders, Enlarger, Paper, Reader, Recipe, ToonSV
from arldm.train.asked import asked
from arldm.train.autoencoder import autoencoder
from arldm.train.checks import check_recipe
from arldm.train.context import context
from arldm.train.decoder import decoder
from arldm.train.encoders import encoders
from arldm.train.engine import denormals_flushed, set_up
from arldm.train.enlarger import enlarger
from arldm.train.loop import check_claim
from arldm.train.peers import together
from arldm.train.reader import reader
from arldm.train.toonsv import toonsv
from arldm.writing import clear, is_half, kept_alone

#: what a run writes has such a name until it is whole
HALF_WRITTEN = (
    ".checkpoint-*",
    ".model.*",
    ".*.safetensors.*",
    ".config.json.*",
    ".accuracy.json.*",
    ".metrics.jsonl.*",
    "samples/.*",
)


def run(recipe: Recipe, out: Path) -> None:
    """Train what the recipe says, in the folder `out`; the same call continues a run that was stopped.

    Raises ConfigError if `out` holds a run with other options, OutputError if another process writes there.
    """
    check_recipe(recipe)
    _check_apart(recipe, out)
    state = set_up(recipe.train)  # now: stories and stills are encoded before the training begins
    with denormals_flushed(), together(), kept_alone(out) if state.is_main_process else nullcontext():
        with state.main_process_first():
            if state.is_main_process:
                _sweep(out)
            check_claim(out, asked(recipe))
        _train(recipe, out)


def _check_apart(recipe: Recipe, out: Path) -> None:
    """An archive is known by what lies in its folder, and may not become another while a run writes."""
    dataset = getattr(recipe, "dataset", None)
    for option, folder in (("--out", out), ("--cache", getattr(recipe, "cache", None))):
        if dataset is not None and folder is not None and folder.resolve().is_relative_to(dataset.resolve()):
            raise ConfigError(f"{option}: {folder} lies in --dataset {dataset}; expected a folder outside of it, choose another")


def _train(recipe: Recipe, out: Path) -> None:
    match recipe:
        case Autoencoder():
            autoencoder(recipe, out)
        case Enlarger():
            enlarger(recipe, out)
        case Reader():
            reader(recipe, out)
        case Encoders():
            encoders(recipe, out)
        case Context():
            context(recipe, out)
        case ToonSV():
            toonsv(recipe, out)
        case Decoder():
            decoder(recipe, out)
        case Paper():
            from arldm.train.paper import paper  # what reads archives is not always installed

            paper(recipe, out)
        case Classifier():
            from arldm.train.classifier import classifier

            classifier(recipe, out)


def _sweep(out: Path) -> None:
    """Clear what a killed process had begun to write, and nothing else: `out` may be any folder."""
    for half in [path for pattern in HALF_WRITTEN for path in out.glob(pattern) if is_half(path)]:
        clear(half)

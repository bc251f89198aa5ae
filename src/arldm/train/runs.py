"""From a recipe to its run."""

from pathlib import Path

import torch

from arldm.config import to_dict
from arldm.recipes import Autoencoder, Encoders, Reader, Recipe, ToonSV
from arldm.train.autoencoder import autoencoder
from arldm.train.encoders import encoders
from arldm.train.loop import claim
from arldm.train.reader import reader
from arldm.train.toonsv import toonsv


def run(recipe: Recipe, out: Path) -> None:
    """Train what the recipe says, in the folder `out`; the same call continues a run that was stopped.

    Raises ConfigError if `out` holds a run with other options.
    """
    claim(out, to_dict(recipe))
    if recipe.train.threads:
        torch.set_num_threads(recipe.train.threads)
    match recipe:
        case Autoencoder():
            autoencoder(recipe, out)
        case Reader():
            reader(recipe, out)
        case Encoders():
            encoders(recipe, out)
        case ToonSV():
            toonsv(recipe, out)

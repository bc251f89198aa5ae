"""The autoencoder's run: crops of drawn pictures, and the file it leaves."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from arldm.config import LatentConfig, from_dict, to_dict
from arldm.errors import BROKEN, ArldmError, ModelError, said
from arldm.model.batch import floats, image
from arldm.model.latents import Latents
from arldm.model.noise import derived_seed, seeded
from arldm.pictures import grid
from arldm.recipes import Autoencoder
from arldm.rendered import rendered
from arldm.train.asked import asked
from arldm.train.loop import fit
from arldm.train.record import Sample
from arldm.weight_files import save_half

NAME = "autoencoder.safetensors"


def autoencoder(recipe: Autoencoder, out: Path) -> None:
    """Train the autoencoder; leaves it in `out/autoencoder.safetensors`."""
    cache = recipe.cache or out / "cache"
    with PartialState().main_process_first():
        pictures = rendered(cache, "train", recipe.stories, recipe.picture_size)
        held = floats(rendered(cache, "val", 8, recipe.picture_size)[::5].copy())
    with seeded(recipe.train.seed):
        module = Latents(recipe.latents)
    if module.patches is not None:
        module.patches.measure(some(pictures, 400))

    @torch.no_grad()
    def preview() -> Sample:
        return Sample(grid([image(picture) for picture in (*held, *module.decode(module.encode(held)))], len(held)))

    crops = Crops(pictures, recipe.train.batch_size, recipe.crop, recipe.train.seed)
    fit(module, crops, recipe.train, out, options=asked(recipe), preview=preview)
    module.measure(some(pictures, 1000))
    if PartialState().is_main_process:
        save_autoencoder(module, out / NAME)


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """Random squares of random pictures, each by its place in the run: batches that depend on their number alone."""

    pictures: np.ndarray  # (n, size, size, 3) uint8
    batch_size: int
    size: int
    seed: int

    def __call__(self, number: int) -> Tensor:
        """Batch number `number`: (batch, 3, size, size)."""
        return floats(np.stack([self._square(number * self.batch_size + k) for k in range(self.batch_size)]))

    def _square(self, place: int) -> np.ndarray:
        dice = np.random.Generator(np.random.Philox(key=derived_seed("crops", self.seed, place)))
        y, x = dice.integers(0, self.pictures.shape[1] - self.size + 1, 2)
        return self.pictures[dice.integers(0, len(self.pictures)), y : y + self.size, x : x + self.size]


def save_autoencoder(module: Latents, path: Path) -> None:
    """Write weights, statistics and config into one file."""
    # halved now, as it will be in the model's folder: so all that follows is made with just this one
    save_half(module, path, {"latents": json.dumps(to_dict(module.config))})


def load_autoencoder(path: Path) -> Latents:
    """The autoencoder that `save_autoencoder` wrote. Raises ModelError where there is none."""
    try:
        with safe_open(path, "pt") as file:
            config = from_dict(LatentConfig, json.loads(file.metadata()["latents"]))
        module = Latents(config)
        module.load_state_dict(load_file(path), strict=True)
    except (*BROKEN, SafetensorError, ArldmError) as error:
        message = f"{path}: no autoencoder can be read ({said(error)}); run `arldm train toonsv-autoencoder` first"
        raise ModelError(message) from error
    return module.eval().requires_grad_(False)


def some(pictures: np.ndarray, count: int, batch: int = 8) -> Iterator[Tensor]:
    """About `count` pictures spread over all of them, in batches (batch, 3, size, size) in [-1, 1]."""
    chosen = range(0, len(pictures), max(1, len(pictures) // count))[:count]
    for first in range(0, len(chosen), batch):
        yield floats(np.stack([pictures[i] for i in chosen[first : first + batch]]))

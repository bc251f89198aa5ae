"""Runs the recipes: data, module, loop, and what is kept at the end."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from arldm.config import LatentConfig, from_dict, to_dict
from arldm.errors import ModelError
from arldm.model.batch import PictureBatch, image
from arldm.model.latents import Latents
from arldm.model.noise import seeded
from arldm.recipes import Autoencoder
from arldm.rendered import rendered
from arldm.train import claim, derived_seed, fit


def autoencoder(recipe: Autoencoder, out: Path) -> None:
    """Train the autoencoder; leaves it in `out/autoencoder.safetensors`."""
    if recipe.train.threads:
        torch.set_num_threads(recipe.train.threads)
    claim(out, {"latents": to_dict(recipe.latents), "data": {"stories": recipe.stories, "crop": recipe.crop}})
    pictures = rendered(out / "cache", "train", recipe.stories, 256)
    with seeded(recipe.train.seed):
        module = Latents(recipe.latents)
    if module.patches is not None:
        module.patches.measure(some(pictures, 400))
    held = torch.cat(list(some(rendered(out / "cache", "val", 2, 256), 6)))

    def batches(step: int) -> PictureBatch:
        return PictureBatch(crops(pictures, recipe.train.batch, recipe.crop, derived_seed("crops", recipe.train.seed, step)))

    @torch.no_grad()
    def preview() -> Image.Image:
        return grid([image(picture) for picture in torch.cat([held, module.decode(module.encode(held))])], len(held))

    fit(module, batches, recipe.train, out, preview=preview)
    module.measure(some(pictures, 1000))
    save_file(module.state_dict(), out / "autoencoder.safetensors", metadata={"latents": json.dumps(to_dict(recipe.latents))})


def load_autoencoder(path: Path) -> Latents:
    """The autoencoder that `autoencoder` left. Raises ModelError where there is none."""
    try:
        with safe_open(path, "pt") as file:
            config = from_dict(LatentConfig, json.loads(file.metadata()["latents"]))
        module = Latents(config)
        module.load_state_dict(load_file(path), strict=True)
    except (OSError, SafetensorError, KeyError, TypeError, RuntimeError) as error:
        message = f"{path}: no autoencoder can be read ({str(error).splitlines()[0]}); run `arldm train toonsv-autoencoder` first"
        raise ModelError(message) from error
    return module.eval().requires_grad_(False)


def some(pictures: np.ndarray, count: int, batch: int = 8) -> Iterator[Tensor]:
    """About `count` pictures spread over all of them, in batches (batch, 3, size, size) in [-1, 1]."""
    chosen = range(0, len(pictures), max(1, len(pictures) // count))[:count]
    for first in range(0, len(chosen), batch):
        yield floats(np.stack([pictures[i] for i in chosen[first : first + batch]]))


def crops(pictures: np.ndarray, count: int, size: int, seed: int) -> Tensor:
    """Random squares of random pictures: (count, 3, size, size) in [-1, 1]."""
    dice = np.random.Generator(np.random.Philox(key=seed))
    numbers = dice.integers(0, len(pictures), count)
    tops, lefts = dice.integers(0, pictures.shape[1] - size + 1, (2, count))
    return floats(np.stack([pictures[n, y : y + size, x : x + size] for n, y, x in zip(numbers, tops, lefts, strict=True)]))


def floats(pictures: np.ndarray) -> Tensor:
    """uint8 (n, size, size, 3) to (n, 3, size, size) in [-1, 1]."""
    return torch.from_numpy(pictures).movedim(-1, 1).float() / 127.5 - 1


def grid(pictures: Sequence[Image.Image], columns: int) -> Image.Image:
    """Pictures of one size, row after row."""
    width, height = pictures[0].size
    sheet = Image.new("RGB", (columns * width, -(-len(pictures) // columns) * height), "white")
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (i % columns * width, i // columns * height))
    return sheet

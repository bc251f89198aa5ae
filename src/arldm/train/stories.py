"""ToonSV stories as the arrays a training step needs: latents and small pictures, made once; captions as token ids."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from PIL import Image
from torch import Tensor

from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch, assemble, floats, small
from arldm.rendered import Rows, drawn, look
from arldm.sample import check_length
from arldm.toonsv import plot


@dataclass(frozen=True, slots=True, eq=False)
class CachedStories:
    """Stories of one length. Arrays hold story after story, frame after frame."""

    frames: int
    latents: np.ndarray  # (story * frame, channel, h, w) float16, normalised; (story * frame, 0) where nobody asked for them
    small: np.ndarray  # (story * frame, past_size, past_size, 3) uint8
    captions: tuple[Tensor, Tensor, Tensor, Tensor]  # ids and keep by CLIP's tokenizer, the same by BLIP's; (story * frame, token)
    name: str  # of the files that hold them
    origin: str  # what the pictures were made from

    def __len__(self) -> int:
        return len(self.small) // self.frames

    def rows(self, stories: Sequence[int]) -> np.ndarray:
        """Which rows of the arrays are the frames of some stories, one story after the other."""
        return (np.asarray(stories)[:, None] * self.frames + np.arange(self.frames)).flatten()

    def batch(self, stories: Sequence[int]) -> StoryBatch:
        """Some of the stories, by number."""
        rows = self.rows(stories)
        shape = (len(stories), self.frames)
        ids = [values[rows].unflatten(0, shape) for values in self.captions]
        pictures = torch.from_numpy(self.small[rows]).unflatten(0, shape)
        return assemble(*ids, small_pictures=pictures, latents=torch.from_numpy(self.latents[rows]).unflatten(0, shape))


def turn(number: int, size: int, count: int, seed: int) -> list[int]:
    """Whose turn it is in batch `number`: each epoch goes through all `count` in an order of its own."""
    return [chosen for _, chosen in turns(number, size, count, seed)]


def turns(number: int, size: int, count: int, seed: int) -> list[tuple[int, int]]:
    """The same, each with its epoch."""
    places = [divmod(place, count) for place in range(number * size, (number + 1) * size)]
    orders = {epoch: _shuffled(count, seed, epoch) for epoch in {epoch for epoch, _ in places}}
    return [(epoch, int(orders[epoch][place])) for epoch, place in places]


def _shuffled(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(count)


def cached(model: ARLDM, folder: Path, split: str, stories: int, frames: int = 5, *, encoded: bool = True) -> CachedStories:
    """The first `stories` stories of a split; kept in `folder`, continued if interrupted. `encoded`: by the model's autoencoder.

    Raises CaptionError, ConfigError, before anything is drawn, where the model cannot tell such stories.
    """
    check_length(model, frames)
    captions = [shot.caption for story in range(stories) for shot in plot(split, story, frames)]
    ids = (*model.tokenizer.encode(captions), *model.past_tokenizer.encode(captions))
    config, size = model.config, model.config.picture_size
    side, seen = size // config.latents.downsample, config.past.picture_size
    name, origin = f"{split}-{stories}x{frames}", look(size, split, frames)
    shape = (stories * frames, config.latents.channels, side, side)
    latents = Rows(folder, f"{name}-latents", shape, np.float16, f"{origin} {fingerprint(model.latents)}") if encoded else None
    smalls = Rows(folder, f"{name}-small-{seen}", (stories * frames, seen, seen, 3), np.uint8, origin)
    first = smalls.done if latents is None else min(latents.done, smalls.done)
    for block in drawn(split, range(first // frames, stories), size, frames):
        pictures = block.reshape(-1, size, size, 3)
        if latents is not None:
            latents.put(first, in_latents(model, pictures))
        smalls.put(first, np.stack([small(Image.fromarray(picture), seen).numpy() for picture in pictures]))
        first += len(pictures)
    none = np.empty((stories * frames, 0), np.float16)
    return CachedStories(frames, none if latents is None else latents.array, smalls.array, ids, name, origin)


@torch.no_grad()
def in_latents(model: ARLDM, pictures: np.ndarray, batch: int = 10) -> np.ndarray:
    """Pictures (n, size, size, 3) uint8 by the model's autoencoder: (n, channel, h, w) float16, normalised."""
    device = PartialState().device  # where it will learn; a model that is not yet there is on the CPU
    model.latents.to(device)
    parts = [model.latents.encode(floats(pictures[i : i + batch]).to(device)) for i in range(0, len(pictures), batch)]
    return torch.cat(parts).cpu().half().numpy()


def fingerprint(module: torch.nn.Module) -> str:
    """A short name for exactly these weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]

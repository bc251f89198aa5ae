"""ToonSV stories as the arrays a training step needs: latents and small pictures, made once; captions as token ids."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch, assemble, floats, small
from arldm.rendered import Rows, drawn, look
from arldm.toonsv import plot


@dataclass(frozen=True, slots=True, eq=False)
class CachedStories:
    """Stories of one length. Arrays hold story after story, frame after frame."""

    frames: int
    latents: np.ndarray  # (story * frame, channel, h, w) float16, normalised
    small: np.ndarray  # (story * frame, past_size, past_size, 3) uint8
    captions: tuple[Tensor, Tensor, Tensor, Tensor]  # ids and keep by CLIP's tokenizer, the same by BLIP's; (story * frame, token)

    def __len__(self) -> int:
        return len(self.latents) // self.frames

    def batch(self, stories: Sequence[int], still: bool = False) -> StoryBatch:
        """Some of the stories, by number. `still`: half of each, every frame told twice, so that the past shows what to draw."""
        order = np.arange(self.frames) // (2 if still else 1)
        begins = [story * self.frames + story % (self.frames - order[-1]) for story in stories]
        rows = np.concatenate([begin + order for begin in begins])
        shape = (len(stories), self.frames)
        ids = [values[rows].unflatten(0, shape) for values in self.captions]
        pictures = torch.from_numpy(self.small[rows]).unflatten(0, shape)
        return assemble(*ids, small_pictures=pictures, latents=torch.from_numpy(self.latents[rows]).unflatten(0, shape))

    def numbered(self, number: int, size: int, seed: int, still: int = 0) -> StoryBatch:
        """Batch number `number` of `size` stories, the first `still` batches standing still; it depends on these four alone."""
        return self.batch(turn(number, size, len(self), seed), number < still)


def turn(number: int, size: int, count: int, seed: int) -> list[int]:
    """Whose turn it is in batch `number`: each epoch goes through all `count` in an order of its own."""
    places = range(number * size, (number + 1) * size)
    orders = {epoch: _shuffled(count, seed, epoch) for epoch in {place // count for place in places}}
    return [int(orders[place // count][place % count]) for place in places]


def _shuffled(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(count)


def cached(model: ARLDM, folder: Path, split: str, stories: int, frames: int = 5) -> CachedStories:
    """The first `stories` stories of a split, encoded by the model's autoencoder; kept in `folder`, continued if interrupted."""
    config, size = model.config, model.config.picture_size
    side, seen = size // config.latents.downsample, config.past.picture_size
    name, origin = f"{split}-{stories}x{frames}", look(size)
    shape = (stories * frames, config.latents.channels, side, side)
    latents = Rows(folder, f"{name}-latents", shape, np.float16, f"{origin} {_fingerprint(model.latents)}")
    smalls = Rows(folder, f"{name}-small-{seen}", (stories * frames, seen, seen, 3), np.uint8, origin)
    first = min(latents.done, smalls.done)
    for block in drawn(split, range(first // frames, stories), size, frames):
        pictures = block.reshape(-1, size, size, 3)
        latents.put(first, _encoded(model, pictures))
        smalls.put(first, np.stack([small(Image.fromarray(picture), seen).numpy() for picture in pictures]))
        first += len(pictures)
    captions = [shot.caption for story in range(stories) for shot in plot(split, story, frames)]
    ids = (*model.tokenizer.encode(captions), *model.past_tokenizer.encode(captions))
    return CachedStories(frames, latents.array, smalls.array, ids)


@torch.no_grad()
def _encoded(model: ARLDM, pictures: np.ndarray, batch: int = 10) -> np.ndarray:
    parts = [model.latents.encode(floats(pictures[i : i + batch]).to(model.device)) for i in range(0, len(pictures), batch)]
    return torch.cat(parts).cpu().half().numpy()


def _fingerprint(module: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]

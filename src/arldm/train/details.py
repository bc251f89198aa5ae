"""A loss to which small things count more: hats and faces cover so little of a picture that a denoiser learns them last."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from arldm.model.arldm import ARLDM
from arldm.model.batch import ReadBatch, StoryBatch
from arldm.model.condition import Moved
from arldm.rendered import Rows, drawn, look
from arldm.toonsv.details import DIFFERENT, FINE, KINDS, details
from arldm.train.read import ReadStories
from arldm.train.scenes import Scenes
from arldm.train.stories import CachedStories, turn


@dataclass(frozen=True, slots=True)
class DetailedBatch(Moved):
    """Stories with how much each cell of their latents counts."""

    stories: StoryBatch | ReadBatch
    weights: Tensor  # (batch, frame, h, w), about 1 in the mean over all stories

    def beside(self, other: "DetailedBatch") -> "DetailedBatch":
        """These stories and then others; all were read once."""
        assert isinstance(self.stories, ReadBatch)
        assert isinstance(other.stories, ReadBatch)
        return DetailedBatch(self.stories.beside(other.stories), torch.cat((self.weights, other.weights)))


class Detailed(nn.Module):
    """A model whose loss is weighted cell by cell."""

    def __init__(self, model: ARLDM) -> None:
        super().__init__()
        self.model = model

    def loss(self, batch: DetailedBatch, generators: list[torch.Generator]) -> Tensor:
        """The model's own, weighted."""
        errors = self.model.errors(batch.stories, generators)  # (batch * frame, channel, h, w)
        return (errors * batch.weights.flatten(0, 1)[:, None]).mean()


def weights(folder: Path, split: str, stories: Sequence[int], frames: int, cells: int, more: float) -> np.ndarray:
    """How much each cell of drawn stories, by number, counts: float32 (story * frame, cells, cells), 1 in the mean.

    A cell that shows a kind of detail counts 1 + `more` / sqrt(share of all cells that show this kind), so that what is seldom seen
    counts more often than it is seen. What was looked at is kept in `folder`, continued if interrupted.
    """
    if not more:
        return np.ones((len(stories) * frames, cells, cells), np.float32)
    shape, masks = (len(stories) * frames, len(KINDS), cells, cells), (KINDS, FINE, DIFFERENT)
    origin = f"{look(FINE * cells, split, frames, stories)} {masks}"
    rows = Rows(folder, f"{split}-{len(stories)}x{frames}-details-{cells}", shape, np.bool_, origin)
    for block in drawn(split, stories[rows.done // frames :], cells, frames, details):
        rows.put(rows.done, block.reshape(-1, *shape[1:]))
    shares = rows.array.mean((0, 2, 3)).clip(1e-9)
    counted = 1 + more * np.einsum("nkhw,k->nhw", rows.array.astype(np.float32), (shares**-0.5).astype(np.float32))
    return counted / counted.mean()


@dataclass(frozen=True, slots=True, eq=False)
class DetailedStories:
    """Stories to be learned from, or what stands in their place, with how much each cell of them counts."""

    stories: CachedStories | ReadStories | Scenes
    counted: np.ndarray  # (row, h, w), as `weights` has it

    def batch(self, number: int, size: int, seed: int) -> DetailedBatch:
        """Batch `number` of so many."""
        chosen = turn(number, size, len(self.stories), seed)
        return detailed(self.stories.batch(chosen), self.counted[self.stories.rows(chosen)])


def detailed(stories: StoryBatch | ReadBatch, counted: np.ndarray) -> DetailedBatch:
    """A batch with its weights, (batch * frame, h, w)."""
    return DetailedBatch(stories, torch.from_numpy(counted).unflatten(0, stories.latents.shape[:2]))

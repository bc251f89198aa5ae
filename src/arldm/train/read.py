"""Where nothing of the condition learns, every frame's is read once and kept: a step is then the U-Net alone."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from torch import Tensor, nn
from tqdm import tqdm

from arldm.model.arldm import ARLDM
from arldm.model.batch import ReadBatch
from arldm.model.condition import Condition
from arldm.rendered import Rows
from arldm.toonsv.questions import TO_DRAW
from arldm.train.stories import CachedStories, fingerprint

BLOCK = 8  # stories that are read at once


@dataclass(frozen=True, slots=True, eq=False)
class ReadStories:
    """Cached stories with the condition of every frame."""

    stories: CachedStories
    tokens: np.ndarray  # (story * frame, summary, dim) float32: halves would be another lesson
    null: Condition  # (1, 1, summary, dim)

    def __len__(self) -> int:
        return len(self.stories)

    def rows(self, stories: Sequence[int]) -> np.ndarray:
        """Which rows of the arrays are the frames of some stories."""
        return self.stories.rows(stories)

    def batch(self, stories: Sequence[int]) -> ReadBatch:
        """Some of the stories, by number."""
        rows = self.rows(stories)
        return self.batch_of(self.tokens[rows], self.stories.latents[rows])

    def batch_of(self, tokens: np.ndarray, latents: np.ndarray) -> ReadBatch:
        """Tokens (story * frame, summary, dim) and latents (story * frame, channel, h, w) as stories of this length."""
        told, drawn = (torch.from_numpy(rows).unflatten(0, (-1, self.stories.frames)) for rows in (tokens, latents))
        return ReadBatch(Condition(told, torch.ones(told.shape[:3], dtype=torch.bool)), self.null, drawn.float())


def reads_once(model: ARLDM) -> bool:
    """Does all stay as it is that makes the condition, and is that summed up in a token for each fact to draw?

    The paper's condition is not: every token of every visible frame, a megabyte a frame, and another one in each epoch.
    """
    learning = any(weight.requires_grad for part in _parts(model) for weight in part.parameters())
    return model.config.summary == len(TO_DRAW) and not learning


@torch.no_grad()
def read(model: ARLDM, stories: CachedStories, folder: Path, shown: Tensor) -> ReadStories:
    """The stories with their conditions, kept in `folder`, continued if interrupted.

    They are told what the pictures have: `shown` (story * frame, summary), negative where nothing is to be seen.
    """
    weights = [fingerprint(part) for part in _parts(model)]
    read_by = hashlib.sha256(repr((weights, model.config, model.history)).encode()).hexdigest()[:16]
    shape = (len(stories) * stories.frames, model.config.summary, model.config.text.width)
    told = hashlib.sha256(b"".join(one.numpy().tobytes() for one in (shown, *stories.captions))).hexdigest()[:16]
    rows = Rows(folder, f"{stories.name}-decided-{read_by}", shape, np.float32, f"{stories.origin} {told}")
    training, device = model.training, model.device
    model.eval().to(PartialState().device)
    blocks = range(rows.done // stories.frames, len(stories), BLOCK)
    for first in tqdm(blocks, desc="reading", unit="block", mininterval=5, disable=len(blocks) < 2):
        block = stories.batch(range(first, min(first + BLOCK, len(stories)))).to(model.device)
        condition = model.condition(block, torch.zeros(block.caption_ids.shape[:2], dtype=torch.bool, device=model.device))
        size = condition.tokens.shape[:3]
        true = shown[first * stories.frames :][: size[0] * size[1]].view(size)
        lots = torch.rand(size, generator=torch.Generator().manual_seed(first))
        condition = model.decided(condition, lots.to(model.device), true.to(model.device))
        rows.put(first * stories.frames, condition.tokens.flatten(0, 1).float().cpu().numpy())
    null = model.null().to("cpu")
    model.train(training).to(device)
    return ReadStories(stories, rows.array, null)


def _parts(model: ARLDM) -> list[nn.Module]:
    """What makes the condition."""
    return [part for part in (model.text_encoder, model.history_encoder, model.conditioner, model.prior) if part is not None]

"""Caption, history, type and position -> Condition; who may see whom. Built here alone, for training and for sampling."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import pad

from arldm.config import Positions
from arldm.errors import ConfigError


class Moved:
    """A record of tensors, and of records of tensors, that moves as a whole."""

    __slots__ = ()

    def to(self, device: torch.device | str) -> Self:
        """The same on another device."""
        held = {one.name: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]
        return replace(self, **{name: one.to(device) for name, one in held.items() if one is not None})  # type: ignore[type-var]


@dataclass(frozen=True, slots=True)
class Condition(Moved):
    """What the U-Net attends to, or the context before it. Tokens that are not kept are exactly inert."""

    tokens: Tensor  # (batch, frame, token + past * past_token, dim), or (batch, frame, summary, dim)
    keep: Tensor  # (batch, frame, token + past * past_token), or (batch, frame, summary); True = may be seen

    def folded(self) -> "Condition":
        """Frames folded into the batch, as the U-Net takes them: (batch * frame, token, dim)."""
        return Condition(rearrange(self.tokens, "batch frame token dim -> (batch frame) token dim"), self.keep.flatten(0, 1))

    def without(self, dropped: Tensor, null: "Condition") -> "Condition":
        """The same, but `null` (1, 1, token, dim), of no more tokens, where `dropped` (batch, frame)."""
        missing = self.tokens.shape[2] - null.tokens.shape[2]
        tokens, keep = pad(null.tokens, (0, 0, 0, missing)), pad(null.keep, (0, missing), value=False)
        return Condition(
            torch.where(dropped[:, :, None, None], tokens, self.tokens), torch.where(dropped[:, :, None], keep, self.keep)
        )


@dataclass(frozen=True, slots=True)
class PastTokens:
    """The frames already drawn, each read once by the history encoder."""

    tokens: Tensor  # (batch, past, token, dim)
    keep: Tensor  # (batch, past, token)
    frames: Sequence[int]  # (past); which frame of the story each is


class Conditioner(nn.Module):
    """Adds type and position embeddings and joins what a frame may see, as AR-LDM does.

    `absolute` positions are the paper's: position[j] of a table of window + 1. `relative` ones count back from the frame that is
    drawn, so that stories of any length work: row k for what is k frames back, up to the window, as far as whose end counts what is
    pinned from beyond. With `layers` FAR rows more, of which each reaches twice as far and the last to the end. (Row 0 is unused.)

    With `layers`, learned queries read caption and history together, up to `memory` frames back, so that "she" finds who was there
    and "the beach" how it looked, and become a few tokens (as in BLIP-2's Q-Former) that sum up all that the U-Net is to know. The
    paper leaves that to the U-Net's cross-attention, which takes pretraining that nobody has on a laptop (docs/paper.md).
    """

    FAR = 2  # doublings of the distance beyond the window; what is farther is as far as that

    def __init__(
        self, dim: int, window: int, positions: Positions, layers: int = 0, heads: int = 4, summary: int = 0, memory: int = 0
    ) -> None:
        super().__init__()
        self.window, self.memory = window, max(window, memory) if layers else window
        self.relative = positions == "relative"
        self.types = nn.Embedding(2, dim)  # 0 = this frame's caption, 1 = history
        self.positions = nn.Embedding(window + 1 + (self.FAR if self.relative and layers else 0), dim)
        nn.init.normal_(self.types.weight, std=0.02)  # small beside the tokens, as CLIP's and BERT's tables begin
        nn.init.normal_(self.positions.weight, std=0.3)  # smaller ones, short runs would never learn to tell apart
        self.context = _context(dim, layers, heads) if layers else None
        self.queries = nn.Parameter(torch.randn(summary, dim) * 0.5) if layers else None  # (summary, dim)

    def forward(
        self,
        caption: Tensor,
        caption_keep: Tensor,
        frames: Sequence[int],
        past: PastTokens | None,
        *,
        hidden: Tensor | None = None,
        pinned: Collection[int] = (),
    ) -> Condition:
        """The condition of some frames of each story.

        caption (batch, frame, token, dim) and caption_keep (batch, frame, token) belong to the frames numbered `frames`;
        `past` may hold any frames of the same stories; `hidden` (batch, frame) takes the whole history from a frame.
        """
        joined = Condition(caption + self.types.weight[0], caption_keep)
        if past is not None:
            history = self._history([self.visible(t, past.frames, pinned) for t in frames], frames, past, hidden)
            joined = Condition(*(torch.cat(pair, dim=2) for pair in ((joined.tokens, history.tokens), (joined.keep, history.keep))))
        return joined if self.context is None else self._summed_up(joined)

    def answers(self, summary: Tensor) -> Tensor:
        """What was found, without the queries: (.., summary, dim)."""
        assert self.queries is not None
        return summary - self.queries

    def summary(self, answers: Tensor) -> Tensor:
        """The other way round."""
        assert self.queries is not None
        return self.queries + answers

    def visible(self, frame: int, past: Sequence[int], pinned: Collection[int] = ()) -> list[int]:
        """Which entries of `past` a frame may see: earlier ones, as far as memory reaches, or pinned."""
        return [k for k, j in enumerate(past) if j < frame and (frame - j <= self.memory or j in pinned)]

    def row(self, frame: int, past: int) -> int:
        """The row of the position table for `past` as seen from `frame`. Raises ConfigError where absolute positions end."""
        if self.relative:
            distance, last = frame - past, self.positions.num_embeddings - 1
            beyond = math.ceil(math.log2(distance / self.window)) if distance > self.window else 0
            return min(distance, self.window + beyond, last)
        self.check_length(past + 1)
        return max(past, 0)  # what is pinned from before the story is as its beginning

    def check_length(self, frames: int) -> None:
        """Raises ConfigError if a story of that many frames has no positions."""
        if not self.relative and frames > self.window + 1:
            limit = self.window + 1
            raise ConfigError(f"story has {frames} frames; absolute positions end at {limit}, use a model with relative ones")

    def _history(self, seen: Sequence[list[int]], frames: Sequence[int], past: PastTokens, hidden: Tensor | None) -> Condition:
        """The past that each frame sees, in a row: entries `seen` of `past`, filled up with what is not kept."""
        most, device = max(len(row) for row in seen), past.tokens.device
        index = torch.tensor([row + [0] * (most - len(row)) for row in seen], dtype=torch.long, device=device)  # (frame, past)
        real = torch.tensor([[k < len(row) for k in range(most)] for row in seen], dtype=torch.bool, device=device)
        rows = torch.tensor(
            [[self.row(t, past.frames[k]) for k in row] + [0] * (most - len(row)) for t, row in zip(frames, seen, strict=True)],
            dtype=torch.long,
            device=device,
        )
        marks = self.types.weight[1] + self.positions(rows)  # (frame, past, dim)
        history = past.tokens[:, index] + marks[:, :, None]  # (batch, frame, past, token, dim)
        keep = past.keep[:, index] & real[:, :, None]  # (batch, frame, past, token)
        if hidden is not None:
            keep = keep & ~hidden[:, :, None, None]
        return Condition(rearrange(history, "batch frame past token dim -> batch frame (past token) dim"), keep.flatten(2))

    def _summed_up(self, read: Condition) -> Condition:
        """What the queries found in all that a frame may see, each with the query itself: (batch, frame, summary, dim)."""
        assert self.context is not None
        assert self.queries is not None
        folded = read.folded()
        queries = self.queries.expand(len(folded.tokens), -1, -1)
        answers = self.context(queries, folded.tokens, memory_key_padding_mask=~folded.keep)
        summary = (queries + answers).unflatten(0, read.keep.shape[:2])
        return Condition(summary, torch.ones(summary.shape[:3], dtype=torch.bool, device=summary.device))


def _context(dim: int, layers: int, heads: int) -> nn.TransformerDecoder:
    """Queries look at each other and at what there is to read, and think, layer after layer."""
    layer = nn.TransformerDecoderLayer(dim, heads, 2 * dim, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
    return nn.TransformerDecoder(layer, layers, nn.LayerNorm(dim))

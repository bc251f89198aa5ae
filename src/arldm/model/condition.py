"""Caption, history, type and position -> Condition; who may see whom. Built here alone, for training and for sampling."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn

from arldm.config import Positions
from arldm.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Condition:
    """What the U-Net attends to. Tokens that are not kept are exactly inert."""

    tokens: Tensor  # (batch, frame, token * (1 + past), dim)
    keep: Tensor  # (batch, frame, token * (1 + past)); True = may be seen

    def folded(self) -> "Condition":
        """Frames folded into the batch, as the U-Net takes them: (batch * frame, token, dim)."""
        return Condition(rearrange(self.tokens, "batch frame token dim -> (batch frame) token dim"), self.keep.flatten(0, 1))


@dataclass(frozen=True, slots=True)
class PastTokens:
    """The frames already drawn, each read once by the history encoder."""

    tokens: Tensor  # (batch, past, token, dim)
    keep: Tensor  # (batch, past, token)
    frames: Sequence[int]  # (past); which frame of the story each is


class Conditioner(nn.Module):
    """Adds type and position embeddings and joins what a frame may see, as AR-LDM does.

    `absolute` positions are the paper's: position[j] of a table of window + 1. `relative` ones count back from the frame that is
    drawn, so that stories of any length work; beyond the table they stay at its last row.
    """

    def __init__(self, dim: int, window: int, positions: Positions) -> None:
        super().__init__()
        self.window = window
        self.relative = positions == "relative"
        self.types = nn.Embedding(2, dim)  # 0 = this frame's caption, 1 = history
        self.positions = nn.Embedding(window + 1, dim)
        nn.init.normal_(self.types.weight, std=0.02)  # small beside the tokens, as CLIP's and BERT's tables begin
        nn.init.normal_(self.positions.weight, std=0.3)  # smaller ones, short runs would never learn to tell apart

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
        tokens = caption + self.types.weight[0]
        if past is None or not (seen := [self.visible(t, past.frames, pinned) for t in frames]) or not any(seen):
            return Condition(tokens, caption_keep)
        most = max(len(row) for row in seen)
        index = torch.tensor([row + [0] * (most - len(row)) for row in seen], device=caption.device)  # (frame, past)
        real = torch.tensor([[k < len(row) for k in range(most)] for row in seen], device=caption.device)
        rows = torch.tensor(
            [[self.row(t, past.frames[k]) for k in row] + [0] * (most - len(row)) for t, row in zip(frames, seen, strict=True)],
            device=caption.device,
        )
        marks = self.types.weight[1] + self.positions(rows)  # (frame, past, dim)
        history = past.tokens[:, index] + marks[:, :, None]  # (batch, frame, past, token, dim)
        history_keep = past.keep[:, index] & real[:, :, None]  # (batch, frame, past, token)
        if hidden is not None:
            history_keep = history_keep & ~hidden[:, :, None, None]
        return Condition(
            torch.cat([tokens, rearrange(history, "batch frame past token dim -> batch frame (past token) dim")], dim=2),
            torch.cat([caption_keep, history_keep.flatten(2)], dim=2),
        )

    def visible(self, frame: int, past: Sequence[int], pinned: Collection[int] = ()) -> list[int]:
        """Which entries of `past` a frame may see: earlier ones, within the window or pinned."""
        return [k for k, j in enumerate(past) if j < frame and (frame - j <= self.window or j in pinned)]

    def row(self, frame: int, past: int) -> int:
        """The row of the position table for `past` as seen from `frame`. Raises ConfigError where absolute positions end."""
        if self.relative:
            return min(frame - past, self.window)
        self.check_length(past + 1)
        return past

    def check_length(self, frames: int) -> None:
        """Raises ConfigError if a story of that many frames has no positions."""
        if not self.relative and frames > self.window + 1:
            limit = self.window + 1
            raise ConfigError(f"story has {frames} frames; absolute positions end at {limit}, use a model with relative ones")

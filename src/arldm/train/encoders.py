"""The encoders' first lesson: to tell the facts of a frame. In the paper CLIP and BLIP come pretrained; here they learn.

The caption's encoder tells what the caption says; the history's encoder tells all that is true in the picture it looks at.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from torch import Tensor, nn

from arldm.config import to_dict
from arldm.model.arldm import ARLDM
from arldm.model.batch import normalised
from arldm.model.history import HistoryEncoder
from arldm.model.noise import seeded
from arldm.model.text import TextEncoder
from arldm.recipes import Encoders
from arldm.toonsv import plot
from arldm.toonsv.cast import Key
from arldm.toonsv.questions import ABSENT, QUESTIONS, answers
from arldm.train import checkpoint
from arldm.train.loop import fit
from arldm.train.stories import CachedStories, cached, turn
from arldm.train.toonsv import begin

NAME = "encoders.safetensors"  # in the run's folder


def encoders(recipe: Encoders, out: Path) -> None:
    """Train the encoders; leaves them in `out/encoders.safetensors`."""
    model = begin(recipe.toonsv)
    with PartialState().main_process_first():
        data = cached(model, recipe.toonsv.cache or out / "cache", "train", recipe.toonsv.stories, recipe.toonsv.frames)
    rows = [shot.facts for story in range(recipe.toonsv.stories) for shot in plot("train", story, recipe.toonsv.frames)]
    true = np.stack([answers({Key(f.entity, f.attribute): f.value for f in facts}) for facts in rows])
    told = np.stack([answers({Key(f.entity, f.attribute): f.value for f in facts if f.source == "caption"}) for facts in rows])
    with seeded(recipe.train.seed):
        module = FactReading(model)
    fit(
        module,
        lambda number: lesson(data, true, told, turn(number, recipe.train.batch, len(rows), recipe.train.seed)),
        recipe.train,
        out,
        options=to_dict(recipe),
    )
    kept = {name: tensor for name, tensor in module.state_dict().items() if not name.startswith("answer")}
    if PartialState().is_main_process:
        checkpoint.save_whole(kept, out / NAME)


@dataclass(frozen=True, slots=True)
class Lesson:
    """Frames with the answers to all questions."""

    caption_ids: Tensor  # (n, token)
    caption_keep: Tensor
    past_ids: Tensor
    past_keep: Tensor
    pictures: Tensor  # (n, 3, size, size)
    told: Tensor  # (n, question), ABSENT where the caption does not say
    true: Tensor  # (n, question), ABSENT where there is nothing to answer

    def to(self, device: torch.device | str) -> "Lesson":
        """The same lesson on another device."""
        return Lesson(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def lesson(data: CachedStories, true: np.ndarray, told: np.ndarray, rows: list[int]) -> Lesson:
    """Some frames, by number."""
    ids, keep, past_ids, past_keep = (values[rows] for values in data.captions)
    pictures = normalised(torch.from_numpy(data.small[rows]))
    return Lesson(ids, keep, past_ids, past_keep, pictures, torch.from_numpy(told[rows]), torch.from_numpy(true[rows]))


class FactReading(nn.Module):
    """Both encoders with a head each that answers every question."""

    def __init__(self, model: ARLDM) -> None:
        super().__init__()
        self.text_encoder: TextEncoder = model.text_encoder
        self.history_encoder: HistoryEncoder | None = model.history_encoder
        self.answer_told = Answers(model.config.text.width)
        self.answer_true = Answers(model.config.text.width)

    def loss(self, batch: Lesson, generator: torch.Generator) -> Tensor:
        """The cross-entropy of both heads."""
        said = self.answer_told(self.text_encoder(batch.caption_ids, batch.caption_keep), batch.caption_keep, batch.told)
        if self.history_encoder is None:
            return said
        tokens = self.history_encoder(batch.past_ids, batch.past_keep, batch.pictures)
        return said + self.answer_true(tokens, batch.past_keep, batch.true)


class Answers(nn.Module):
    """A few learned queries look at the tokens, and together answer all questions."""

    QUERIES = 8

    def __init__(self, width: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(self.QUERIES, width) * 0.02)
        self.look = nn.MultiheadAttention(width, 4, batch_first=True)
        self.say = nn.Linear(self.QUERIES * width, sum(map(len, QUESTIONS.values())))

    def forward(self, tokens: Tensor, keep: Tensor, answered: Tensor) -> Tensor:
        """Tokens (n, token, width), keep (n, token), answers (n, question) -> the mean cross-entropy of what has an answer."""
        queries = self.queries.expand(len(tokens), -1, -1)
        seen, _ = self.look(queries, tokens, tokens, key_padding_mask=~keep, need_weights=False)
        scores = self.say(seen.flatten(1)).split([len(values) for values in QUESTIONS.values()], dim=1)
        losses = [nn.functional.cross_entropy(score, answered[:, k], reduction="sum") for k, score in enumerate(scores)]
        return torch.stack(losses).sum() / (answered != ABSENT).sum()

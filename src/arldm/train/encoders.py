"""The encoders' first lesson: to tell the facts of a frame. In the paper CLIP and BLIP come pretrained; here they learn.

The caption's encoder tells what the caption says; the history's encoder tells all that is true in the picture it looks at.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
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
from arldm.story_files import put
from arldm.toonsv import plot
from arldm.toonsv.cast import Key
from arldm.toonsv.questions import ABSENT, QUESTIONS, answers
from arldm.train import checkpoint
from arldm.train.loop import fit
from arldm.train.stories import CachedStories, cached, turn
from arldm.train.toonsv import begin

NAME, ACCURACY = "encoders.safetensors", "accuracy.json"  # in the run's folder
EXAMINED = 100  # stories of the validation split
NOISE = 0.1  # on pictures, in deviations, at most: those that a model draws are never as clean as rendered ones


def encoders(recipe: Encoders, out: Path) -> None:
    """Train the encoders; leaves them in `out/encoders.safetensors`."""
    model = begin(recipe.toonsv)
    cache = recipe.toonsv.cache or out / "cache"
    with PartialState().main_process_first():
        school, exam = (
            Lessons.drawn(model, cache, split, stories, recipe.toonsv.frames)
            for split, stories in (("train", recipe.toonsv.stories), ("val", EXAMINED))
        )
    with seeded(recipe.train.seed):
        module = FactReading(model)
    batch, seed = recipe.train.batch, recipe.train.seed
    fit(
        module,
        lambda number: school.batch(turn(number, batch, len(school.true), seed)),
        recipe.train,
        out,
        options=to_dict(recipe),
    )
    kept = {name: tensor for name, tensor in module.state_dict().items() if not name.startswith("answer")}
    if PartialState().is_main_process:
        put(out / ACCURACY, (json.dumps(module.accuracy(exam), indent=1) + "\n").encode())
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


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Frames of stories with the answers to all questions."""

    stories: CachedStories
    told: np.ndarray  # (frame, question)
    true: np.ndarray

    @classmethod
    def drawn(cls, model: ARLDM, cache: Path, split: str, stories: int, frames: int) -> "Lessons":
        """The first stories of a split."""
        rows = [shot.facts for story in range(stories) for shot in plot(split, story, frames)]
        true = [answers({Key(f.entity, f.attribute): f.value for f in facts}) for facts in rows]
        told = [answers({Key(f.entity, f.attribute): f.value for f in facts if f.source == "caption"}) for facts in rows]
        return cls(cached(model, cache, split, stories, frames), np.stack(told), np.stack(true))

    def batch(self, rows: Sequence[int]) -> Lesson:
        """Some frames, by number."""
        ids, keep, past_ids, past_keep = (values[rows] for values in self.stories.captions)
        pictures = normalised(torch.from_numpy(self.stories.small[rows]))
        return Lesson(
            ids, keep, past_ids, past_keep, pictures, torch.from_numpy(self.told[rows]), torch.from_numpy(self.true[rows])
        )


class FactReading(nn.Module):
    """Both encoders with a head each that answers every question."""

    def __init__(self, model: ARLDM) -> None:
        super().__init__()
        self.text_encoder: TextEncoder = model.text_encoder
        self.history_encoder: HistoryEncoder | None = model.history_encoder
        self.answer_told = Answers(model.config.text.width)
        self.answer_true = Answers(model.config.text.width)

    def forward(self, batch: Lesson) -> list[tuple[str, list[Tensor], Tensor]]:
        """What each head was asked ("told", "true"), its scores (n, value) for each question, and the answers (n, question)."""
        said = self.answer_told(self.text_encoder(batch.caption_ids, batch.caption_keep), batch.caption_keep)
        if self.history_encoder is None:
            return [("told", said, batch.told)]
        tokens = self.history_encoder(batch.past_ids, batch.past_keep, batch.pictures)
        return [("told", said, batch.told), ("true", self.answer_true(tokens, batch.past_keep), batch.true)]

    def loss(self, batch: Lesson, generator: torch.Generator) -> Tensor:
        """The cross-entropy of both heads, with pictures a little noisy."""
        strength = NOISE * torch.rand(len(batch.pictures), 1, 1, 1, generator=generator, device=generator.device)
        noise = strength * torch.randn(batch.pictures.shape, generator=generator, device=generator.device)
        seen = replace(batch, pictures=batch.pictures + noise.to(batch.pictures.device))
        return torch.stack([cross_entropy(scores, answered) for _, scores, answered in self(seen)]).sum()

    @torch.no_grad()
    def accuracy(self, lessons: Lessons, batch: int = 100) -> dict[str, dict[str, float]]:
        """The share of questions that each head answers right, by attribute."""
        right: dict[str, dict[str, list[bool]]] = {}
        for first in range(0, len(lessons.true), batch):
            rows = range(first, min(first + batch, len(lessons.true)))
            for name, scores, answered in self(lessons.batch(list(rows)).to(next(self.parameters()).device)):
                for key, score, wanted in zip(QUESTIONS, scores, answered.T, strict=True):
                    asked = wanted != ABSENT
                    right.setdefault(name, {}).setdefault(key.attribute, []).extend((score.argmax(1) == wanted)[asked].tolist())
        return {name: {attribute: sum(one) / len(one) for attribute, one in each.items() if one} for name, each in right.items()}


class Answers(nn.Module):
    """A few learned queries look at the tokens, and together answer all questions."""

    QUERIES = 8

    def __init__(self, width: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(self.QUERIES, width) * 0.02)
        self.look = nn.MultiheadAttention(width, 4, batch_first=True)
        self.say = nn.Linear(self.QUERIES * width, sum(map(len, QUESTIONS.values())))

    def forward(self, tokens: Tensor, keep: Tensor) -> list[Tensor]:
        """Tokens (n, token, width), keep (n, token) -> for each question scores (n, value)."""
        queries = self.queries.expand(len(tokens), -1, -1)
        seen, _ = self.look(queries, tokens, tokens, key_padding_mask=~keep, need_weights=False)
        return list(self.say(seen.flatten(1)).split([len(values) for values in QUESTIONS.values()], dim=1))


def cross_entropy(scores: list[Tensor], answered: Tensor) -> Tensor:
    """The mean over all that has an answer; scores (n, value) for each question, answers (n, question)."""
    losses = [nn.functional.cross_entropy(score, answered[:, k], reduction="sum") for k, score in enumerate(scores)]
    return torch.stack(losses).sum() / (answered != ABSENT).sum()

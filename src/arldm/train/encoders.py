"""The first lesson of all that makes the condition: to tell facts. In the paper CLIP and BLIP come pretrained; here they learn.

The history's encoder tells all that is true in the picture it looks at; caption and history together tell what is to be drawn.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from torch import Tensor, nn

from arldm.config import History, to_dict
from arldm.evaluate.reader import disturbed
from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch
from arldm.model.noise import seeded
from arldm.recipes import Encoders
from arldm.story_files import put
from arldm.toonsv import plot
from arldm.toonsv.cast import Key
from arldm.toonsv.questions import ABSENT, QUESTIONS, TO_DRAW, answers, to_draw
from arldm.train import checkpoint
from arldm.train.loop import fit
from arldm.train.stories import CachedStories, cached, turn
from arldm.train.toonsv import begin

NAME, ACCURACY = "encoders.safetensors", "accuracy.json"  # in the run's folder
EXAMINED = 30  # stories of the validation split
#: with how much history a batch is told what to draw; pictures oftener, since there is more to learn
MODES: tuple[History, ...] = ("pictures", "pictures", "pictures", "captions", "none")
PARTS = ("text_encoder", "history_encoder", "conditioner")


def encoders(recipe: Encoders, out: Path) -> None:
    """Train the encoders; leaves them in `out/encoders.safetensors`."""
    model = begin(recipe.toonsv)
    cache = recipe.toonsv.cache or out / "cache"
    with PartialState().main_process_first():
        school, exam = (
            Lessons.drawn(model, cache, split, stories, recipe.frames)
            for split, stories in (("train", recipe.stories), ("val", EXAMINED))
        )
    with seeded(recipe.train.seed):
        module = FactReading(model)
    batch, seed = recipe.train.batch, recipe.train.seed
    fit(
        module,
        lambda number: school.batch(turn(number, batch, len(school.stories), seed)),
        recipe.train,
        out,
        options=to_dict(recipe),
    )
    kept = {name: tensor for name, tensor in model.state_dict().items() if name.startswith(PARTS)}
    if PartialState().is_main_process:
        put(out / ACCURACY, (json.dumps(module.accuracy(exam), indent=1) + "\n").encode())
        checkpoint.save_whole(kept, out / NAME)


@dataclass(frozen=True, slots=True)
class Lesson:
    """Stories with the answers to all questions."""

    stories: StoryBatch
    true: Tensor  # (batch, frame, QUESTIONS), ABSENT where there is nothing to answer
    told: Tensor  # (batch, frame, TO_DRAW), ABSENT where the caption does not say
    known: Tensor  # (batch, frame, TO_DRAW), ABSENT where neither caption nor history says

    def to(self, device: torch.device | str) -> "Lesson":
        """The same lesson on another device."""
        return Lesson(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Stories with the answers to all questions."""

    stories: CachedStories
    true: np.ndarray  # (story * frame, question)
    told: np.ndarray
    known: np.ndarray

    @classmethod
    def drawn(cls, model: ARLDM, cache: Path, split: str, stories: int, frames: int) -> "Lessons":
        """The first stories of a split."""
        shots = [shot for story in range(stories) for shot in plot(split, story, frames)]
        true = [answers({Key(fact.entity, fact.attribute): fact.value for fact in shot.facts}) for shot in shots]
        told, known = ([to_draw(shot, sources) for shot in shots] for sources in (("caption",), ("caption", "history")))
        data = cached(model, cache, split, stories, frames, encoded=False)
        return cls(data, np.stack(true), np.stack(told), np.stack(known))

    def batch(self, stories: Sequence[int]) -> Lesson:
        """Some stories, by number."""
        rows, shape = self.stories.rows(stories), (len(stories), self.stories.frames)
        answered = [torch.from_numpy(one[rows]).unflatten(0, shape) for one in (self.true, self.told, self.known)]
        return Lesson(self.stories.batch(stories), *answered)


class FactReading(nn.Module):
    """All that makes the condition, with a head that tells what past pictures show and one that tells what is to be drawn."""

    def __init__(self, model: ARLDM) -> None:
        super().__init__()
        self.model = model
        model.unet.requires_grad_(False)
        self.answer_true = Answers(model.config.text.width, QUESTIONS)
        self.answer_to_draw = Answers(model.config.text.width, TO_DRAW)

    def forward(self, batch: Lesson, history: History) -> Iterator[tuple[str, list[Tensor], Tensor]]:
        """What each head was asked, its scores (n, value) for each question, and the answers (n, question)."""
        model, stories = self.model, batch.stories
        model.use_history(history)
        frames = range(batch.true.shape[1])
        caption = model.read_captions(stories.caption_ids, stories.caption_keep)
        past = model.read_past(frames, stories.past_ids, stories.past_keep, stories.past_pictures)
        if history == "pictures" and past is not None:
            yield "past", self.answer_true(past.tokens.flatten(0, 1), past.keep.flatten(0, 1)), batch.true.flatten(0, 1)
        condition = model.conditioner(caption, stories.caption_keep, frames, past).folded()
        asked = batch.told if history == "none" else batch.known
        yield f"to draw, {history}", self.answer_to_draw(condition.tokens, condition.keep), asked.flatten(0, 1)

    def loss(self, batch: Lesson, generator: torch.Generator) -> Tensor:
        """The cross-entropy of both heads, with past pictures that are as a model might draw them: a little off in every way."""
        history = MODES[int(torch.randint(len(MODES), (1,), generator=generator))]
        pictures = batch.stories.past_pictures
        off = disturbed(pictures.flatten(0, 1), generator).view_as(pictures)
        seen = replace(batch, stories=replace(batch.stories, past_pictures=off))
        return torch.stack([cross_entropy(scores, answered) for _, scores, answered in self(seen, history)]).sum()

    @torch.no_grad()
    def accuracy(self, lessons: Lessons, batch: int = 20) -> dict[str, dict[str, float]]:
        """The share of questions that each head answers right, by attribute, with each kind of history."""
        right: dict[str, dict[str, list[bool]]] = {}
        for first in range(0, len(lessons.stories), batch):
            some = lessons.batch(range(first, min(first + batch, len(lessons.stories)))).to(self.model.device)
            for history in dict.fromkeys(MODES):
                for name, scores, answered in self(some, history):
                    keys = QUESTIONS if name == "past" else TO_DRAW
                    for key, score, wanted in zip(keys, scores, answered.T, strict=True):
                        asked = wanted != ABSENT
                        found = (score.argmax(1) == wanted)[asked].tolist()
                        right.setdefault(name, {}).setdefault(key.attribute, []).extend(found)
        return {name: {attribute: sum(one) / len(one) for attribute, one in each.items() if one} for name, each in right.items()}


class Answers(nn.Module):
    """A few learned queries look at the tokens, and together answer all questions."""

    QUERIES = 8

    def __init__(self, width: int, questions: Mapping[Key, tuple[str, ...]]) -> None:
        super().__init__()
        self.sizes = [len(values) for values in questions.values()]
        self.queries = nn.Parameter(torch.randn(self.QUERIES, width) * 0.02)
        self.look = nn.MultiheadAttention(width, 4, batch_first=True)
        self.say = nn.Linear(self.QUERIES * width, sum(self.sizes))

    def forward(self, tokens: Tensor, keep: Tensor) -> list[Tensor]:
        """Tokens (n, token, width), keep (n, token) -> for each question scores (n, value)."""
        queries = self.queries.expand(len(tokens), -1, -1)
        seen, _ = self.look(queries, tokens, tokens, key_padding_mask=~keep, need_weights=False)
        return list(self.say(seen.flatten(1)).split(self.sizes, dim=1))


def cross_entropy(scores: list[Tensor], answered: Tensor) -> Tensor:
    """The mean over all that has an answer; scores (n, value) for each question, answers (n, question)."""
    losses = [nn.functional.cross_entropy(score, answered[:, k], reduction="sum") for k, score in enumerate(scores)]
    return torch.stack(losses).sum() / (answered != ABSENT).sum()

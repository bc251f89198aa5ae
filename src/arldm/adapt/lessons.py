"""What an adaptation learns from: the new character's pictures as stories, old stories, and what the model made of them before."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch, joined, picked
from arldm.model.noise import derived_seed
from arldm.train.stories import turn

ORDERS = 16  # of the new character's pictures; their captions do not depend on each other


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """Stories, and where a prior decides what the denoiser is told (model/prior.py), how the model read them before it learned.

    Learned readings of one's own drift: nothing else says any more what a mood or a hat was.
    """

    stories: StoryBatch
    true: Tensor | None = None  # (batch, frame, summary) numbers of the values that each frame shows; negative where it is open
    answers: Tensor | None = None  # (batch, frame, summary, dim) what is to be read of each frame, of which the length says nothing

    def __len__(self) -> int:
        return len(self.stories.latents)

    def to(self, device: torch.device | str) -> "Lesson":
        """The same on another device."""
        true, answers = (None if one is None else one.to(device) for one in (self.true, self.answers))
        return Lesson(self.stories.to(device), true, answers)

    def one(self, story: int) -> "Lesson":
        """One of the stories."""
        true, answers = (None if one is None else one[story : story + 1] for one in (self.true, self.answers))
        return Lesson(picked(self.stories, story), true, answers)

    def beside(self, other: "Lesson") -> "Lesson":
        """These stories and then others."""
        pairs = ((self.true, other.true), (self.answers, other.answers))
        true, answers = (None if one is None or two is None else torch.cat((one, two)) for one, two in pairs)
        return Lesson(joined([self.stories, other.stories]), true, answers)


@torch.no_grad()
def as_read(model: ARLDM, stories: StoryBatch) -> Lesson:
    """Stories that are to be read as the model reads them now."""
    if model.prior is None or model.conditioner.queries is None:
        return Lesson(stories)
    nothing = torch.zeros(stories.caption_ids.shape[:2], dtype=torch.bool, device=model.device)
    answers = model.condition(stories, nothing).tokens - model.conditioner.queries
    return Lesson(stories, model.seen(stories) if model.history == "pictures" else None, answers)


@torch.no_grad()
def of_character(model: ARLDM, story: StoryBatch, seed: int) -> Lesson:
    """The pictures of a new character in several orders, to be read as the model reads them now.

    But what all of them show alike is the character's own, a coat perhaps: its names are to tell it, whatever they told before.
    """
    frames = story.latents.shape[1]
    orders = [
        torch.randperm(frames, generator=torch.Generator().manual_seed(derived_seed("order", seed, k))) for k in range(ORDERS)
    ]
    lesson = as_read(model, joined([picked(story, 0, order) for order in orders]))
    if model.prior is None or lesson.true is None or lesson.answers is None:
        return lesson
    shown = lesson.true.flatten(0, 1)
    alike = (shown == shown[0]).all(0) & (shown[0] >= 0)  # (summary)
    own = model.prior.values[torch.arange(len(alike), device=shown.device), shown[0]]
    return Lesson(lesson.stories, lesson.true, torch.where(alike[:, None], own, lesson.answers))


def strayed(model: ARLDM, tokens: Tensor, answers: Tensor | None, dropped: Tensor) -> Tensor | float:
    """How far what is read of frames, tokens (batch, frame, summary, dim), is from their answers: 0 to 2, the mean of 1 - cosine.

    Of what the prior decides, since no gradient of the denoiser's goes through a decision; `dropped` frames (batch, frame) are read
    as nothing, and do not count.
    """
    if answers is None or model.prior is None or (queries := model.conditioner.queries) is None:
        return 0.0
    decided = model.prior.values.flatten(1).any(-1)  # (summary)
    far = 1 - F.cosine_similarity((tokens - queries)[:, :, decided], answers[:, :, decided], dim=-1)
    kept = ~dropped[:, :, None].expand_as(far)
    return (far * kept).sum() / kept.sum().clamp_min(1)


@dataclass(frozen=True, slots=True, eq=False)
class School:
    """Batches by their number: the new character's pictures in one order after the other, every second story an old one."""

    new: Lesson
    old: Lesson | None
    size: int
    seed: int

    def __call__(self, number: int) -> Lesson:
        """Batch `number`."""
        first, *others = (self._story(place) for place in range(number * self.size, (number + 1) * self.size))
        for other in others:
            first = first.beside(other)
        return first

    def _story(self, place: int) -> Lesson:
        if self.old is None:
            return self._turn(self.new, place)
        return self._turn(self.old if place % 2 else self.new, place // 2)

    def _turn(self, lesson: Lesson, place: int) -> Lesson:
        return lesson.one(turn(place, 1, len(lesson), self.seed)[0])

"""What an adaptation learns from: the new character's pictures as stories, old stories, and what the model made of them before."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from arldm.adapt.likeness import likeness
from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch, joined, picked
from arldm.model.noise import derived_seed
from arldm.model.prior import turned
from arldm.model.widening import texts
from arldm.train.stories import turn

NEW = 30.0  # how much it counts that a name is read as somebody else, beside each of all the answers that stay
ORDERS = 16  # of the new character's pictures; their captions do not depend on each other


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """Stories, and for a model that sums up what it reads and decides the rest (model/prior.py) what it is to read and to be told.

    Such a model does not learn that by the denoiser's gradient: none goes through a decision, and readings of its own would drift.
    """

    stories: StoryBatch
    read: Tensor | None = None  # (batch, frame, summary, dim) answers that captions and history are to be read as
    told: Tensor | None = None  # (batch, frame, summary, dim) answers that the denoiser is told: what the frames show
    counts: Tensor | None = None  # (batch, frame, summary) how much it counts how each is read

    def __len__(self) -> int:
        return len(self.stories.latents)

    def to(self, device: torch.device | str) -> "Lesson":
        """The same on another device."""
        return Lesson(self.stories.to(device), *(one if one is None else one.to(device) for one in self._answers()))

    def one(self, story: int) -> "Lesson":
        """One of the stories."""
        rows = (one if one is None else one[story : story + 1] for one in self._answers())
        return Lesson(picked(self.stories, story), *rows)

    def beside(self, other: "Lesson") -> "Lesson":
        """These stories and then others."""
        pairs = zip(self._answers(), other._answers(), strict=True)
        both = (None if one is None or two is None else torch.cat((one, two)) for one, two in pairs)
        return Lesson(joined([self.stories, other.stories]), *both)

    def _answers(self) -> tuple[Tensor | None, ...]:
        return self.read, self.told, self.counts


def is_summed_up(model: ARLDM) -> bool:
    """Does a few tokens' worth of answers stand between what is read and the denoiser, and are some of them decided?"""
    return model.prior is not None and model.history == "pictures"


@torch.no_grad()
def as_read(model: ARLDM, stories: StoryBatch) -> Lesson:
    """Stories that are to be read as the model reads them now."""
    if not is_summed_up(model):
        return Lesson(stories)
    return Lesson(stories, *_as_now(model, stories, model.looked_at(stories)))


@torch.no_grad()
def of_character(model: ARLDM, story: StoryBatch, new: int, seed: int) -> Lesson:
    """The pictures of a new character, whose names are the last `new` tokens, in several orders.

    The names begin as a word that the model knows, and it would go on to read them as that: told of the old one, the denoiser could
    tell the two apart by the places of the pictures alone. So where the names are the answer, it becomes one like no other; half of
    the old one, it would be drawn as that (docs/log.md). And what all of the pictures show alike is the character's own, a coat
    perhaps: the names are to tell it, whatever they told before.
    """
    stories = in_orders(story, seed)
    if not is_summed_up(model):
        return Lesson(stories)
    assert model.prior is not None
    seen = model.looked_at(stories)
    *now, counts = _as_now(model, stories, seen)
    decided = model.prior.values.flatten(1).any(-1)  # (summary)
    named = ~decided & (F.cosine_similarity(now[0], _unnamed(model, stories, new), dim=-1) < 0.5)  # (batch, frame, summary)
    direction = _direction(model, stories, now[1], named, seed)
    read, told = (torch.where(named[..., None], turned(one, direction), one) for one in now)
    shown = model.prior.sure(seen.flatten(0, 1))  # (batch * frame, summary)
    alike = (shown == shown[0]).all(0) & (shown[0] >= 0)
    own = model.prior.values[torch.arange(len(alike), device=shown.device), shown[0]]
    return Lesson(stories, torch.where(alike[:, None], own, read), told, torch.where(named | alike, NEW, counts))


@torch.no_grad()
def fresh(model: ARLDM, new: int, seed: int) -> None:
    """Make the last `new` tokens words that are like no other: what begins as an old word is read as that for long, or the old one
    goes along with the new."""
    if is_summed_up(model):
        for part in texts(model):
            rows = part.get_input_embeddings().weight[-new:]
            word = torch.randn(rows.shape, generator=torch.Generator().manual_seed(derived_seed("word", seed)))
            rows.copy_(F.normalize(word.to(rows), dim=-1) * rows.norm(dim=-1, keepdim=True))


def in_orders(story: StoryBatch, seed: int) -> StoryBatch:
    """The pictures of a story in several orders, as a batch."""
    frames = story.latents.shape[1]
    orders = [
        torch.randperm(frames, generator=torch.Generator().manual_seed(derived_seed("order", seed, k))) for k in range(ORDERS)
    ]
    return joined([picked(story, 0, order) for order in orders])


def _as_now(model: ARLDM, stories: StoryBatch, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What a lesson that leaves all as it is says of stories of which this is `seen`: read, told, counts."""
    read = _answers(model, stories)
    return read, _decided(model, seen), torch.ones(read.shape[:3], device=read.device)


def _answers(model: ARLDM, stories: StoryBatch) -> Tensor:
    nothing = torch.zeros(stories.caption_ids.shape[:2], dtype=torch.bool, device=model.device)
    return model.conditioner.answers(model.condition(stories, nothing).tokens)


def _decided(model: ARLDM, seen: Tensor) -> Tensor:
    """What is seen, as the denoiser is told it."""
    assert model.prior is not None
    flat = seen.flatten(0, 1)
    lots = torch.rand(flat.shape[:2], generator=torch.Generator().manual_seed(0)).to(flat.device)
    return model.prior(flat, lots).view_as(seen)


def _unnamed(model: ARLDM, stories: StoryBatch, new: int) -> Tensor:
    """The answers if the names were no words that the model knows."""
    tables = [part.get_input_embeddings().weight for part in texts(model)]
    kept = [table[-new:].clone() for table in tables]
    for table in tables:
        table[-new:] = table[:-new].mean(0)
    answers = _answers(model, stories)
    for table, rows in zip(tables, kept, strict=True):
        table[-new:] = rows
    return answers


def _direction(model: ARLDM, stories: StoryBatch, told: Tensor, named: Tensor, seed: int) -> Tensor:
    """What the names are to mean (dim): the character's form, or where the model knows no forms, anything."""
    if model.config.forms:
        return likeness(model, picked(stories, 0), told[:1], named[:1], seed)
    return F.normalize(torch.randn(told.shape[-1], generator=torch.Generator().manual_seed(derived_seed("name", seed))), dim=0)


def strayed(answers: Tensor, lesson: Lesson, dropped: Tensor) -> Tensor:
    """How far answers (batch, frame, summary, dim) are from what is to be read: the mean of 1 - cosine, each as much as it counts.

    `dropped` frames (batch, frame) are read as nothing, and do not count.
    """
    assert lesson.read is not None
    assert lesson.counts is not None
    far = ((1 - F.cosine_similarity(answers, lesson.read, dim=-1)) * lesson.counts).mean(-1)
    return (far * ~dropped).sum() / (~dropped).sum().clamp_min(1)


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

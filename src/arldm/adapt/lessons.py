"""What an adaptation learns from: the new character's pictures as stories, old stories, and what the model made of them before."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from arldm.adapt.recasting import Part, Recast, recastings
from arldm.config import ModelConfig
from arldm.model import noise
from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch, joined, picked
from arldm.model.condition import Moved
from arldm.model.prior import turned
from arldm.model.widening import texts
from arldm.story import Frame, Story
from arldm.toonsv.cast import ACTIONS, EXTRA_KINDS
from arldm.toonsv.cutouts import Cutout
from arldm.toonsv.questions import STANDS, TO_DRAW
from arldm.toonsv.world import TRAINED

NAMED = 10.0  # how much it counts as whom somebody is read, beside each of all other answers
ORDERS = 16  # of the new character's pictures; their captions do not depend on each other
RECAST = 128  # old stories in which the new character plays a part
BLOCK = 8  # stories that are read at once
MORE = 8.0  # by how much what differs from the old story counts more in what is drawn: a head is 3 % of a picture
DIFFERENT = 0.15  # in the mean over the channels of latents, whose deviation is 1
DECOYS = tuple(f"[nobody {number}]" for number in range(64))  # words that are to be read as before
#: what of a figure a cutout changes for good, and the facts that it is
RECALLED = {"mood": ("mood",), "clothes": ("shirt", "coat"), "hat": ("hat",), "hat_colour": ("hat_colour",), "skin": ("skin",)}
LOOKS = ("clothes", "hat", "hat_colour", "skin")  # what may be a character's own; but for a stranger's, the first alone
#: which of the questions are of a figure, by where it stands; what these ask, one after the other; whom, and what is held
FIGURE = [[k for k, key in enumerate(TO_DRAW) if key.entity == where] for where in STANDS]
ASKED = [key.attribute for key in TO_DRAW if key.entity == STANDS[0]]
WHO = [figure[ASKED.index("who")] for figure in FIGURE]
HELD = [k for k, key in enumerate(TO_DRAW) if key.entity == "prop"]


Taught = TypeVar("Taught", bound="Lesson")


@dataclass(frozen=True, slots=True, eq=False)
class Lesson(Moved):
    """Stories that are learned from."""

    stories: StoryBatch

    def __len__(self) -> int:
        return len(self.stories.latents)

    def one(self, story: int) -> Self:
        """One of the stories."""
        return type(self)(picked(self.stories, story), *(one[story : story + 1] for one in self._rest()))

    def _rest(self) -> Iterator[Tensor]:
        return (getattr(self, field.name) for field in fields(self)[1:])


@dataclass(frozen=True, slots=True, eq=False)
class Summed(Lesson):
    """Stories for a model that sums up what it reads and decides the rest (model/prior.py): what it is to read and to be told.

    Such a model does not learn that by the denoiser's gradient: none goes through a decision, and readings of its own would drift.
    """

    read: Tensor  # (batch, frame, summary, dim) answers that captions and history are to be read as
    told: Tensor  # (batch, frame, summary, dim) answers that the denoiser is told: what the frames show
    counts: Tensor  # (batch, frame, summary) how much it counts how each is read
    cells: Tensor  # (batch, frame, h, w) how much it counts how each cell is drawn, 1 in the mean
    kept: Tensor  # (batch, frame, h, w) is it to be drawn as the model did before?
    latents_before: Tensor  # (batch, frame, channel, h, w) where kept the same, and nobody whom it did not know
    told_before: Tensor  # (batch, frame, summary, dim) what these show


def together(lessons: Sequence[Taught]) -> Taught:
    """The stories of several, one after the other."""
    rest = zip(*(lesson._rest() for lesson in lessons), strict=True)
    return type(lessons[0])(joined([lesson.stories for lesson in lessons]), *map(torch.cat, rest))


def sums_up(config: ModelConfig) -> bool:
    """Do the answers to ToonSV's questions stand between what is read and the denoiser, and are some of them decided?"""
    return config.choices > 0 and config.history == "pictures" and config.summary == len(TO_DRAW)


@torch.no_grad()
def as_read(model: ARLDM, stories: StoryBatch) -> Summed:
    """Stories that are to be read as the model, which sums up, reads them now."""
    read = _answers(model, stories)
    counts, cells = torch.ones_like(read[..., 0]), torch.ones_like(stories.latents[:, :, 0])
    counts[:, :, WHO] = NAMED
    told = _decided(model, model.looked_at(stories))
    return Summed(stories, read, told, counts, cells, cells.bool(), stories.latents, told)


@torch.no_grad()
def of_character(
    model: ARLDM, frames: Sequence[Frame], cutouts: Sequence[Cutout], names: Sequence[str], like: str, seed: int
) -> tuple[Summed, Summed]:
    """Old stories in which the new character plays a part, by its cutouts, which are those of the frames; and as they were.

    The names begin as a word that the model knows, and it would go on to read them as that. So where a name is the answer, the
    answer becomes one like no other; half of the old one, it would be drawn as that (docs/log.md). All else is read as it was with
    whom the part was written for; but what all pictures show alike, a coat perhaps, is the character's own: the names are to tell
    it.
    """
    assert model.prior is not None
    seen = model.looked_at(model.batch([Story(str(k), (frame,)) for k, frame in enumerate(frames)]))  # (picture, 1, summary, dim)
    sure, looks = model.prior.sure(seen[:, 0])[:, FIGURE[0]], _decided(model, seen)[:, 0]
    own = always(sure, LOOKS[:1] if is_newcomer(like) else LOOKS)
    for place, value in own.items():
        where = FIGURE[0][place]
        looks[:, where] = turned(looks[:, where], F.normalize(model.prior.values[where, value], dim=0))
    nouns = re.compile(rf"(?i)\b(an?|the|that|this) ({'|'.join(names)})\b")
    article = any(nouns.search(frame.caption) for frame in frames)
    stories = recastings(cutouts, done(sure), names, like, RECAST, seed, article)
    direction = newcomer(names, seed, seen.shape[-1]) if is_newcomer(like) else F.normalize(seen[:, 0, WHO[0]].mean(0), dim=0)
    blocks = (stories[first : first + BLOCK] for first in range(0, len(stories), BLOCK))
    lessons = zip(*(_recast(model, block, looks, own, direction) for block in blocks), strict=True)
    new, old = (of_even_weight(together(some)) for some in lessons)
    return new, old


def always(sure: Tensor, worn: Sequence[str]) -> dict[int, int]:
    """What of all that is `worn` is the same in all pictures, by place in ASKED; `sure` (picture, asked) has what is surely seen.

    A picture that leaves it open contradicts nobody, and one in three may be misread; but half of all must tell.
    """
    own = {}
    for place, asked in enumerate(ASKED):
        told = sure[sure[:, place] >= 0, place]
        if asked in worn and len(told):
            value, count = Counter(told.tolist()).most_common(1)[0]
            if 3 * count >= 2 * len(told) and 2 * count >= len(sure):
                own[place] = value
    return own


def is_newcomer(like: str) -> bool:
    """Is who is like this yet to be drawn? An unnamed one is told from others by clothes, hat and skin, which the model knows."""
    return like not in EXTRA_KINDS


def newcomer(names: Sequence[str], seed: int, dim: int) -> Tensor:
    """The direction (dim) of the answers that are whoever has these names, at right angles or nearly to all others."""
    generator = noise.generator("name", seed, *names)
    return F.normalize(torch.randn(dim, generator=generator), dim=0)


def contrasted(lesson: Summed, other: StoryBatch) -> Summed:
    """Of cells those count more that are not as in other pictures."""
    differs = (lesson.stories.latents - other.latents).abs().mean(2) > DIFFERENT  # (batch, frame, h, w)
    return replace(lesson, cells=1 + MORE * differs)


def of_even_weight(lesson: Summed) -> Summed:
    """Cells count 1 in the mean."""
    return replace(lesson, cells=lesson.cells / lesson.cells.mean())


def _recast(
    model: ARLDM, stories: Sequence[Recast], looks: Tensor, own: dict[int, int], direction: Tensor
) -> tuple[Summed, Summed]:
    """Some of the stories, and as they were; of cells those count more that differ."""
    old = as_read(model, model.batch([story.old for story in stories]))
    shown = model.batch([story.new for story in stories])
    new = replace(old, stories=shown, **{name: getattr(old, name).clone() for name in ("read", "told", "counts")})
    for row, story in enumerate(stories):
        last = None
        for t, part in enumerate(story.parts):
            if part is not None:
                _recall(new, (row, t), part, last, looks)
                _play(model, new, (row, t), part, looks, own, direction)
                last = part
    new = contrasted(new, old.stories)
    return replace(new, kept=new.cells == 1), contrasted(old, shown)


@torch.no_grad()
def decoyed(model: ARLDM, old: Summed, new: StoryBatch, names: Sequence[str]) -> Summed:
    """Old stories under the captions of the new ones, which have decoys for names.

    What is read as a newcomer would else be any word that is like no other: of two newcomers in one story, each would be both.
    """
    ids = {}
    for kind, tokenizer in (("caption_ids", model.tokenizer), ("past_ids", model.past_tokenizer)):
        known, decoys = (torch.tensor([tokenizer.id(word) for word in words], device=model.device) for words in (names, DECOYS))
        rows = getattr(new, kind)
        others = decoys[torch.arange(len(rows), device=model.device) % len(DECOYS), None, None]
        ids[kind] = torch.where(torch.isin(rows, known), others, rows)
    stories = replace(new, past_pictures=old.stories.past_pictures, latents=old.stories.latents, **ids)
    read = torch.cat([_answers(model, picked(stories, story)) for story in range(len(old))])
    return replace(old, stories=stories, read=read)


def _recall(lesson: Summed, at: tuple[int, int], part: Part, last: Part | None, looks: Tensor) -> None:
    """Have what only earlier frames tell read as the last of them shows it now."""
    if last is None or last.cutout is None:
        return
    for asked, facts in RECALLED.items():
        if part.recalled.intersection(facts) and (asked == "mood" or not last.posed):  # a body is as it was
            place = ASKED.index(asked)
            lesson.read[at][FIGURE[part.figure][place]] = looks[last.cutout][FIGURE[0][place]]


def _play(
    model: ARLDM, lesson: Summed, at: tuple[int, int], part: Part, looks: Tensor, own: dict[int, int], direction: Tensor
) -> None:
    """Have a frame read as with the new character in it, and told as its cutout shows it.

    looks (picture, summary, dim) is how each picture is told, `own` the values that are the character's own, by place in ASKED.
    """
    read, told, counts = lesson.read, lesson.told, lesson.counts
    assert model.prior is not None
    figure = FIGURE[part.figure]
    if part.posed:
        mood = ASKED.index("mood")
        told[at][figure[mood]] = looks[part.cutout][FIGURE[0][mood]]
    elif part.cutout is not None:
        told[at][figure] = looks[part.cutout][FIGURE[0]]
        if part.prop:
            told[at][HELD] = looks[part.cutout][HELD]
    for place, value in own.items():
        read[at][figure[place]] = model.prior.values[figure[place], value]
        counts[at][figure[place]] = NAMED
    for answers in (read, told) if part.cutout is not None else (read,):
        answers[at][WHO[part.figure]] = turned(answers[at][WHO[part.figure]], direction)


def done(sure: Tensor) -> list[str]:
    """What the figure of each picture does, by the numbers (picture, question) of what is surely seen of it."""
    return [ACTIONS[max(0, int(number))] for number in sure[:, ASKED.index("action")]]


@torch.no_grad()
def fresh(model: ARLDM, names: Sequence[str], seed: int) -> None:
    """Make the names, the last tokens, words of their own, in other packs others: what begins as an old word is read as that for
    long, or the old one goes along with the new.

    They are names as the cast's are, but nobody's. Words that are like no word at all are alike to the encoders, which never had
    such (docs/log.md), and of two newcomers in one story each would be both.
    """
    if sums_up(model.config):
        for part, tokenizer in zip(texts(model), (model.tokenizer, model.past_tokenizer), strict=False):
            table = part.get_input_embeddings().weight
            cast = table[[tokenizer.ids(name)[0] for name in TRAINED]]
            middle = cast.mean(0)
            generator = noise.generator("word", seed, *names)
            mixed = torch.randn(len(names), len(cast), generator=generator).to(cast) @ (cast - middle)
            table[-len(names) :] = middle + F.normalize(mixed, dim=-1) * (cast - middle).norm(dim=-1).mean()


def in_orders(story: StoryBatch, seed: int) -> StoryBatch:
    """The pictures of a story in several orders, as a batch."""
    frames = story.latents.shape[1]
    orders = [torch.randperm(frames, generator=noise.generator("order", seed, k)) for k in range(ORDERS)]
    return joined([picked(story, 0, order) for order in orders])


def _answers(model: ARLDM, stories: StoryBatch) -> Tensor:
    nothing = torch.zeros(stories.caption_ids.shape[:2], dtype=torch.bool, device=model.device)
    return model.conditioner.answers(model.condition(stories, nothing).tokens)


def _decided(model: ARLDM, seen: Tensor) -> Tensor:
    """What is seen, as the denoiser is told it."""
    assert model.prior is not None
    flat = seen.flatten(0, 1)
    lots = torch.rand(flat.shape[:2], generator=torch.Generator().manual_seed(0)).to(flat.device)
    return model.prior(flat, lots).view_as(seen)


def strayed(answers: Tensor, lesson: Summed, dropped: Tensor) -> Tensor:
    """How far answers (batch, frame, summary, dim) are from what is to be read: the mean of 1 - cosine, each as much as it counts.

    `dropped` frames (batch, frame) are read as nothing, and do not count.
    """
    far = ((1 - F.cosine_similarity(answers, lesson.read, dim=-1)) * lesson.counts).mean(-1)
    return (far * ~dropped).sum() / (~dropped).sum().clamp_min(1)

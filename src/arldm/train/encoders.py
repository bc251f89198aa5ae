"""The first lesson of all that makes the condition: to tell facts. In the paper CLIP and BLIP come pretrained; here they learn.

The history's encoder tells all that is true in the picture it looks at; caption and history together tell what is to be drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from accelerate import PartialState
from torch import Tensor, nn

from arldm.config import History
from arldm.errors import ConfigError
from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch, normalised, small
from arldm.model.condition import Moved, PastTokens
from arldm.model.noise import seeded
from arldm.model.prior import likeness
from arldm.recipes import Context, Encoders, ToonSV
from arldm.rendered import scene_stills
from arldm.story import Source
from arldm.toonsv import plot
from arldm.toonsv.questions import ABSENT, TO_DRAW, all_to_draw, kind, to_draw
from arldm.toonsv.scenes import is_trained, random_scene
from arldm.train.asked import asked
from arldm.train.checkpoint import halved
from arldm.train.loop import fit
from arldm.train.stories import CachedStories, cached, turn
from arldm.train.toonsv import begin
from arldm.writing import put, put_json

NAME, ACCURACY = "encoders.safetensors", "accuracy.json"  # in the run's folder
EXAMINED = 30  # stories of the validation split
#: with how much history a batch is told what to draw; pictures oftener, since there is more to learn
MODES: tuple[History, ...] = ("pictures", "pictures", "pictures", "pictures", "pictures", "pictures", "captions", "none")
NOISE = 0.2  # on past pictures, in deviations, at most
ASKED = 8  # frames of a story, at most, of which a batch is asked what to draw; their past is read whole
STILLS = 4  # scenes without a story, beside each story of a batch
PARTS = ("text_encoder", "history_encoder", "conditioner")
HEADS = ("seen", "past", "to_draw")


def encoders(recipe: Encoders, out: Path) -> None:
    """Train the encoders; leaves them in `out/encoders.safetensors`. Raises ConfigError."""
    if recipe.train.fsdp:  # with which all processes call the same parts at once, and here chance decides it batch by batch
        raise ConfigError("--train.fsdp: cannot be had here, where stories are told with more or less history; leave it out")
    model = begin(ToonSV(recipe.model, recipe.train))
    with seeded(recipe.train.seed):
        module = FactReading(model)
    with PartialState().main_process_first():
        school, exam = school_and_exam(model, recipe, out)
        stills = Stills.drawn(recipe.cache or out / "cache", recipe.scenes, recipe.model.past.picture_size)
    batch, seed = recipe.train.batch_size, recipe.train.seed

    def lesson(number: int) -> Lesson:
        return stills.beside(school.batch(turn(number, batch, len(school.stories), seed)), number, seed)

    fit(module, lesson, recipe.train, out, options=asked(recipe))
    save(module, exam, out)


def school_and_exam(model: ARLDM, recipe: Encoders | Context, out: Path) -> tuple["Lessons", "Lessons"]:
    """What a lesson is learned from, and the validation stories that it is judged by."""
    cache = recipe.cache or out / "cache"
    school = Lessons.drawn(model, cache, "train", recipe.stories, recipe.frames)
    return school, Lessons.drawn(model, cache, "val", EXAMINED, recipe.frames)


def save(module: "FactReading", exam: "Lessons", out: Path) -> None:
    """Leave the encoders, with the heads that taught them, and what they got right."""
    state = {name.removeprefix("model."): tensor for name, tensor in module.state_dict().items()}
    # halved now, as they will be in the model's folder: so the U-Net learns from just what it will be told by
    kept = {name: halved(tensor) for name, tensor in state.items() if name.startswith((*PARTS, *HEADS))}
    if PartialState().is_main_process:
        put_json(out / ACCURACY, module.accuracy(exam))
        put(out / NAME, safetensors.torch.save(kept))


@dataclass(frozen=True, slots=True)
class Lesson(Moved):
    """Stories with the answers to all questions; in school, stills beside them."""

    stories: StoryBatch
    true: Tensor  # (batch, frame, TO_DRAW), ABSENT where there is nothing to answer
    told: Tensor  # (batch, frame, TO_DRAW), ABSENT where the caption does not say
    known: Tensor  # (batch, frame, TO_DRAW), ABSENT where neither caption nor history says
    stills: Tensor | None = None  # (scene, 3, past_size, past_size) in BLIP's normalisation
    shown: Tensor | None = None  # (scene, TO_DRAW)

    def until(self, frames: int) -> "Lesson":
        """The same stories, broken off."""
        stories = StoryBatch(**{one.name: getattr(self.stories, one.name)[:, :frames] for one in fields(StoryBatch)})
        answers = {name: getattr(self, name)[:, :frames] for name in ("true", "told", "known")}
        return replace(self, stories=stories, **answers)


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Stories with the answers to all questions."""

    stories: CachedStories
    true: np.ndarray  # (story * frame, TO_DRAW)
    told: np.ndarray
    known: np.ndarray

    @classmethod
    def drawn(cls, model: ARLDM, cache: Path, split: str, stories: int, frames: int) -> "Lessons":
        """The first stories of a split."""
        shots = [shot for story in range(stories) for shot in plot(split, story, frames)]
        sources: tuple[Source, ...] = ("caption", "history", "free")
        told, known, true = (np.stack([to_draw(shot, sources[:count]) for shot in shots]) for count in (1, 2, 3))
        return cls(cached(model, cache, split, stories, frames, encoded=False), true, told, known)

    def batch(self, stories: Sequence[int]) -> Lesson:
        """Some stories, by number."""
        rows, shape = self.stories.rows(stories), (len(stories), self.stories.frames)
        answered = [torch.from_numpy(one[rows]).unflatten(0, shape) for one in (self.true, self.told, self.known)]
        return Lesson(self.stories.batch(stories), *answered)


@dataclass(frozen=True, slots=True, eq=False)
class Stills:
    """Scenes without a story, of those who are trained with: every value is as likely as any other, and no two are alike."""

    pictures: np.ndarray  # (n, past_size, past_size, 3) uint8
    rows: np.ndarray  # (scene); where in `pictures` each is
    shown: np.ndarray  # (scene, TO_DRAW)

    @classmethod
    def drawn(cls, cache: Path, count: int, size: int) -> "Stills":
        """Those of the first `count` random scenes that training may hold."""
        scenes = {index: scene for index in range(count) if is_trained(scene := random_scene("train", index))}
        shown = np.stack([all_to_draw(scene) for scene in scenes.values()])
        stills = scene_stills(cache, "encoders", count, size, lambda picture: small(picture, size).numpy())
        return cls(stills, np.array(list(scenes)), shown)

    def beside(self, lesson: Lesson, number: int, seed: int) -> Lesson:
        """The lesson with stills of batch number `number`."""
        some = turn(number, STILLS * len(lesson.true), len(self.rows), seed)
        pictures = normalised(torch.from_numpy(self.pictures[self.rows[some]]))
        return replace(lesson, stills=pictures, shown=torch.from_numpy(self.shown[some]))


class FactReading(nn.Module):
    """All that makes the condition, with heads that tell what a past picture holds, seen and read, and what is to be drawn."""

    def __init__(self, model: ARLDM) -> None:
        super().__init__()
        if model.config.summary != len(TO_DRAW) or not model.config.context:
            got = f"--model.summary {model.config.summary} --model.context {model.config.context}"
            raise ConfigError(f"{got}: expected a context, and a summary of {len(TO_DRAW)} tokens, one for each fact to draw")
        if model.config.history != "pictures":
            raise ConfigError(
                f"--model.history {model.config.history}: expected pictures, for all kinds of history are learned here"
            )
        self.model = model
        model.unet.requires_grad_(False)
        self.seen = Answers(model.config.past.vision_width)
        self.past = Answers(model.config.past.text_width)
        counts = {kind(key): len(values) for key, values in TO_DRAW.items()}
        self.to_draw = nn.ModuleDict({name: Likeness(model.config.text.width, count) for name, count in counts.items()})

    def forward(
        self, batch: Lesson, history: History, frames: Sequence[int], doubt: bool = False
    ) -> Iterator[tuple[str, list[Tensor], Tensor]]:
        """What each head was asked, its scores (n, value) for each question, and the answers (n, question).

        What is to be drawn is asked of some frames alone; what nothing tells, only in `doubt`.
        """
        past = None
        if history != "none" and (encoder := self.model.history_encoder) is not None:
            stories = batch.stories
            true, keep, seen = batch.true.flatten(0, 1), stories.past_keep.flatten(0, 1), None
            if history == "pictures":
                seen = encoder.look(stories.past_pictures.flatten(0, 1))
                yield "seen", self.seen(seen), true
            tokens = encoder.read(stories.past_ids.flatten(0, 1), keep, seen)
            if history == "pictures":
                yield "past", self.past(tokens, keep), true
            past = PastTokens(tokens.unflatten(0, batch.true.shape[:2]), stories.past_keep, range(batch.true.shape[1]))
        caption_keep = batch.stories.caption_keep[:, frames]
        caption = self.model.read_captions(batch.stories.caption_ids[:, frames], caption_keep)
        conditioner = self.model.conditioner
        summary = conditioner(caption, caption_keep, frames, past).folded().tokens  # (n, summary, dim)
        asked = (batch.true if doubt else batch.told if history == "none" else batch.known)[:, frames]
        found = conditioner.answers(summary)
        scores = [self.to_draw[kind(key)](found[:, k]) for k, key in enumerate(TO_DRAW)]  # each fact has a token of its own
        yield f"to draw, {history}", scores, asked.flatten(0, 1)

    def loss(self, batch: Lesson, generators: Sequence[torch.Generator]) -> Tensor:
        """The cross-entropy of all heads. The batch's first generator decides how long its stories are, with how much history they
        are told and how worn past pictures look, as a model's do."""
        generator = generators[0]
        history = MODES[int(torch.randint(len(MODES), (1,), generator=generator))]
        length = int(torch.randint(2, batch.true.shape[1] + 1, (1,), generator=generator))
        batch, asked = batch.until(length), sorted(torch.randperm(length, generator=generator)[:ASKED].tolist())
        seen = replace(batch, stories=replace(batch.stories, past_pictures=worn(batch.stories.past_pictures, generator)))
        losses = [cross_entropy(scores, answered) for _, scores, answered in self(seen, history, asked)]
        if batch.stills is not None:
            encoder = self.model.history_encoder
            assert encoder is not None
            assert batch.shown is not None
            losses.append(cross_entropy(self.seen(encoder.look(worn(batch.stills, generator))), batch.shown))
        return torch.stack(losses).sum()

    @torch.no_grad()
    def accuracy(self, lessons: Lessons, batch: int = 5) -> dict[str, dict[str, float]]:
        """The share of questions that each head answers right, by attribute, with each kind of history."""
        right: dict[str, dict[str, list[bool]]] = {}
        for first in range(0, len(lessons.stories), batch):
            some = lessons.batch(range(first, min(first + batch, len(lessons.stories)))).to(self.model.device)
            for history in dict.fromkeys(MODES):
                for name, scores, answered in self(some, history, range(some.true.shape[1])):
                    for key, score, wanted in zip(TO_DRAW, scores, answered.T, strict=True):
                        asked = wanted != ABSENT
                        found = (score.argmax(1) == wanted)[asked].tolist()
                        right.setdefault(name, {}).setdefault(key.attribute, []).extend(found)
        return {name: {attribute: sum(one) / len(one) for attribute, one in each.items() if one} for name, each in right.items()}


def worn(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures (.., 3, size, size) softened and made noisy, each as much as chance has it."""
    flat, device = pictures.flatten(0, -4), generator.device
    soft = F.interpolate(F.avg_pool2d(flat, 2), flat.shape[-2:], mode="bilinear", align_corners=False)
    strength, wear = (torch.rand(len(flat), 1, 1, 1, generator=generator, device=device).to(flat.device) for _ in range(2))
    noise = torch.randn(flat.shape, generator=generator, device=device).to(flat.device)
    return (torch.lerp(flat, soft, wear) + NOISE * strength * noise).view_as(pictures)


class Answers(nn.Module):
    """A few learned queries look at the tokens, and together answer all questions."""

    QUERIES = 16

    def __init__(self, width: int) -> None:
        super().__init__()
        self.sizes = [len(values) for values in TO_DRAW.values()]
        self.queries = nn.Parameter(torch.randn(self.QUERIES, width) * 0.02)
        self.look = nn.MultiheadAttention(width, 4, batch_first=True)
        self.say = nn.Linear(self.QUERIES * width, sum(self.sizes))

    def forward(self, tokens: Tensor, keep: Tensor | None = None) -> list[Tensor]:
        """Tokens (n, token, width), keep (n, token) or None for all -> for each question scores (n, value)."""
        queries, hidden = self.queries.expand(len(tokens), -1, -1), None if keep is None else ~keep
        seen, _ = self.look(queries, tokens, tokens, key_padding_mask=hidden, need_weights=False)
        return list(self.say(seen.flatten(1)).split(self.sizes, dim=1))


class Likeness(nn.Module):
    """Scores of at most SHARP: the cosine between a token and each value. So a token is never sure enough until it is all that one
    fact and nothing else, and a denoiser finds the fact at once."""

    def __init__(self, width: int, values: int) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.randn(values, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (n, width) to scores (n, value)."""
        return likeness(tokens, self.values)


def cross_entropy(scores: list[Tensor], answered: Tensor) -> Tensor:
    """The mean over all that has an answer; scores (n, value) for each question, answers (n, question)."""
    losses = [nn.functional.cross_entropy(score, answered[:, k], reduction="sum") for k, score in enumerate(scores)]
    return torch.stack(losses).sum() / (answered != ABSENT).sum().clamp_min(1)

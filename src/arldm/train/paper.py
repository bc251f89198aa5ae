"""A row of the paper's tables: AR-LDM on an archive, from a model that `arldm init paper` made, and the model folder it leaves."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Self

import torch
from accelerate import PartialState
from torch import Tensor

from arldm.config import QUICK, TrainConfig
from arldm.datasets.archive import Archive, ArchiveStories
from arldm.errors import ConfigError, DatasetError
from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch, assemble, resized
from arldm.model.noise import generator
from arldm.pictures import grid
from arldm.recipes import Paper
from arldm.sample import check_length, check_stories, tell_batch
from arldm.train.asked import asked
from arldm.train.judging import Jury
from arldm.train.loading import Ahead
from arldm.train.loop import fit
from arldm.train.record import Sample
from arldm.train.stills import Stills, cached_stills
from arldm.train.stories import turns

SHOWN = 2  # stories of the validation split in a sample picture, and told if nobody judges


def paper(recipe: Paper, out: Path) -> None:
    """Train AR-LDM on an archive; leaves `out/model`, a folder that `--model` takes."""
    stories = read_stories(recipe)
    train = planned(recipe, len(stories))
    model = begin(recipe, stories)
    preview = _preview(recipe, model)
    readings = Readings.made(model, stories, recipe.given, recipe.cache or out / "cache")
    with Ahead(readings.numbered(recipe.train.batch_size, recipe.train.seed), PartialState().num_processes) as batches:
        fit(model, batches, train, out, options=asked(recipe), preview=preview)
    if PartialState().is_main_process:
        model.save_pretrained(out / "model")


def planned(recipe: Paper, stories: int) -> TrainConfig:
    """The training with its number of steps: what the epochs take of so many stories, with this many processes."""
    train = recipe.train
    return replace(
        train, steps=train.steps or math.ceil(recipe.epochs * stories / train.items_a_step(PartialState().num_processes))
    )


def read_stories(recipe: Paper) -> ArchiveStories:
    """The stories to train with. Raises DatasetError, and ConfigError if some cannot be trained with as the recipe has it."""
    stories = Archive(recipe.dataset).stories("train", recipe.captions, recipe.still, recipe.train.seed)
    if not len(stories):
        raise DatasetError(f"{recipe.dataset}: its split train has no story; choose another --dataset")
    shortest, longest = min(stories.lengths), max(stories.lengths)
    if recipe.given >= shortest:
        raise ConfigError(f"--given: got {recipe.given} for stories of {shortest} frames; expected fewer, or nothing is drawn")
    if recipe.train.batch_size > 1 and shortest < longest:
        got = f"{recipe.dataset}: has stories of {shortest} to {longest} frames"
        raise ConfigError(f"{got}; expected one length where several are a batch, use --train.batch-size 1")
    return stories


def begin(recipe: Paper, stories: ArchiveStories) -> ARLDM:
    """The model before its first step. Raises ModelError, ConfigError."""
    model = ARLDM.from_pretrained(recipe.model).narrowed(recipe.history)
    check_length(model, max(stories.lengths))
    model.freeze(recipe.freeze)
    model.conditioning_dropout, model.shift = recipe.train.conditioning_dropout, recipe.train.shift
    return model


def _preview(recipe: Paper, model: ARLDM) -> Callable[[], Sample] | None:
    split = Archive(recipe.dataset).stories("val", recipe.captions)
    jury = Jury(recipe.judges, split, recipe.given)
    stories = [*split.first(max(SHOWN, jury.stories))]
    if not stories:
        return None
    captions = [frame.caption for story in stories for frame in story.frames]
    check_stories(model, max(len(story.frames) for story in stories), captions)
    size = model.config.picture_size

    def preview() -> Sample:
        frames = [[row[0] for row in tell_batch(model, [story.untold(recipe.given)], QUICK)] for story in stories]
        told = [[frame.picture for frame in row if frame.picture] for row in frames]
        shown = [resized(picture, size) for row in told[:SHOWN] for picture in row]
        return Sample(grid(shown, max(map(len, told[:SHOWN]))), jury(told[: jury.stories]))

    return preview


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Stories of an archive, in each epoch with other stills and other points of their posteriors."""

    stories: ArchiveStories
    given: int  # frames that are looked at and not drawn
    captions: tuple[Tensor, Tensor, Tensor, Tensor]  # ids and keep by CLIP's tokenizer, the same by BLIP's; (frame, token)
    starts: tuple[int, ...]  # where each story's captions begin
    stills: Stills

    @classmethod
    def made(cls, model: ARLDM, stories: ArchiveStories, given: int, cache: Path) -> Self:
        """All that training reads, made once and kept in the folder `cache`. Raises CaptionError for one too long for the model."""
        captions = (*model.tokenizer.encode(stories.told), *model.past_tokenizer.encode(stories.told))
        starts = tuple(accumulate(stories.lengths, initial=0))
        return cls(stories, given, captions, starts, cached_stills(model, stories.archive, stories.ever_shown, cache))

    def numbered(self, size: int, seed: int) -> Callable[[int], StoryBatch]:
        """Batches of `size` stories as a function of their number."""
        return lambda number: self.batch(turns(number, size, len(self.stories), seed))

    def batch(self, readings: Sequence[tuple[int, int]]) -> StoryBatch:
        """Some stories of equal length, each as (epoch, story)."""
        shown = [self.stories.shown(story, epoch) for epoch, story in readings]
        shape, frames = (len(readings), -1), range(len(shown[0]))
        ids = [values[self._rows([story for _, story in readings])].unflatten(0, shape) for values in self.captions]
        small = self.stills.small([still for row in shown for still in row]).unflatten(0, shape)
        generators = [self._generator(*reading, t) for reading in readings for t in frames[self.given :]]
        latents = self.stills.latents([still for row in shown for still in row[self.given :]], generators).unflatten(0, shape)
        return assemble(*(values[:, self.given :] for values in ids[:2]), *ids[2:], small_pictures=small, latents=latents)

    def _rows(self, stories: Sequence[int]) -> list[int]:
        """Where the captions of some stories are."""
        return [row for story in stories for row in range(self.starts[story], self.starts[story + 1])]

    def _generator(self, epoch: int, story: int, frame: int) -> torch.Generator:
        """What chooses the point of a posterior."""
        return generator("posterior", self.stories.seed, epoch, story, frame)

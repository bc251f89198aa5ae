"""The adaptation of the paper: a few pictures of a new character are one story more, and the model learns from it again and again.

The new name begins as a word that the model knows. What of the model learns is the mode: all but the autoencoder (`full`, the
paper's), low-rank changes (`lora`), the name's embeddings alone (`token`, Textual Inversion), nothing at all (`pin`).
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from arldm.adapt.modes import let_learn, lora_weights
from arldm.adapt.old import old_stories
from arldm.adapt.pictures import read_pictures
from arldm.adapt.recipes import Adaptation
from arldm.config import TellConfig, to_dict
from arldm.errors import ConfigError, OutputError
from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch, joined, picked
from arldm.model.noise import derived_seed
from arldm.model.pack import Card, Pack, write_pack
from arldm.model.widening import TABLES, add_words, texts
from arldm.provenance import pixel_hash
from arldm.sample import tell
from arldm.story import Frame, Story
from arldm.story_files import strip
from arldm.train.loop import fit
from arldm.train.record import Sample
from arldm.train.stories import turn

QUICK = TellConfig(steps=10)


def adapt(recipe: Adaptation, out: Path) -> None:
    """Make a pack in `out`. The run lies beside it in `out`.run; the same call continues one that was stopped.

    Raises whatever is wrong with pictures, names, model or folder before anything is trained.
    """
    if out.exists():
        raise OutputError(f"{out}: is there already; expected a new folder for the pack, choose another --out")
    frames = read_pictures(recipe.pictures, recipe.names)
    model = ARLDM.from_pretrained(recipe.model)
    model.conditioner.check_length(len(frames))  # they are told as one story
    base = model.hash()
    add_words(model, recipe.names, recipe.like)
    story = Story(recipe.names[0], frames)
    run = out.with_name(f"{out.name}.run")
    tensors = _pinned(model, frames, len(recipe.names)) if recipe.mode == "pin" else _learned(model, recipe, story, run, base)
    lora = lora_weights(model) if recipe.mode == "lora" else {}
    pictures = [frame.picture for frame in frames if frame.picture is not None]
    hashes = tuple(map(pixel_hash, pictures))
    made_with = to_dict(replace(recipe, pictures=Path(recipe.pictures.name)))
    card = Card(recipe.names, recipe.like, recipe.mode, base, hashes, recipe.author, recipe.licence, made_with=made_with)
    pack = Pack(card, tensors, lora)
    write_pack(pack, out, _drawn(model, story), pictures if recipe.include_pictures else [])
    for checkpoint in run.glob("checkpoint-*"):  # what is left of the run can be looked at and is small
        shutil.rmtree(checkpoint)


def _learned(model: ARLDM, recipe: Adaptation, story: Story, run: Path, base: str) -> dict[str, Tensor]:
    """Train; the tensors of the pack. Raises ConfigError where the run was begun with other pictures, captions or weights."""
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    new = len(recipe.names)
    let_learn(model, recipe.mode, new, recipe.rank)
    model.dropout, model.mode_scale, model.shift = recipe.train.dropout, recipe.train.mode_scale, recipe.train.shift
    school = School(model.batch([story]), old_stories(model, recipe, len(story.frames)), recipe)

    def preview() -> Sample:
        return Sample(_drawn(model, story))

    shown = [(frame.caption, frame.picture and pixel_hash(frame.picture)) for frame in story.frames]
    learned_from = {"pictures_hash": sha256(repr(shown).encode()).hexdigest()[:16], "model_hash": base}
    fit(Adapting(model), school, recipe.train, run, options=to_dict(recipe) | learned_from, preview=preview)
    return _moved(model, before, new, whole=recipe.mode == "full")


def _moved(model: ARLDM, before: dict[str, Tensor], new: int, whole: bool) -> dict[str, Tensor]:
    """By how much the rows of the new names have moved; `whole`: and all other weights."""
    tables = dict(zip((id(part.get_input_embeddings().weight) for part in texts(model)), TABLES, strict=False))
    tensors = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad and name in before:
            moved = weight.detach().cpu() - before[name]
            if id(weight) in tables:
                tensors[f"token.{tables[id(weight)]}"] = moved[-new:].contiguous()
                moved = moved[:-new]
            if whole:
                tensors[f"delta.{name}"] = moved.half().contiguous()
    return tensors


@torch.no_grad()
def _pinned(model: ARLDM, frames: Sequence[Frame], new: int) -> dict[str, Tensor]:
    """The pictures as the history encoder reads them. Raises ConfigError for a model that looks at none."""
    if model.history != "pictures":
        raise ConfigError(f"--mode pin: the model looks at history {model.history!r}; expected one that looks at pictures")
    batch = model.batch([Story("", tuple(frames))])
    past = model.read_past(range(len(frames)), batch.past_ids, batch.past_keep, batch.past_pictures)
    assert past is not None
    rows = {f"token.{name}": torch.zeros(new, model.config.text.width) for name, _ in zip(TABLES, texts(model), strict=False)}
    return {**rows, "past.tokens": past.tokens[0].cpu().contiguous(), "past.keep": past.keep[0].cpu().contiguous()}


def _drawn(model: ARLDM, story: Story) -> Image.Image:
    pictures = [frame.picture for frame in tell(model, story.untold(), QUICK) if frame.picture is not None]
    return strip(pictures)


@dataclass(frozen=True, slots=True, eq=False)
class School:
    """Batches by their number: the new character's pictures in an order of their own each time, every second story an old one."""

    new: StoryBatch  # one story
    old: StoryBatch | None
    recipe: Adaptation

    def __call__(self, number: int) -> StoryBatch:
        """Batch `number`."""
        size = self.recipe.train.batch
        rows = [self._story(place) for place in range(number * size, (number + 1) * size)]
        return joined(rows)

    def _story(self, place: int) -> StoryBatch:
        seed = self.recipe.train.seed
        if self.old is not None and place % 2:
            return picked(self.old, turn(place // 2, 1, len(self.old.latents), seed)[0])
        frames = self.new.latents.shape[1]
        order = torch.randperm(frames, generator=torch.Generator().manual_seed(derived_seed("order", seed, place)))
        return picked(self.new, 0, order)


class Adapting(nn.Module):
    """A model in adaptation, for the loop of training."""

    def __init__(self, model: ARLDM) -> None:
        super().__init__()
        self.model = model

    def loss(self, batch: StoryBatch, generators: list[torch.Generator]) -> Tensor:
        """The model's own."""
        return self.model.loss(batch, generators)

"""The adaptation of the paper: a few pictures of a new character are one story more, and the model learns from it again and again.

The new name begins as a word that the model knows. What of the model learns is the mode: all but the autoencoder (`full`, the
paper's; of a model that sums up what it reads, U-Net, context and the name), low-rank changes (`lora`), the name's embeddings alone
(`token`, Textual Inversion), nothing at all (`pin`).
"""

import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import torch
from PIL import Image
from torch import Tensor, nn

from arldm.adapt.former import Former
from arldm.adapt.lessons import (
    DECOYS,
    Lesson,
    Summed,
    decoyed,
    fresh,
    in_orders,
    is_newcomer,
    newcomer,
    of_character,
    strayed,
    sums_up,
    together,
)
from arldm.adapt.modes import let_learn, lora_weights
from arldm.adapt.old import of_old
from arldm.adapt.pictures import read_cutouts, read_pictures
from arldm.adapt.recasting import FRAMES
from arldm.adapt.recipes import ADAPTATION_PAPER, ADAPTATION_TOONSV, DRAWN, EPOCHS_PAPER, EPOCHS_TOONSV, OLD, Adaptation, as_words
from arldm.adapt.school import School
from arldm.config import QUICK, Mode, ModelConfig, TellConfig, to_dict
from arldm.errors import ConfigError, OutputError
from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch
from arldm.model.condition import Condition
from arldm.model.folder import located, read_config
from arldm.model.noise import seeded
from arldm.model.pack import NEWCOMER, Card, Pack, write_pack
from arldm.model.widening import add_words, tables, take_up
from arldm.pictures import strip
from arldm.provenance import pixel_hash
from arldm.sample import tell
from arldm.story import Story
from arldm.toonsv.cast import EXTRA_KINDS
from arldm.toonsv.world import TRAINED
from arldm.train import checkpoint
from arldm.train.checks import RANGES, check_ranges
from arldm.train.engine import denormals_flushed, set_up
from arldm.train.loop import fit
from arldm.train.record import Sample
from arldm.weight_files import fastest_device
from arldm.writing import clear, kept_alone

KEPT = 4.0  # how much it counts that what is kept is drawn as before: its target is no noise, and its errors are small
HOLD = 1.0  # how much it counts what is read, beside what is drawn: more would take all of a gradient whose norm is clipped
FURTHER = 1.1  # times what was learned is the pack, where the character played parts: surer, and two still go into one story
HOW_MADE = ("pictures", "model", "keep_old")  # options that are paths: nobody is to learn from a pack where it was made
ROLES = (*TRAINED, *(kind for kind in EXTRA_KINDS if " " not in kind))  # whom the embedded model draws and calls by one word
OTHER_RANGES: dict[str, tuple[float, float]] = {"epochs": (0, math.inf), "rank": (1, math.inf)}  # not as in training
APART = ("author", "licence", "include_pictures")  # options of the pack alone


def adaptation(
    pictures: Path | str,
    names: Sequence[str] | str,
    like: str,
    model: Path | str = "toonsv",
    mode: Mode = "full",
    *,
    epochs: int = 0,
    train: Mapping[str, Any] | None = None,
    **more: Any,
) -> Adaptation:
    """The recipe that suits a model and a mode, as `arldm adapt` has it: of all that is not said here.

    0 `epochs` are as many as suit, and tell the steps; `train` are other fields of its TrainConfig, and `more` of the recipe
    itself. Raises ModelError, and ConfigError for what cannot be.
    """
    if mode not in get_args(Mode):
        raise ConfigError(f"--mode: got {mode!r}; expected one of {', '.join(get_args(Mode))}")
    check_ranges({"epochs": epochs, **(train or {}), **more}, RANGES | OTHER_RANGES)
    if "steps" in (train or {}):
        raise ConfigError("--train.steps: is told by --epochs; leave it out")
    config = config_of(model)
    small = config.summary > 0  # a model as the embedded one, not of published weights
    usual, drawn = (ADAPTATION_TOONSV, EPOCHS_TOONSV) if small else (ADAPTATION_PAPER, EPOCHS_PAPER)
    how = replace(usual[mode], **{"preview_every": 0, "checkpoint_every": 50, "report_to": "none", **(train or {})})
    words = as_words((names,) if isinstance(names, str) else names)
    recipe = Adaptation(Path(pictures), words, like.lower(), model, mode, how, **more)
    if sums_up(config) and recipe.like not in ROLES:
        raise ConfigError(f"--like {like}: is nobody whom the model draws; expected one of {', '.join(ROLES)}")
    stories = (epochs or drawn[mode]) * (OLD / (OLD - 1) if recipe.keeps_old else 1)
    drawn_a_step = recipe.drawn(sums_up(config)) * how.gradient_accumulation_steps
    return replace(recipe, train=replace(how, steps=math.ceil(stories / drawn_a_step)))


def config_of(model: Path | str) -> ModelConfig:
    """What a model is, before it is loaded. Raises ModelError."""
    return read_config(located(model))


def adapt(recipe: Adaptation, out: Path | str) -> None:
    """Make a pack in `out`. The run lies beside it in `out`.run; the same call continues one that was stopped.

    Raises whatever is wrong with pictures, names, model or folder before anything is trained.
    """
    out = Path(out)
    if out.exists():
        raise OutputError(f"{out}: is there already; expected a new folder for the pack, choose another --out")
    run = out.with_name(f"{out.name}.run")
    set_up(recipe.train)  # now: what is read before the training takes as many threads
    with denormals_flushed(), kept_alone(run):
        _adapt(recipe, out, run)


def _adapt(recipe: Adaptation, out: Path, run: Path) -> None:
    for half in out.parent.iterdir():
        if re.fullmatch(rf"\.{re.escape(out.name)}\.\d+\.new", half.name):  # and not of a pack "name.2"
            clear(half)
    frames = read_pictures(recipe.pictures, recipe.names)
    story = Story(recipe.names[0], frames)
    pack = _made(recipe, story, run)
    told = ARLDM.from_pretrained(recipe.model).to(fastest_device())
    take_up(told, pack, 1.0)
    pictures = [frame.picture for frame in frames if frame.picture is not None] if recipe.include_pictures else []
    write_pack(pack, out, _drawn(told, story), pictures)
    if recipe.mode != "pin":
        for folder in checkpoint.folders(run):  # what is left of the run can be looked at and is small
            shutil.rmtree(folder)


def _made(recipe: Adaptation, story: Story, run: Path) -> Pack:
    model = ARLDM.from_pretrained(recipe.model).to(fastest_device())
    model.conditioner.check_length(len(story.frames))  # they are told as one story
    base = model.hash()
    if is_cut_out(recipe, model.config):
        add_words(model, DECOYS, recipe.like)
        fresh(model, DECOYS, recipe.train.seed)
    add_words(model, recipe.names, recipe.like)
    pinned = recipe.mode == "pin"
    tensors = _pinned(model, recipe, story) if pinned else _learned(model, recipe, story, run, base)
    lora = lora_weights(model) if recipe.mode == "lora" else {}
    hashes = tuple(map(pixel_hash, story.pictures))
    kept = recipe if recipe.keeps_old else replace(recipe, keep_old="")
    made_with = to_dict(kept) | {name: Path(getattr(kept, name)).name for name in HOW_MADE}
    card = Card(recipe.names, recipe.like, recipe.mode, base, hashes, recipe.author, recipe.licence, made_with=made_with)
    pack = Pack(card, tensors, lora)
    return pack.further(FURTHER) if is_cut_out(recipe, model.config) else pack


def _learned(model: ARLDM, recipe: Adaptation, story: Story, run: Path, base: str) -> dict[str, Tensor]:
    """Train; the tensors of the pack. Raises ConfigError where the run was begun with other pictures, captions or weights."""
    before = {name: weight.detach().cpu().clone() for name, weight in model.named_parameters()}
    new = model.batch([story])
    old = of_old(model, recipe, FRAMES if is_cut_out(recipe, model.config) else len(story.frames))
    lesson, same = _lessons(model, recipe, story, new)
    was = Former.of(model) if isinstance(lesson, Summed) else None
    drawn = recipe.drawn(sums_up(model.config))
    school = School(lesson, old, same, recipe.train.batch_size, drawn, recipe.train.seed)
    met: dict[str, Tensor] = {}
    if model.prior is not None and was is not None and is_newcomer(recipe.like):
        met[NEWCOMER] = newcomer(recipe.names, recipe.train.seed, model.config.text.width)
        model.prior.welcome(met[NEWCOMER])
    if recipe.mode != "token":
        fresh(model, recipe.names, recipe.train.seed)
    with seeded(recipe.train.seed):
        let_learn(model, recipe.mode, len(recipe.names), recipe.rank)
    model.conditioning_dropout, model.shift = recipe.train.conditioning_dropout, recipe.train.shift

    def preview() -> Sample:
        return Sample(_drawn(model, story))

    options = {name: value for name, value in to_dict(recipe).items() if name not in (*APART, *HOW_MADE)}  # of paths, what is there
    options["batch_size"] = recipe.train.batch_size  # which elsewhere is but how a run is carried out
    learned_from = {"pictures_hash": _hash(new, lesson.stories), "old_hash": old and _hash(old.stories), "model_hash": base}
    fit(Adapting(model, was), school, recipe.train, run, options=options | learned_from, preview=preview)
    decoys = len(DECOYS) if is_cut_out(recipe, model.config) else 0
    return _moved(model, before, len(recipe.names), decoys, whole=recipe.mode == "full") | met


def _lessons(model: ARLDM, recipe: Adaptation, story: Story, new: StoryBatch) -> tuple[Lesson, Lesson | None]:
    """The pictures as they are, in several orders; or cut out, in other stories, where that can be read and told apart.

    Where old ones are kept, then these stories as they were, too, once with their own captions and once with decoys for names: who
    is meant by "he" depends on who was there, and another new name means somebody else.
    """
    seed = recipe.train.seed
    if not is_cut_out(recipe, model.config):
        return Lesson(in_orders(new, seed)), None
    lesson, before = of_character(model, story.frames, read_cutouts(recipe.pictures), recipe.names, recipe.like, seed)
    return lesson, together((before, decoyed(model, before, lesson.stories, recipe.names))) if recipe.keeps_old else None


def is_cut_out(recipe: Adaptation, config: ModelConfig) -> bool:
    """Does the new character play parts in old stories? Otherwise the squares in the middle of its pictures are looked at."""
    return recipe.moves_weights and sums_up(config)


def _hash(*batches: StoryBatch) -> str:
    """A short name for these captions and pictures."""
    digest = sha256()
    for batch in batches:
        for tensor in (batch.caption_ids, batch.past_ids, batch.past_pictures):
            digest.update(tensor.cpu().contiguous().numpy().data)
    return digest.hexdigest()[:16]


def _moved(model: ARLDM, before: dict[str, Tensor], new: int, decoys: int, whole: bool) -> dict[str, Tensor]:
    """By how much the rows of the new names have moved; `whole`: and all other weights, but for the decoys' rows before them."""
    tensors, grown = {}, {id(table): name for name, table in tables(model).items()}
    for name, weight in model.named_parameters():
        if weight.requires_grad and name in before:
            moved = weight.detach().cpu() - before[name]
            if id(weight) in grown:
                tensors[f"token.{grown[id(weight)]}"] = moved[-new:].contiguous()
                moved = moved[: -new - decoys]
                if sums_up(model.config):  # all but the new rows are as they were, but for the decay of weights
                    continue
            if whole:
                tensors[f"delta.{name}"] = moved.half().contiguous()
    return tensors


@torch.no_grad()
def _pinned(model: ARLDM, recipe: Adaptation, story: Story) -> dict[str, Tensor]:
    """The pictures as the history encoder reads them. Raises ConfigError for a model that looks at none."""
    if model.history != "pictures":
        raise ConfigError(f"--mode pin: the model looks at history {model.history!r}; expected one that looks at pictures")
    batch = model.batch([story])
    past = model.read_past(range(len(story.frames)), batch.past_ids, batch.past_keep, batch.past_pictures)
    assert past is not None
    unmoved = torch.zeros(len(recipe.names), model.config.text.width)
    rows = {f"token.{name}": unmoved.clone() for name in tables(model)}
    return {**rows, "past.tokens": past.tokens[0].cpu().contiguous(), "past.keep": past.keep[0].cpu().contiguous()}


def _drawn(model: ARLDM, story: Story) -> Image.Image:
    how = TellConfig() if sums_up(model.config) else QUICK
    return strip([frame.picture for frame in tell(model, story.untold(), how) if frame.picture is not None])


class Adapting(nn.Module):
    """A model in adaptation, for the loop of training; `was` is its denoiser as it was before."""

    def __init__(self, model: ARLDM, was: Former | None = None) -> None:
        super().__init__()
        self.model, self._was = model, was

    def loss(self, batch: Lesson, generators: list[torch.Generator]) -> Tensor:
        """The model's own; where a lesson says what is to be read and told, the denoiser is told that, and reading learns apart.

        What is to be drawn as before has what the denoiser said before as its target: that is nearer than a picture, of which it
        can but guess the mean (Li and Hoiem 2017, "Learning without Forgetting").
        """
        model, stories = self.model, batch.stories
        if not isinstance(batch, Summed):
            return model.loss(stories, generators)
        dropped = model.dropped(stories, generators)
        condition = model.condition(stories, dropped)
        far = strayed(model.conditioner.answers(condition.tokens), batch, dropped)
        return self._errors(batch, condition, dropped, generators[:DRAWN]).mean() + HOLD * far

    def _errors(self, batch: Summed, condition: Condition, dropped: Tensor, generators: list[torch.Generator]) -> Tensor:
        model, drawn = self.model, slice(len(generators))
        assert self._was is not None
        latents = batch.stories.latents[drawn]
        noisy, timesteps, target = model.noised(latents, generators)
        kept = batch.kept[drawn].flatten(0, 1)
        apart = (batch.latents_before[drawn] - latents).flatten(0, 1)  # of the picture without whom it does not know, same noise
        without = noisy + model.schedule.add_noise(apart, torch.zeros_like(apart), timesteps)  # type: ignore[arg-type]
        before = self._was.said(without, timesteps, batch.told_before[drawn], dropped[drawn])
        target = torch.where(kept[:, None], before.to(target), target)
        summed = torch.where(dropped[drawn, :, None, None], condition.tokens[drawn], model.conditioner.summary(batch.told[drawn]))
        shown = Condition(summed, condition.keep[drawn])
        errors = model.errors_of((noisy, timesteps, target), shown).mean(1)  # (batch * frame, h, w)
        return errors * batch.cells[drawn].flatten(0, 1) * (1 + (KEPT - 1) * kept)

"""AR-LDM's run on ToonSV: stories with cached latents, and the model folder it leaves."""

from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from arldm.errors import ConfigError, ModelError, said
from arldm.evaluate.reader import Reader
from arldm.evaluate.report import score
from arldm.model.arldm import ARLDM
from arldm.model.latents import Latents
from arldm.model.text import CaptionTokenizer, words_of
from arldm.model.vocabulary import train_bert_tokenizer, train_clip_tokenizer
from arldm.pictures import grid
from arldm.recipes import ToonSV
from arldm.sample import tell_batch
from arldm.toonsv import plot, story
from arldm.toonsv.questions import FREE, TO_DRAW, all_to_draw, kind
from arldm.train.asked import asked
from arldm.train.autoencoder import load_autoencoder
from arldm.train.details import Detailed, DetailedBatch, DetailedStories, weights
from arldm.train.loop import fit
from arldm.train.read import ReadStories, read, reads_once
from arldm.train.record import Sample
from arldm.train.scenes import Scenes
from arldm.train.stories import cached
from arldm.weight_files import fill, read_weights

VOCABULARY_STORIES = 2000  # whose captions make the tokenizers
JUDGED = 8  # stories of the validation split that are told and read as a run goes on
SHOWN = 2  # of them, in a sample picture


def toonsv(recipe: ToonSV, out: Path) -> None:
    """Train AR-LDM on ToonSV; leaves `out/model`, a folder that `--model` takes."""
    model, cache = begin(recipe), recipe.cache or out / "cache"
    _check_scenes(model, recipe)
    model.latents = _autoencoder(recipe)
    with PartialState().main_process_first():
        stories = cached(model, cache, "train", recipe.stories, recipe.frames)
        truth, side = shown(recipe.stories, recipe.frames), stories.latents.shape[-1]
        data = read(model, stories, cache, truth) if reads_once(model) else stories
        told = DetailedStories(data, weights(cache, "train", range(recipe.stories), recipe.frames, side, recipe.details))
        untold = None
        if recipe.scenes:
            assert isinstance(data, ReadStories)
            scenes = Scenes.drawn(model, data, truth, recipe.scenes, cache)
            untold = DetailedStories(scenes, weights(cache, "train", scenes.indices, 1, side, recipe.details))

    def batches(number: int) -> DetailedBatch:
        if untold is None:
            return told.batch(number, recipe.train.batch_size, recipe.train.seed)
        places = range(number * recipe.train.batch_size, (number + 1) * recipe.train.batch_size)  # every second one is five scenes
        return reduce(DetailedBatch.beside, ((told, untold)[place % 2].batch(place // 2, 1, recipe.train.seed) for place in places))

    fit(Detailed(model), batches, recipe.train, out, options=asked(recipe), preview=judged(model, recipe.frames))
    if PartialState().is_main_process:
        model.save_pretrained(out / "model", torch.float16)


def _check_scenes(model: ARLDM, recipe: ToonSV) -> None:
    """Can stories lend tokens to scenes, if there are to be any? Raises ConfigError."""
    if recipe.scenes and not reads_once(model):
        raise ConfigError(
            f"--scenes {recipe.scenes}: expected a model with a summary of {len(TO_DRAW)} and "
            "--freeze text_encoder history_encoder conditioner"
        )
    if 0 < recipe.scenes < recipe.frames:
        raise ConfigError(f"--scenes {recipe.scenes}: expected at least {recipe.frames}, for so many stand in the place of a story")


def judged(model: ARLDM, frames: int) -> Callable[[], Sample]:
    """Stories of the validation split as the model tells them by now, and what they are worth."""
    truths = [story("val", index, frames, model.config.picture_size) for index in range(JUDGED)]
    reader = Reader.from_pretrained("toonsv")

    def sample() -> Sample:
        rows = zip(*tell_batch(model, [truth.untold() for truth in truths]), strict=True)
        told = [[frame.picture for frame in row if frame.picture is not None] for row in rows]
        scores = {name: measure.value for name, measure in score(told, truths, reader).metrics.items()}
        return Sample(grid([picture for row in told[:SHOWN] for picture in row], frames), scores)

    return sample


def shown(stories: int, frames: int) -> torch.Tensor:
    """What the pictures of all stories show, as answers to what is to be drawn: (story * frame, summary)."""
    shots = [shot for story in range(stories) for shot in plot("train", story, frames)]
    return torch.from_numpy(np.stack([all_to_draw(shot.scene) for shot in shots]))


def begin(recipe: ToonSV) -> ARLDM:
    """The model before its first step: tokenizers learned from the captions, encoders read, all else from the seed."""
    captions = [shot.caption for index in range(VOCABULARY_STORIES) for shot in plot("train", index)]
    known = sorted({word for caption in captions for word in words_of(caption)})
    tokenizer = CaptionTokenizer(train_clip_tokenizer(captions, recipe.model.text.vocabulary), recipe.model.text.max_tokens, known)
    past_tokenizer = CaptionTokenizer(train_bert_tokenizer(captions, recipe.model.past.vocabulary), recipe.model.past.max_tokens)
    model = ARLDM.build(recipe.model, tokenizer, past_tokenizer, recipe.train.seed)
    if recipe.encoders is not None:
        load_encoders(model, recipe.encoders)
    if recipe.denoiser is not None:
        path = recipe.denoiser / "unet" / "diffusion_pytorch_model.safetensors"
        fill(model.unet, read_weights(path), path)
    model.freeze(recipe.freeze)
    model.conditioning_dropout, model.shift = recipe.train.conditioning_dropout, recipe.train.shift
    return model


def _autoencoder(recipe: ToonSV) -> Latents:
    found = load_autoencoder(recipe.autoencoder)
    if found.config != recipe.model.latents:
        raise ConfigError(f"{recipe.autoencoder}: made with {found.config}; expected {recipe.model.latents}, give --model.latents")
    return found


def load_encoders(model: ARLDM, path: Path) -> None:
    """Give a model the encoders that `encoders` left, as far as it has them. Raises ConfigError, ModelError."""
    names = ("text_encoder", "history_encoder", "conditioner")
    load_parts({name: part for name in names if (part := getattr(model, name)) is not None}, path, "encoders for this model")
    if model.prior is not None:
        heads = read_weights(path)
        for k, key in enumerate(TO_DRAW):
            if (name := kind(key)) in FREE:
                values = heads[f"to_draw.{name}.values"]
                if len(values) > model.config.choices:
                    got = f"--model.choices {model.config.choices}: {path} knows {len(values)} values of {name}"
                    raise ConfigError(f"{got}; expected as many or more, or 0 for none")
                model.prior.values[k, : len(values)] = values


def load_parts(parts: Mapping[str, nn.Module], path: Path, called: str) -> None:
    """Give modules what stands under their names in a file that `encoders` left. Raises ModelError."""
    try:
        found = load_file(path)
        for name, part in parts.items():
            part.load_state_dict({key: found[f"{name}.{key}"] for key in part.state_dict()})
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        message = f"{path}: no {called} ({said(error)}); run `arldm train toonsv-encoders` first"
        raise ModelError(message) from error

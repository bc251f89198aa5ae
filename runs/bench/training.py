"""A step of training at ToonSV's size, against the original procedure: the same stories, the same losses, the same optimizer."""

from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import original
import torch
from clock import Seconds, compared

from arldm import ARLDM, TrainConfig
from arldm.model.batch import ReadBatch, StoryBatch, pictures_of, pixels
from arldm.model.noise import item_generators
from arldm.recipes import TOONSV_TRAIN
from arldm.toonsv import story
from arldm.train import fit
from arldm.train.read import read, reads_once
from arldm.train.stories import cached, turn
from arldm.train.toonsv import shown

STEPS = 3  # of which the first warms up, and the last of ours ends with a checkpoint
ROUNDS = 2  # alternating, for a machine is not always equally fast
FRAMES = 5
ADAMW = replace(TOONSV_TRAIN, muon_learning_rate=0.0, steps=STEPS, checkpoint_every=0, preview_every=0, report_to="none")
CONDITION = ("text_encoder", "history_encoder", "conditioner")


def steps() -> None:
    """Print seconds a step, everything but the autoencoder learning, then the U-Net alone."""
    torch.set_flush_denormal(True)  # as `arldm train` does
    print(f"\nTraining, {ADAMW.batch_size} stories of {FRAMES} frames a step, the model learns all but its autoencoder")
    _print(())
    print("\nTraining, the same, but what makes the condition is frozen, as in the embedded model's recipe")
    _print(CONDITION)


def _print(frozen: tuple[str, ...]) -> None:
    ways = {
        "original procedure, the past read for each frame that sees it": lambda: list(_original(frozen, anew=True)),
        "original procedure, the past read once": lambda: list(_original(frozen, anew=False)),
        "ours, AdamW as the original": lambda: _ours(frozen, ADAMW),
        "ours, Muon as in the recipe": lambda: _ours(frozen, replace(ADAMW, muon_learning_rate=TOONSV_TRAIN.muon_learning_rate)),
    }
    compared(ways, "step", ROUNDS)


def _original(frozen: tuple[str, ...], *, anew: bool) -> Iterator[Seconds]:
    """Steps in float32 with AdamW; reading, decoding and resizing of pictures are not counted."""
    model = _model(frozen)
    stories = [story("train", number, FRAMES, model.config.picture_size) for number in range(ADAMW.batch_size)]
    size = model.config.picture_size
    pictures = torch.stack([torch.stack([pixels(picture, size) for picture in row]) for row in pictures_of(stories)])
    batch = original.batch(model, stories)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, ADAMW.learning_rate, ADAMW.betas, weight_decay=ADAMW.weight_decay)
    for step in range(STEPS):
        start = Seconds.now()
        original.loss(model, pictures, batch, item_generators(step, range(len(stories))), anew=anew).backward()
        torch.nn.utils.clip_grad_norm_(weights, ADAMW.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        if step:
            yield Seconds.now().since(start)


def _ours(frozen: tuple[str, ...], config: TrainConfig) -> list[Seconds]:
    """Steps as `arldm train toonsv` takes them."""
    model = _model(frozen)
    begun: list[Seconds] = []
    with TemporaryDirectory() as folder, redirect_stderr(StringIO()), redirect_stdout(StringIO()):  # nothing between the rows
        data = cached(model, Path(folder), "train", config.batch_size, FRAMES)
        if reads_once(model):
            data = read(model, data, Path(folder), shown(config.batch_size, FRAMES))

        def batches(number: int) -> StoryBatch | ReadBatch:
            begun.append(Seconds.now())
            return data.batch(turn(number, config.batch_size, len(data), config.seed))

        fit(model, batches, config, Path(folder) / "run")
    return [end.since(start) for start, end in pairwise(begun[1:])]


def _model(frozen: tuple[str, ...]) -> ARLDM:
    """The embedded model, ready to learn."""
    model = ARLDM.from_pretrained("toonsv").train()
    model.shift, model.conditioning_dropout = ADAMW.shift, ADAMW.conditioning_dropout
    for name in frozen:
        getattr(model, name).requires_grad_(False)
    return model

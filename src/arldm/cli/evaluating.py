"""`arldm evaluate toonsv`."""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch
from PIL import Image
from tqdm import tqdm

from arldm.cli.packs import load_model
from arldm.cli.telling import numbers
from arldm.config import TellConfig, to_dict
from arldm.errors import ConfigError
from arldm.evaluate.reader import Reader, reader_accuracy
from arldm.evaluate.report import score, table, write
from arldm.evaluate.told import ToldStories
from arldm.model.arldm import ARLDM
from arldm.model.batch import image, pixels
from arldm.provenance import PACKAGES
from arldm.sample import check_config, tell_batch
from arldm.story import Story
from arldm.toonsv import chosen, painted, plot, split_hash, story
from arldm.toonsv.redrawn import forgotten
from arldm.writing import check_writable

if TYPE_CHECKING:
    from arldm.cli.evaluations import EvaluateToonSV


def evaluate_toonsv(options: "EvaluateToonSV") -> int:
    """Tell, read, count, print the table, write the report."""
    _check(options)
    pinned = _pinned(options)
    model = _model(options)
    reader = Reader.from_pretrained("toonsv")
    candidates = chosen(options.split, options.frames, options.held_out)
    which = list(islice(candidates, options.skip, options.skip + options.stories))
    truths = [story(options.split, number, options.frames, model.config.picture_size) for number in which]
    made_with = {
        "model_hash": model.hash(),
        "sampling": to_dict(options.how),
        "history": model.history,
        "given": options.given,
        "split": options.split,
        "world": split_hash(options.split, which[:1], options.frames),  # of another version the same numbers are other stories
        "skipped": options.skip,
        "frames": options.frames,
        "held_out": options.held_out,
        "memory": model.conditioner.memory,
        "pinned": sorted(pinned),
    }
    with TemporaryDirectory() if options.keep is None else nullcontext(options.keep) as folder:
        kept = ToldStories(Path(folder), made_with)
        told = _told(model, truths, options.how, options.given, options.batch, kept, pinned)
    rows = {f"{options.model} ({model.history}, given {options.given})": score(told, truths, reader, options.given)}
    for name, pictures in _brackets(options, model, which, truths) if options.brackets else ():
        rows[name] = score(pictures, truths, reader, options.given)
    print(table(rows))
    print(f"{kept.seconds:.1f} seconds a story")
    if options.json is not None:
        (_, main), *brackets = rows.items()
        report = {
            **main.to_dict(),
            "brackets": {name: row.to_dict() for name, row in brackets},
            "seconds_per_story": kept.seconds,
            "options": to_dict(options),
            **made_with,
            "reader": reader_accuracy(),
            "split_hash": split_hash(options.split, which, options.frames),
            "threads": torch.get_num_threads(),
            "versions": {package: version(package) for package in PACKAGES},
        }
        write(options.json, report)
    return 0


def _check(options: "EvaluateToonSV") -> None:
    """Raises ConfigError, and OutputError where no report can be written: better said now than after hours."""
    if options.stories < 1 or not 0 <= options.given < options.frames:
        got = f"--stories {options.stories} --given {options.given}"
        raise ConfigError(f"{got}: expected at least 1 story and 0 to {options.frames - 1} given pictures")
    if options.skip < 0:
        raise ConfigError(f"--skip: got {options.skip}; expected 0 or more stories to leave out")
    if options.batch < 1:
        raise ConfigError(f"--batch: got {options.batch}; expected 1 or more stories at once")
    if options.json is not None:
        check_writable(options.json, "--json")


def _pinned(options: "EvaluateToonSV") -> frozenset[int]:
    pinned = numbers(options.pinned, "--pinned")
    if beyond := sorted(number for number in pinned if not 0 <= number < options.frames):
        raise ConfigError(f"--pinned: got {beyond[0]}; expected frames 0 to {options.frames - 1}")
    return pinned


def _model(options: "EvaluateToonSV") -> ARLDM:
    """The model, with the history and the memory that are asked for. Raises ModelError, ConfigError."""
    model = load_model(options.model)
    if options.history is not None:
        model.use_history(options.history)
    if options.memory is not None:
        if options.memory < (window := model.conditioner.window):
            expected = f"{window} past frames or more, which the model has as a window"
            raise ConfigError(f"--memory: got {options.memory}; expected {expected}")
        model.conditioner.memory = options.memory
    check_config(model, options.how)  # now, not after all stories are rendered
    return model


def _brackets(
    options: "EvaluateToonSV", model: ARLDM, which: Sequence[int], truths: Sequence[Story]
) -> Iterator[tuple[str, list[list[Image.Image]]]]:
    """Pictures of the same stories between which the model's stand, one set after the other."""
    size = model.config.picture_size
    yield "rendered truth", [story.pictures for story in truths]
    yield "truth without memory", [_forgotten(options.split, number, options.frames, size) for number in which]
    yield "autoencoder's reconstruction", [_reconstructed(model, story) for story in truths]


def _told(
    model: ARLDM,
    truths: Sequence[Story],
    config: TellConfig,
    given: int,
    batch: int,
    kept: ToldStories,
    pinned: Collection[int],
) -> list[list[Image.Image]]:
    missing = [number for number in range(len(truths)) if number not in kept]
    with tqdm(
        total=len(truths), initial=len(truths) - len(missing), desc="telling", unit="story", mininterval=5, leave=False
    ) as bar:
        for first in range(0, len(missing), batch):
            numbers, started = missing[first : first + batch], time.perf_counter()
            frames = list(tell_batch(model, [truths[number].untold(given) for number in numbers], config, pinned=pinned))
            seconds, rows = (time.perf_counter() - started) / len(numbers), zip(*frames, strict=True)
            kept.put({number: replace(truths[number], frames=row) for number, row in zip(numbers, rows, strict=True)}, seconds)
            bar.update(len(numbers))
    return [kept.read(number, len(story.frames)) for number, story in enumerate(truths)]


def _forgotten(split: str, number: int, frames: int, size: int) -> list[Image.Image]:
    return painted(forgotten(plot(split, number, frames), f"afresh/{split}/{number}"), "", size).pictures


@torch.no_grad()
def _reconstructed(model: ARLDM, story: Story) -> list[Image.Image]:
    pictures = torch.stack([pixels(picture, model.config.picture_size) for picture in story.pictures])
    return [image(picture) for picture in model.latents.decode(model.latents.encode(pictures))]

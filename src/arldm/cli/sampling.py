"""`arldm sample`: a whole split, told over any number of processes.

Batches are formed from the order of the stories, each process takes every so many-th of them, and a batch that was begun is told
again as a whole: so the bytes are the same for any number of processes, however often they were stopped, and no process has to know
what the others have done.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import PartialState
from tqdm import tqdm

from arldm.cli.telling import use_threads
from arldm.config import TellConfig, to_dict
from arldm.errors import ConfigError
from arldm.model.arldm import ARLDM
from arldm.sample import check_config, check_stories, tell_batch
from arldm.story import Story
from arldm.story_files import STRIP, write_story
from arldm.toonsv import ToonStories, split_hash
from arldm.train.peers import together
from arldm.writing import alone_in, claim, sweep

if TYPE_CHECKING:
    from arldm.cli.commands import Sample
    from arldm.datasets.archive import ArchiveStories

MADE_WITH = "sample.json"


def sample(options: "Sample") -> int:
    """Tell what of the split is not there yet, of this process's share of the batches."""
    _check(options)
    state = PartialState(cpu=not torch.accelerator.is_available())  # without the word it would see no other process on CPUs
    use_threads(options.threads)
    model = ARLDM.from_pretrained(options.model).to(state.device)
    if options.history is not None:
        model.use_history(options.history)
    split = _split(options, model)
    config = options.how
    check_config(model, config)  # now, not after stories are read
    if min(split.lengths) <= options.given:
        raise ConfigError(f"--given: got {options.given} for stories of {min(split.lengths)} frames; expected fewer")
    check_stories(model, max(split.lengths), split.told)
    made_with = _made_with(options, model, config, split)
    with together(), state.main_process_first():
        claim(options.out, MADE_WITH, made_with, "told split", "--out", device="cpu")
        if state.is_main_process:
            with alone_in(options.out):
                sweep(options.out)
    folders = [_folder(options.out, number, id) for number, id in enumerate(split.ids)]
    mine = list(batches(split.lengths, options.batch))[state.process_index :: state.num_processes]
    bar = tqdm(total=sum(map(len, mine)), unit="story", disable=not state.is_main_process, leave=False)
    with alone_in(options.out, sharing=True), bar:
        for batch in mine:
            if not all(_is_told(folders[one]) for one in batch):
                _tell(model, {folders[one]: split[one] for one in batch}, config, options.given)
            bar.update(len(batch))
    told = sum(map(_is_told, folders))  # no process waits for another at the end: it may take hours
    print(f"{options.out}: {told:,} of {len(split):,} stories" + (", other processes go on" if told < len(split) else ""))
    return 0


def batches(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Numbers of stories that are told together: neighbours of equal length, at most `size`."""
    for _, equal in groupby(range(len(lengths)), key=lengths.__getitem__):
        numbers = list(equal)
        yield from (numbers[first : first + size] for first in range(0, len(numbers), size))


def _check(options: "Sample") -> None:
    if options.batch < 1 or options.stories < 0 or options.given < 0:
        got = f"--batch {options.batch} --stories {options.stories} --given {options.given}"
        raise ConfigError(f"{got}: expected 1 or more stories at once, 0 or more stories and given pictures")
    if options.dataset == "toonsv" and not options.stories:
        raise ConfigError("--stories: got 0, which is all; ToonSV has no end, say how many")
    if options.dataset == "toonsv" and options.captions != type(options).captions:
        raise ConfigError(f"--captions {options.captions}: ToonSV has one kind; leave it out")
    if options.dataset != "toonsv" and options.frames != type(options).frames:
        raise ConfigError(f"--frames {options.frames}: an archive's stories have lengths of their own; leave it out")


def _split(options: "Sample", model: ARLDM) -> "ToonStories | ArchiveStories":
    if options.dataset == "toonsv":
        return ToonStories(options.split, options.stories, options.frames, model.config.picture_size)
    from arldm.cli.preparing import check_installed

    check_installed()
    from arldm.datasets.archive import Archive

    stories = Archive(options.dataset).stories(options.split, options.captions)
    if not len(stories):
        raise ConfigError(f"{options.dataset}: its split {options.split} has no story; choose another --split")
    return stories.first(options.stories or len(stories))


def _made_with(options: "Sample", model: ARLDM, config: TellConfig, split: "ToonStories | ArchiveStories") -> dict[str, Any]:
    """All that the bytes depend on, beside the number of stories."""
    names = ["split", "captions", "given", "batch", "threads"]
    if isinstance(split, ToonStories):
        dataset, names = f"toonsv {split_hash(options.split, range(1), options.frames)[:16]}", [*names, "frames"]
    else:
        dataset = split.fingerprint
    chosen = {name: getattr(options, name) for name in names}
    if not isinstance(split, ToonStories):
        chosen["captions"] = split.captions  # those that were not named, too
    made = {"model_hash": model.hash(), "history": model.history, "device": model.device.type, "sampling": to_dict(config)}
    return {"dataset": dataset, **chosen, **made}


def _folder(out: Path, number: int, id: str) -> Path:
    """Where a story lies; an id may hold anything, its number makes it unique."""
    return out / f"{number:05}-{re.sub(r'[^A-Za-z0-9]+', '-', id)[:80]}"


def _is_told(folder: Path) -> bool:
    return (folder / STRIP).exists()  # written last


def _tell(model: ARLDM, stories: dict[Path, Story], config: TellConfig, given: int) -> None:
    rows = tell_batch(model, [story.untold(given) for story in stories.values()], config)
    for (path, story), frames in zip(stories.items(), zip(*rows, strict=True), strict=True):
        write_story(replace(story, frames=frames), path)

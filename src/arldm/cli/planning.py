"""`arldm plan`: what a card of some memory trains and samples, and with which options; all predicted (train/memory.py)."""

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tqdm import tqdm

from arldm.adapt.modes import let_learn
from arldm.adapt.recipes import ADAPTATION_PAPER, RANK
from arldm.config import ModelConfig
from arldm.errors import ConfigError
from arldm.model.growth import GROWTHS
from arldm.recipes import PAPER, RECIPES, Paper
from arldm.train.fitting import FRAMES, Setting, Work, card, room_of, sampling, training
from arldm.train.memory import Peak, parameters, training_peak

if TYPE_CHECKING:
    from arldm.cli.laboratory import Plan

GIB = 2**30
UNITS = {"M": 2**20, "G": GIB, "T": 2**40}  # a card that is sold with 24 GB has 24 GiB


def plan(options: "Plan") -> int:
    """Print what fits. Raises ConfigError where nothing does."""
    memories = {text: parsed(text) for text in options.memory}
    if not memories or options.stories < 1:
        raise ConfigError(
            f"--memory {' '.join(memories)} --stories {options.stories}: expected a size such as 24GB, 1 or more stories"
        )
    recipe, length = RECIPES[options.row], GROWTHS[options.row.rpartition("-")[0]].max_tokens
    assert isinstance(recipe, Paper)
    model = replace(PAPER, text=replace(PAPER.text, max_tokens=length), past=replace(PAPER.past, max_tokens=length))
    if options.adapt:
        return adaptation(memories, model, options)
    work = Work(model, replace(recipe.train, precision=options.precision), recipe.given, options.stories)
    print(f"{options.row}: {parameters(model) / 1e6:,.1f} M parameters, captions of {length} tokens")
    print("GiB at the worst moment, predicted")
    too_little: list[ConfigError] = []
    for text, memory in memories.items():
        try:
            lines = described(text, memory, work, options.row)
        except ConfigError as error:
            too_little.append(error)
            lines = [f"{text}: nothing fits"]
        print("\n".join(("", *lines)), flush=True)
    if len(too_little) == len(memories):
        raise too_little[-1]
    return 0


def adaptation(memories: dict[str, int], model: ModelConfig, options: "Plan") -> int:
    """Print what each way to learn a new character takes, and which cards have room for it."""
    if options.stories != type(options).stories:
        raise ConfigError(f"--stories {options.stories}: a new character is one story; leave it out with --adapt")
    modes = []  # of each all its ways, the fastest first, and what they take
    for mode in options.adapt:
        train = replace(ADAPTATION_PAPER[mode], precision=options.precision)
        lean = replace(train, gradient_checkpointing=True)
        ways = []
        for one in (train, lean, replace(lean, optimizer="adamw_8bit")):
            peak = training_peak(model, one, FRAMES, prepare=partial(let_learn, mode=mode, new=1, rank=RANK))
            ways.append((f"{mode}: {Setting(one).how}", peak))
        modes.append(ways)
    print("a new character from five pictures; GiB at the worst moment, predicted")
    print("\n".join(_table([way for ways in modes for way in ways], math.inf)))
    for text, memory in memories.items():
        room = room_of(memory)
        fit = [found for ways in modes if (found := next((name for name, peak in ways if peak.total <= room), ""))]
        print(f"{text}, of which tensors can have {room / GIB:.1f}: {', '.join(fit) or 'nothing fits'}")
    return 0


def parsed(text: str) -> int:
    """ "24GB" in bytes. Raises ConfigError."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([MGT])(?:i?B)?\s*", text, re.IGNORECASE)
    if found is None or not float(found[1]):
        raise ConfigError(f"--memory: got {text!r}; expected a size such as 24GB")
    return round(float(found[1]) * UNITS[found[2].upper()])


def described(text: str, memory: int, work: Work, row: str) -> list[str]:
    """What a card of so much memory can do, and what was tried. Raises ConfigError if it can do nothing."""
    room = room_of(memory)
    with tqdm(unit="rehearsal", leave=False) as bar:
        trained, (stories, drawing) = training(room, work, bar), sampling(room, work, bar)
    setting, worst = trained[-1]
    if min(worst.total, drawing.total) > room:
        least = f"sampling takes {card(drawing)}, training {card(worst)}"
        raise ConfigError(f"--memory: got {text}, too little for this model; {least} at least")
    train, precision = flags(setting), work.sampling_precision
    sample = f"--batch {stories} --precision {precision}"
    return [
        f"{text}, of which tensors can have {room / GIB:.1f}",
        *_table([(str(one), peak) for one, peak in trained] + [(f"sampling {stories} stories, {precision}", drawing)], room),
        f"  arldm train {row} --out RUN {train}" if worst.total <= room else f"  training takes {card(worst)} at least",
        f"  arldm sample .. {sample}" if drawing.total <= room else f"  sampling takes {card(drawing)} at least",
    ]


def flags(setting: Setting) -> str:
    """A setting as options of `arldm train`."""
    train = setting.train
    chosen = [f"--train.batch-size {train.batch_size} --train.gradient-accumulation-steps {train.gradient_accumulation_steps}"]
    chosen += [f"--train.precision {train.precision} --train.optimizer {train.optimizer}"]
    chosen += ["--train.gradient-checkpointing"] * train.gradient_checkpointing
    chosen += ["--train.offload-ema"] * train.offload_ema
    chosen += [f"--freeze {' '.join(setting.freeze)}"] * bool(setting.freeze)
    return " ".join(chosen)


def _table(rows: list[tuple[str, Peak]], room: float) -> Iterable[str]:
    width = max(len(name) for name, _ in rows)
    yield f"  {'':{width}} weights average moments working   all"
    for name, peak in rows:
        parts = (peak.weights, peak.average, peak.moments, peak.working)
        cells = " ".join(f"{part / GIB:7.1f}" for part in parts)
        yield f"  {name:{width}} {cells} {peak.total / GIB:5.1f}{'' if peak.total <= room else '  too much'}"

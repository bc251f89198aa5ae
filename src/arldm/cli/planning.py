"""`arldm plan`: what fits a GPU of some memory, and with which options. Every figure is predicted (train/memory.py)."""

import math
import re
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NoReturn

from tqdm import tqdm

from arldm.config import ModelConfig
from arldm.errors import ConfigError
from arldm.model.growth import GROWTHS
from arldm.recipes import PAPER
from arldm.train.memory import Peak, Setting, parameters, sampling_peak, training_peak

if TYPE_CHECKING:
    from arldm.cli.commands import Plan

GIB = 2**30
UNITS = {"M": 2**20, "G": GIB, "T": 2**40}  # a GPU that is sold with 24 GB has 24 GiB
#: what a GPU holds beside tensors: CUDA itself with the kernels in use (docs/memory.md)
CONTEXT = 0.75 * GIB
#: and what allocator and kernels need for themselves: blocks that are rounded up, gaps between them, room to work in
MARGIN = 0.05
SAMPLED = (1, 2, 4, 8, 16, 32, 64)  # stories at once

#: from the fastest to the smallest. Recomputing activations and an average on the CPU take time; moments of 8 bits round what is
#: learned; frozen encoders make another model of it
SETTINGS = (
    Setting(),
    Setting(gradient_checkpointing=True),
    Setting(gradient_checkpointing=True, offload_ema=True),
    Setting(gradient_checkpointing=True, optimizer="adamw_8bit"),
    Setting(gradient_checkpointing=True, optimizer="adamw_8bit", offload_ema=True),
    Setting(gradient_checkpointing=True, optimizer="adamw_8bit", offload_ema=True, freeze=("text_encoder", "history_encoder")),
)


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done on the GPU."""

    model: ModelConfig
    frames: int  # of a story
    stories: int  # that a training step learns from
    precision: Literal["no", "bf16", "fp16"]


def plan(options: "Plan") -> int:
    """Print what fits. Raises ConfigError where nothing does."""
    memories = {text: parsed(text) for text in options.memory}
    if options.frames < 2 or options.stories < 1:
        raise ConfigError(f"--frames {options.frames} --stories {options.stories}: expected 2 or more frames, 1 or more stories")
    length = GROWTHS[options.corpus].max_tokens
    model = replace(PAPER, text=replace(PAPER.text, max_tokens=length), past=replace(PAPER.past, max_tokens=length))
    if options.frames > model.window + 1:
        raise ConfigError(f"--frames: got {options.frames}; the paper's model has positions for {model.window + 1}, give no more")
    print(f"{parameters(model) / 1e6:,.1f} M parameters, stories of {options.frames} frames, captions of {length} tokens")
    print("GiB at the worst moment, predicted")
    for text, memory in memories.items():
        print("\n".join(("", *described(text, memory, Work(model, options.frames, options.stories, options.precision)))))
    return 0


def parsed(text: str) -> int:
    """ "24GB" in bytes. Raises ConfigError."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([MGT])(?:i?B)?\s*", text, re.IGNORECASE)
    if found is None or not float(found[1]):
        raise ConfigError(f"--memory: got {text!r}; expected a size such as 24GB")
    return round(float(found[1]) * UNITS[found[2].upper()])


def described(text: str, memory: int, work: Work) -> list[str]:
    """What a GPU of so much memory can do, and what was tried. Raises ConfigError if it can do nothing."""
    room = (memory - CONTEXT) / (1 + MARGIN)
    with tqdm(unit="rehearsal", leave=False) as bar:
        trained, told = training(room, work, bar), sampling(room, work, bar)
    (setting, worst), (stories, drawing) = trained[-1], told
    if min(worst.total, drawing.total) > room:
        least = f"sampling takes {_gpu(drawing)}, training {_gpu(worst)}"
        raise ConfigError(f"--memory: got {text}, too little for this model; {least} at least")
    rows = [(_name(one), peak) for one, peak in trained] + [(f"sampling {stories} stories at once, float32", drawing)]
    width = max(len(name) for name, _ in rows)
    return [
        f"{text}, of which tensors can have {room / GIB:.1f}",
        f"  {'':{width}} weights average moments working   all",
        *(f"  {name:{width}} {_cells(peak)}{'' if peak.total <= room else '  too much'}" for name, peak in rows),
        f"  arldm train ROW --out RUN {flags(setting)}" if worst.total <= room else f"  training takes {_gpu(worst)} at least",
        f"  arldm sample DATASET --model MODEL --out DIR --batch {stories}"
        if drawing.total <= room
        else f"  sampling takes {_gpu(drawing)} at least",
    ]


def training(room: float, work: Work, bar: "tqdm[NoReturn]") -> list[tuple[Setting, Peak]]:
    """Settings that were tried, with their peaks; the last one is the fastest that fits, or the smallest of all."""

    def peak(setting: Setting) -> Peak:
        bar.set_description(_name(setting))
        found = training_peak(work.model, setting, work.frames)
        bar.update()
        return found

    tried: list[tuple[Setting, Peak]] = []
    for setting in SETTINGS:
        batches = [
            replace(setting, precision=work.precision, batch=batch, gradient_accumulation_steps=work.stories // batch)
            for batch in range(1, work.stories + 1)
            if work.stories % batch == 0
        ]
        tried.append((batches[0], peak(batches[0])))
        if tried[-1][1].total <= room:
            largest = batches[bisect_right(batches, room, key=lambda one: peak(one).total) - 1]
            return tried if largest == batches[0] else [*tried, (largest, peak(largest))]
    return tried


def sampling(room: float, work: Work, bar: "tqdm[NoReturn]") -> tuple[int, Peak]:
    """The largest batch that fits, or the smallest of all, with its peak."""

    def peak(stories: int) -> Peak:
        bar.set_description(f"sampling {stories} stories")
        found = sampling_peak(work.model, stories, work.frames)
        bar.update()
        return found

    stories = SAMPLED[max(0, bisect_right(SAMPLED, room, key=lambda one: peak(one).total) - 1)]
    return stories, peak(stories)


def flags(setting: Setting) -> str:
    """A setting as options of `arldm train`."""
    chosen = [
        f"--train.batch {setting.batch}",
        f"--train.gradient-accumulation-steps {setting.gradient_accumulation_steps}",
        f"--train.precision {setting.precision}",
        f"--train.optimizer {setting.optimizer}",
    ]
    chosen += ["--train.gradient-checkpointing"] * setting.gradient_checkpointing
    chosen += ["--train.offload-ema"] * setting.offload_ema
    if setting.freeze:
        chosen.append(f"--freeze {' '.join(setting.freeze)}")
    return " ".join(chosen)


def _name(setting: Setting) -> str:
    said = [f"training {setting.batch} x {setting.gradient_accumulation_steps} stories", setting.precision, setting.optimizer]
    said += ["checkpointing"] * setting.gradient_checkpointing
    said += ["average on the CPU"] * setting.offload_ema
    said += ["encoders frozen"] * bool(setting.freeze)
    return ", ".join(said)


def _cells(peak: Peak) -> str:
    parts = (peak.weights, peak.average, peak.moments, peak.working)
    return " ".join(f"{part / GIB:7.1f}" for part in parts) + f" {peak.total / GIB:5.1f}"


def _gpu(peak: Peak) -> str:
    """The size of a GPU that has room for it."""
    return f"{math.ceil((peak.total * (1 + MARGIN) + CONTEXT) / GIB)}GB"

"""Which ways to train and to sample fit a card of some memory; all predicted (train/memory.py)."""

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import NoReturn

from tqdm import tqdm

from arldm.config import Frozen, ModelConfig, Precision, TrainConfig
from arldm.train.memory import Peak, sampling_peak, training_peak

#: what a card holds beside tensors: CUDA itself, with the kernels in use (docs/memory.md)
CONTEXT = 0.75 * 2**30
#: and what allocator and kernels need for themselves: blocks that are rounded up, gaps between them, room to work in
MARGIN = 0.05
FRAMES = 5  # of a story, in all the paper's corpora
TOLD = (1, 2, 4, 8, 16, 32, 64)  # stories at once


def room_of(memory: int) -> float:
    """Bytes that tensors can have of a card's."""
    return (memory - CONTEXT) / (1 + MARGIN)


def card(peak: Peak) -> str:
    """The size of a card that has room for it, such as 24GB."""
    return f"{math.ceil((peak.total * (1 + MARGIN) + CONTEXT) / 2**30)}GB"


@dataclass(frozen=True, slots=True)
class Setting:
    """A way to train."""

    train: TrainConfig
    freeze: Frozen = ()

    def __str__(self) -> str:
        return f"training {self.train.batch_size} x {self.train.gradient_accumulation_steps} stories, {self.how}"

    @property
    def how(self) -> str:
        """All but the number of stories."""
        train = self.train
        said = [train.precision, train.optimizer]
        said += ["checkpointing"] * train.gradient_checkpointing
        said += ["average on the CPU"] * train.offload_ema
        said += ["encoders frozen"] * bool(self.freeze)
        return ", ".join(said)


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done on the card."""

    model: ModelConfig
    train: TrainConfig  # whose batch, accumulation and ways to save memory are to be found
    given: int  # frames of a story that are only looked at
    stories: int  # that a training step learns from

    @property
    def sampling_precision(self) -> Precision:
        """Sampling knows no other precision than these."""
        return "bf16" if self.train.precision == "bf16" else "no"


def settings(train: TrainConfig) -> tuple[Setting, ...]:
    """From the fastest to the smallest.

    Calculating activations again and an average on the CPU take time; moments of 8 bits round what is learned; with frozen encoders
    another model is learned.
    """
    lean = replace(train, gradient_checkpointing=True)
    leaner, eight = replace(lean, offload_ema=True), replace(lean, optimizer="adamw_8bit")
    leanest = replace(leaner, optimizer="adamw_8bit")
    frozen = Setting(leanest, ("text_encoder", "history_encoder"))
    return (*(Setting(one) for one in (train, lean, leaner, eight, leanest)), frozen)


def training(room: float, work: Work, bar: "tqdm[NoReturn]") -> list[tuple[Setting, Peak]]:
    """Settings that were tried, with their peaks, each by the batch that takes least; the last one is the fastest that fits, by the
    largest batch that fits, or the smallest of all.

    A larger batch may take less: where one makes a step, no gradients stand beside those that are made.
    """

    def peak(setting: Setting) -> Peak:
        bar.set_description(str(setting))
        found = training_peak(work.model, setting.train, FRAMES, work.given, setting.freeze)
        bar.update()
        return found

    tried: list[tuple[Setting, Peak]] = []
    for setting in settings(work.train):
        batches = [
            replace(setting, train=replace(setting.train, batch_size=batch, gradient_accumulation_steps=work.stories // batch))
            for batch in range(work.stories, 0, -1)
            if work.stories % batch == 0
        ]
        found: list[tuple[Setting, Peak]] = []
        for one in batches:
            found.append((one, peak(one)))
            if found[-1][1].total <= room:
                return [*tried, found[-1]]
            if found[-1][1].total - found[-1][1].working > room:  # whatever the batch
                found.append((batches[-1], peak(batches[-1])))
                break
        tried.append(min(found, key=lambda pair: pair[1].total))
    return tried


def sampling(room: float, work: Work, bar: "tqdm[NoReturn]") -> tuple[int, Peak]:
    """The largest batch of stories that fits, or the smallest of all, with its peak."""

    def peak(stories: int) -> Peak:
        bar.set_description(f"sampling {stories} stories")
        found = sampling_peak(work.model, stories, FRAMES, work.sampling_precision)
        bar.update()
        return found

    stories = TOLD[max(0, bisect_right(TOLD, room, key=lambda one: peak(one).total) - 1)]
    return stories, peak(stories)

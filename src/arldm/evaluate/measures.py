"""Shares of what was judged, with intervals over stories: facts, frames and characters of one story are not independent."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
from typing import TypeVar

import numpy as np
from scipy.stats import bootstrap

T = TypeVar("T")
RESAMPLES, SEED = 2000, 0  # of the bootstrap
AT_ONCE = 50  # resamples, so that memory does not grow with all of them times the stories


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Measure(Interval):
    """A share with its bootstrap interval over stories; `count` is how many facts or frames it is a share of."""

    count: int


@dataclass(frozen=True, slots=True)
class Tally:
    """One judged thing: to which frame of which story and to which attribute it belongs, and how much of it was right."""

    story: int
    frame: int
    attribute: str
    won: float
    held: float


def measure(tallies: Sequence[Tally], seed: int = SEED) -> Measure:
    """The share that was won, with a percentile bootstrap over stories. NaN where there was nothing to win.

    One story alone has no interval: its ends are NaN.
    """
    sums = sums_by_story(tallies)
    if not any(held for _, held in sums.values()):
        return Measure(nan, nan, nan, 0)
    won, held = np.stack(list(sums.values()), axis=1)  # (story), (story)
    value, low, high = float(_share(won, held)), nan, nan
    if len(won) > 1:
        dice = np.random.default_rng(seed)
        found = bootstrap((won, held), _share, paired=True, n_resamples=RESAMPLES, batch=AT_ONCE, method="percentile", rng=dice)
        low, high = (float(end) for end in found.confidence_interval)
    return Measure(value, low, high, len(tallies))


def by_story(tallies: Sequence[Tally]) -> dict[int, float]:
    """The share alone for each story that had something to win."""
    sums = sums_by_story(tallies)
    return {story: float(won / held) for story, (won, held) in sums.items() if held}


def by_attribute(tallies: Sequence[Tally]) -> dict[str, Measure]:
    """The same for each attribute by itself, the worst first."""
    return dict(sorted(by_group(tallies, lambda tally: tally.attribute).items(), key=lambda pair: pair[1].value))


def by_frame(tallies: Sequence[Tally]) -> dict[int, Measure]:
    """The same for each frame of the stories by itself, from 0 on: does it fall as a story goes on?"""
    return dict(sorted(by_group(tallies, lambda tally: tally.frame).items()))


def by_group(tallies: Sequence[Tally], group: Callable[[Tally], T]) -> dict[T, Measure]:
    """The same for each group by itself."""
    groups: dict[T, list[Tally]] = defaultdict(list)
    for tally in tallies:
        groups[group(tally)].append(tally)
    return {name: measure(some) for name, some in groups.items()}


def sums_by_story(tallies: Sequence[Tally]) -> dict[int, np.ndarray]:
    """What each story won and held: (2)."""
    sums: dict[int, np.ndarray] = defaultdict(lambda: np.zeros(2))
    for tally in tallies:
        sums[tally.story] += (tally.won, tally.held)
    return sums


def _share(won: np.ndarray, held: np.ndarray, axis: int = -1) -> np.ndarray:
    return won.sum(axis) / np.maximum(held.sum(axis), 1e-9)

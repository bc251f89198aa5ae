"""What readings of generated stories are worth: frame accuracy, character F1, relevance and consistency, with intervals.

Plain counting over readings and known truth; both are dictionaries from `Key` to value, as `toonsv.cast.truth` gives them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.stats import bootstrap

from arldm.story import Fact, Story
from arldm.toonsv.cast import EXTRA_KINDS, NAMES, PROPS, Key, held_out
from arldm.toonsv.questions import can_be_asked

T = TypeVar("T")
Reading = Mapping[Key, str]
RESAMPLES = 2000
WHO = (*NAMES, *EXTRA_KINDS)


@dataclass(frozen=True, slots=True)
class Measure:
    """A share with its 95 % bootstrap interval over stories; `count` is how many facts or frames it is a share of."""

    value: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Tally:
    """One judged thing: to which frame of which story and to which attribute it belongs, and how much of it was right."""

    story: int
    frame: int
    attribute: str
    won: float
    held: float


def frame_accuracy(stories: Sequence[Story], readings: Sequence[Sequence[Reading]], given: int = 0) -> Iterator[Tally]:
    """Frames whose whole set of figures is right; what the field calls frame accuracy or exact match."""
    for number, story, read in _numbered(stories, readings):
        for t in range(given, len(story.frames)):
            yield Tally(number, t, "who", float(_who(read[t]) == _present(story.frames[t].facts)), 1)


def character_f1(stories: Sequence[Story], readings: Sequence[Sequence[Reading]], given: int = 0) -> Iterator[Tally]:
    """Micro F1 over frames and figures: twice the hits of all that was read and all that is there."""
    for number, story, read in _numbered(stories, readings):
        for t in range(given, len(story.frames)):
            there, found = _present(story.frames[t].facts), _who(read[t])
            yield Tally(number, t, "who", 2 * len(there & found), len(there) + len(found))


def relevance(stories: Sequence[Story], readings: Sequence[Sequence[Reading]], given: int = 0) -> Iterator[Tally]:
    """Facts that the frame's own caption tells, and the reader confirms."""
    for number, story, read in _numbered(stories, readings):
        for t in range(given, len(story.frames)):
            for fact in story.frames[t].facts:
                if fact.source == "caption":
                    yield Tally(number, t, fact.attribute, float(read[t].get(_key(fact)) == fact.value), 1)


def consistency(stories: Sequence[Story], readings: Sequence[Sequence[Reading]], given: int = 0) -> Iterator[Tally]:
    """Facts that only the history tells: is the reading what it was in the latest earlier frame of the same told story?

    The latest earlier frame is the last one of which the fact is true. What is not read in either frame is wrong. Only the colour
    of a hat is no question where someone was drawn without one, which nothing forbade: that there is none is the fact to be kept.
    """
    for number, story, read in _numbered(stories, readings):
        last: dict[Key, int] = {}
        for t, frame in enumerate(story.frames):
            for fact in frame.facts if t >= given else ():
                key = _key(fact)
                if fact.source == "history" and key in last and can_be_asked(key, before := read[last[key]]):
                    now = read[t].get(key)
                    yield Tally(number, t, fact.attribute, float(now is not None and now == before.get(key)), 1)
            last |= {_key(fact): t for fact in frame.facts}


METRICS = {"relevance": relevance, "consistency": consistency, "frame_accuracy": frame_accuracy, "character_f1": character_f1}


def measure(tallies: Sequence[Tally], seed: int = 0) -> Measure:
    """The share that was won, with a percentile bootstrap over stories. NaN where there was nothing to win.

    One story alone has no interval: its ends are the value.
    """
    sums: dict[int, np.ndarray] = defaultdict(lambda: np.zeros(2))
    for tally in tallies:
        sums[tally.story] += (tally.won, tally.held)
    if not any(held for _, held in sums.values()):
        return Measure(float("nan"), float("nan"), float("nan"), 0)
    won, held = np.stack(list(sums.values()), axis=1)  # (story), (story)
    value = low = high = float(_share(won, held))
    if len(won) > 1:
        dice = np.random.default_rng(seed)
        found = bootstrap((won, held), _share, paired=True, n_resamples=RESAMPLES, method="percentile", rng=dice)
        low, high = (float(end) for end in found.confidence_interval)
    return Measure(value, low, high, len(tallies))


def by_attribute(tallies: Sequence[Tally]) -> dict[str, Measure]:
    """The same for each attribute by itself, the worst first."""
    return dict(sorted(_by(tallies, lambda tally: tally.attribute).items(), key=lambda pair: pair[1].value))


def by_frame(tallies: Sequence[Tally]) -> dict[int, Measure]:
    """The same for each frame of the stories by itself, from 0 on: does it fall as a story goes on?"""
    return dict(sorted(_by(tallies, lambda tally: tally.frame).items()))


def by_combination(tallies: Sequence[Tally], stories: Sequence[Story]) -> dict[str, Measure]:
    """The same for frames with a combination of character, place and prop that training never held, and for all others."""
    return _by(tallies, lambda tally: "held out" if _held_out(stories[tally.story].frames[tally.frame].facts) else "the rest")


def _by(tallies: Sequence[Tally], group: Callable[[Tally], T]) -> dict[T, Measure]:
    groups: dict[T, list[Tally]] = defaultdict(list)
    for tally in tallies:
        groups[group(tally)].append(tally)
    return {name: measure(some) for name, some in groups.items()}


def _held_out(facts: Sequence[Fact]) -> bool:
    place = next((fact.value for fact in facts if fact.attribute == "kind"), None)
    there = [fact.entity for fact in facts if fact.attribute == "present"]
    return place is not None and any(held_out(who, place, prop) for who in there for prop in there if prop in PROPS)


def _share(won: np.ndarray, held: np.ndarray, axis: int = -1) -> np.ndarray:
    return won.sum(axis) / np.maximum(held.sum(axis), 1e-9)


def _numbered(stories: Sequence[Story], readings: Sequence[Sequence[Reading]]) -> Iterator[tuple[int, Story, Sequence[Reading]]]:
    for number, (story, read) in enumerate(zip(stories, readings, strict=True)):
        if len(read) != len(story.frames):
            raise ValueError(f"story {story.id} has {len(story.frames)} frames and {len(read)} readings; expected one for each")
        yield number, story, read


def _key(fact: Fact) -> Key:
    return Key(fact.entity, fact.attribute)


def _present(facts: Sequence[Fact]) -> set[str]:
    return {fact.entity for fact in facts if fact.attribute == "present" and fact.entity in WHO}


def _who(read: Reading) -> set[str]:
    return {entity for (entity, attribute), value in read.items() if attribute == "present" and value == "yes" and entity in WHO}

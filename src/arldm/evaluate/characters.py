"""Who is in the pictures, counted as the field counts it (StoryViz, StoryDALL-E, StoryGPT-V), character by character.

Labels are what an annotation says of a clip, not what can be seen in a still, so true pictures do not reach 1 either.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from arldm.errors import ConfigError, DatasetError
from arldm.evaluate.measures import Tally
from arldm.story import Story

Cast = Collection[str]  # who is in a frame
Casts = Sequence[Sequence[Cast]]  # of each story, of each frame


def frame_accuracy(truth: Casts, found: Casts, given: int = 0) -> Iterator[Tally]:
    """Frames of which everybody and nobody else was found: exact match, "frame accuracy", "Char-Acc", scikit-learn's accuracy."""
    for story, frame, there, seen in _frames(truth, found, given):
        yield Tally(story, frame, "who", float(there == seen), 1)


def character_f1(truth: Casts, found: Casts, given: int = 0) -> Iterator[Tally]:
    """Micro F1 over frames and characters: twice the hits of all that is there and all that was found."""
    for one in _hits(truth, found, given):
        yield Tally(one.story, one.frame, one.who, 2 * (one.there and one.found), one.there + one.found)


def precision(truth: Casts, found: Casts, given: int = 0) -> Iterator[Tally]:
    """Hits of all that was found."""
    for one in _hits(truth, found, given):
        if one.found:
            yield Tally(one.story, one.frame, one.who, one.there, 1)


def recall(truth: Casts, found: Casts, given: int = 0) -> Iterator[Tally]:
    """Hits of all that is there."""
    for one in _hits(truth, found, given):
        if one.there:
            yield Tally(one.story, one.frame, one.who, one.found, 1)


FIGURES = {"character F1": character_f1, "precision": precision, "recall": recall, "frame accuracy": frame_accuracy}


def check_casts(stories: Sequence[Story], known: Collection[str], name: str) -> None:
    """Can a classifier judge them? `known` are those whom it tells apart, `name` is what messages call the stories.

    Raises DatasetError where nobody is labelled, and ConfigError where somebody is whom the classifier does not know.
    """
    labelled = {who for story in stories for frame in story.frames for who in frame.characters}
    if not labelled:
        raise DatasetError(f"{name}: no frame says who is in it; expected labels, prepare it again from files that have them")
    if strangers := sorted(labelled - set(known)):
        got = f"{name}: shows {strangers[0]!r} ({len(strangers)} such)"
        raise ConfigError(f"{got}, whom the classifier does not know; expected {', '.join(sorted(known))}, give another classifier")


@dataclass(frozen=True, slots=True)
class _Hit:
    """One who is in a frame, or was found there, or both."""

    story: int
    frame: int
    who: str
    there: bool
    found: bool


def _hits(truth: Casts, found: Casts, given: int) -> Iterator[_Hit]:
    for story, frame, there, seen in _frames(truth, found, given):
        for who in sorted(there | seen):
            yield _Hit(story, frame, who, who in there, who in seen)


def _frames(truth: Casts, found: Casts, given: int) -> Iterator[tuple[int, int, frozenset[str], frozenset[str]]]:
    if len(truth) != len(found):
        raise ConfigError(
            f"{len(found)} stories were looked at and {len(truth)} are known; expected the same stories, in one order"
        )
    for story, (row, seen) in enumerate(zip(truth, found, strict=True)):
        if len(row) != len(seen):
            raise ConfigError(f"story {story} has {len(seen)} pictures for {len(row)} frames; expected one of each frame")
        for frame in range(given, len(row)):
            yield story, frame, frozenset(row[frame]), frozenset(seen[frame])

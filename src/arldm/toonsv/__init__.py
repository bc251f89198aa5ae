"""ToonSV, the embedded story world: a seed becomes a Story whose every fact is known."""

import itertools
from collections.abc import Iterator, Sequence

from arldm.errors import ConfigError
from arldm.story import Frame, Story
from arldm.toonsv.cast import holds_held_out
from arldm.toonsv.paint import paint
from arldm.toonsv.plot import SPLITS, Shot, plot, split_hash

__all__ = ["SPLITS", "ToonStories", "chosen", "paint", "painted", "plot", "split_hash", "stories", "story"]


def story(split: str, index: int, frames: int = 5, size: int = 256) -> Story:
    """The story number `index` of a split, its pictures `size` pixels on a side."""
    return painted(plot(split, index, frames), f"{split}-{index:06d}", size)


def painted(shots: Sequence[Shot], id: str, size: int = 256) -> Story:
    """Shots as a story, its pictures `size` pixels on a side."""
    drawn = (Frame(s.caption, paint(s.scene, size), tuple(f.who for f in s.scene.figures), None, s.facts) for s in shots)
    return Story(id, tuple(drawn))


def chosen(split: str, frames: int = 5, only_held_out: bool = False) -> Iterator[int]:
    """The numbers of the stories of a split, or of those alone with a combination that training never holds. Raises ConfigError."""
    if split == "train" and only_held_out:
        raise ConfigError("held out: the train split holds no such story; expected val or test")
    for index in itertools.count():
        if not only_held_out or any(holds_held_out(shot.scene) for shot in plot(split, index, frames)):
            yield index


class ToonStories(Sequence[Story]):
    """The first stories of a split, each drawn when it is asked for."""

    def __init__(self, split: str, count: int, frames: int = 5, size: int = 256) -> None:
        plot(split, 0, frames)  # complains of what cannot be
        self.split, self.frames, self.size = split, frames, size
        self.lengths = [frames] * count
        self.ids = [f"{split}-{index:06d}" for index in range(count)]

    @property
    def told(self) -> list[str]:
        """All captions."""
        return [shot.caption for index in range(len(self)) for shot in plot(self.split, index, self.frames)]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Story:  # type: ignore[override]
        return story(self.split, range(len(self))[index], self.frames, self.size)


def stories(split: str, count: int, frames: int = 5, size: int = 256) -> Iterator[Story]:
    """The first `count` stories of a split, drawn one by one. Raises ConfigError, and that before anything is drawn."""
    if count < 1 or size < 16:
        raise ConfigError(f"stories: got {count} of {size} pixels, expected at least 1 of at least 16 pixels")
    plot(split, 0, frames)
    return (story(split, index, frames, size) for index in range(count))

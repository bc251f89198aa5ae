"""A folder in which frames lie already: are they this story's, and made as those that are missing are to be?"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from PIL import Image

from arldm.config import TellConfig, to_dict
from arldm.errors import ConfigError, OutputError, PictureError
from arldm.pictures import read_picture
from arldm.provenance import Origin, origin_in, pixel_hash
from arldm.story import Story
from arldm.story_files import StoryFolder, read_held

RANDOM = -1  # as a seed
MADE = ("history", "packs", "model")  # what a model is, of what a frame may differ in


@dataclass(frozen=True, slots=True)
class Telling:
    """A story and the folder that it is told into, where an earlier telling may have left frames."""

    folder: StoryFolder
    was: Story | None  # what the folder knew before
    story: Story  # what it is to know
    held: Story  # the same with all pictures that there are and that are not to be drawn again
    again: frozenset[int]  # frames that are

    @classmethod
    def into(cls, out: Path, asked: Story, again: frozenset[int]) -> Self:
        """Look what lies in `out`. Raises OutputError and PictureError where that does not go with the story."""
        was = read_held(out)
        story = _known_as(out, was, asked, again)
        folder = StoryFolder(out, story)
        held = folder.with_drawn(story, again)
        _check_given(folder, story, again)
        return cls(folder, was, story, held, again)

    @property
    def missing(self) -> frozenset[int]:
        """The frames without a picture."""
        return frozenset(number for number, frame in enumerate(self.held.frames) if frame.picture is None)

    @property
    def drawn(self) -> frozenset[int]:
        """The frames that are to be drawn."""
        return self.missing | self.again

    @property
    def replaced(self) -> list[str]:
        """What was written there by hand perhaps, and is to be replaced by what the script says: title and lettering."""
        if self.was is None:
            return []
        words = [("title", self.was.title or None, self.story.title or None)]
        pairs = zip(self.was.frames, self.story.frames, strict=False)
        words += [(f"lettering of frame {number}", was.lettering, frame.lettering) for number, (was, frame) in enumerate(pairs)]
        return [f"{what} was {was!r} and is now {now!r}, as in the script" for what, was, now in words if was and was != now]

    def keep(self, number: int, picture: Image.Image, chunks: dict[str, str]) -> None:
        """Write a frame, its number following on the last one's, and what the folder knows from then on. Raises OutputError."""
        if number == 0:
            self.folder.begin(self._so_far(self.again))
        if number in self.drawn or not self.folder.picture(number).exists():  # or a given one, which came without an origin
            self.folder.keep(number, picture, chunks)
        if number in self.again:
            self.folder.begin(self._so_far({one for one in self.again if one > number}))

    def _so_far(self, waiting: Collection[int]) -> Story:
        """The story while some frames are `waiting` to be drawn again: these still have their old words."""
        old = self.was.frames if self.was is not None else ()
        frames = [old[k] if k in waiting and k < len(old) else frame for k, frame in enumerate(self.story.frames)]
        return replace(self.story, frames=tuple(frames))

    def settled(self, config: TellConfig, made: tuple[str, tuple[str, ...], str]) -> TellConfig:
        """The config to draw what is missing with, a random seed being the one of those frames that are there and stay.

        made: the hash of the model, its packs, and the history that they are to be drawn with. Raises ConfigError where all frames
        that are there were drawn otherwise: half of the story would be another one, or nothing of it would be as asked for; and
        where a frame that is drawn again was another model's, which a forgotten pack makes of it, too.
        """
        for number in sorted(self.again):
            self._check_again(number, config, made)
        missing = self.missing - self.again
        kept = [number for number in range(len(self.story.frames)) if number not in self.drawn]
        paths = [path for number in kept if (path := self.folder.picture(number)).exists()]
        there = [found for path in paths if (found := origin_in(path))]
        if not there or (self.again and not missing):
            return config
        if config.seed == RANDOM:
            config = replace(config, seed=there[0].config.seed)
        differences = [_differs(one, config, made) for one in there]
        if all(differences):
            name, was, now = differences[0][0]
            got = f"frame {there[0].frame} was drawn with {name} {was}, and "
            got += f"frame {min(missing)} would be with {now}" if missing else f"{now} is asked for, but all is drawn"
            way = f"--frames {_listed(missing)} if that is meant, " if missing else ""
            raise ConfigError(f"{self.folder.path}: {got}; expected the same options, {way}or another --out")
        return config

    def _check_again(self, number: int, config: TellConfig, made: tuple[str, tuple[str, ...], str]) -> None:
        """Its old picture is lost. Other steps or another seed are what it is drawn again for."""
        path = self.folder.picture(number)
        try:
            was_made = origin_in(path) if path.exists() else None
        except PictureError:  # broken, which is why it is drawn again
            return
        for name, was, now in _differs(was_made, config, made) if was_made else ():
            if name in MADE:
                got = f"was drawn with {name} {was}, and would be drawn again with {now}"
                raise ConfigError(f"{path}: {got}; expected the same {name}, another --out, or take it away if that is meant")


def _known_as(folder: Path, held: Story | None, story: Story, again: Collection[int]) -> Story:
    """The story as its folder, which holds `held`, knows it: captions of frames drawn again may be others, and it may be longer.

    It keeps its id, which seeds the noise, though ids are made of captions: frames that are kept can be replayed. Raises
    OutputError where captions are others and their frames would stay as they are.
    """
    if held is None:
        return story
    pairs = zip(held.frames, story.frames, strict=False)
    changed = [number for number, (was, frame) in enumerate(pairs) if was.caption != frame.caption]
    shorter = len(story.frames) < len(held.frames)
    if held.id != story.id and (shorter or len(changed) == len(held.frames)):
        return story  # quite another
    if shorter:
        got = f"has {len(held.frames)} frames, and the script {len(story.frames)}"
        raise OutputError(f"{folder}: {got}; expected the longer story, or choose another --out")
    if kept := [number for number in changed if number not in again]:
        got = f"frame {kept[0]} has another caption there ({held.frames[kept[0]].caption!r})"
        raise OutputError(f"{folder}: {got}; draw it again with --frames {_listed({*changed, *again})}, or choose another --out")
    return replace(story, id=held.id)


def _check_given(folder: StoryFolder, story: Story, again: frozenset[int]) -> None:
    """What is drawn follows from what was given: another picture makes another story."""
    for number, frame in enumerate(story.frames):
        there = folder.picture(number)
        if frame.picture is None or number in again or not there.exists():
            continue
        if pixel_hash(read_picture(there)) != pixel_hash(frame.picture):
            raise OutputError(f"{there}: another picture than the one given; choose another --out")


def _differs(origin: Origin, config: TellConfig, made: tuple[str, tuple[str, ...], str]) -> list[tuple[str, object, object]]:
    """What of a frame's origin is otherwise, was and now; packs have names, but what is in them is told by the model's hash."""
    model, packs, history = made
    was, now = (to_dict(one) for one in (origin.config, config))
    found = [(name, was[name], now[name]) for name in now if was[name] != now[name]]
    if origin.history != history:
        found.append(("history", origin.history, history))
    if origin.model_hash != model and origin.packs != packs:
        found.append(("packs", " and ".join(origin.packs) or "none", " and ".join(packs) or "none"))
    elif origin.model_hash != model:
        found.append(("model", origin.model_hash, model))
    return found


def _listed(numbers: Collection[int]) -> str:
    return ",".join(map(str, sorted(numbers)))

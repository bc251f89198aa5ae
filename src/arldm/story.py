"""The noun that crosses every wall: a Story is a list of Frames. Plain records; no torch."""

from dataclasses import dataclass, replace
from typing import Literal

from PIL import Image

Source = Literal["caption", "history", "free"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is true in a frame, and where it can be known from.

    `source`: "caption" = this frame's caption says it; "history" = it follows from an earlier frame and this caption
    does not say it; "free" = nothing says it (it was drawn at random and becomes history for later frames).
    """

    entity: str
    attribute: str
    value: str
    source: Source


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: a caption, a picture or none, who is in it, what is lettered on it, and what is known to be true."""

    caption: str
    picture: Image.Image | None = None
    characters: tuple[str, ...] = ()
    lettering: str | None = None
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """Frames in order. `id` names the story in file names and seeds its noise; it is unique within a dataset."""

    id: str
    frames: tuple[Frame, ...]
    title: str = ""

    @property
    def pictures(self) -> list[Image.Image]:
        """Those that there are, in order."""
        return [frame.picture for frame in self.frames if frame.picture is not None]

    def untold(self, given: int = 0) -> "Story":
        """The same story without the pictures after the first `given`."""
        return replace(self, frames=(*self.frames[:given], *(replace(frame, picture=None) for frame in self.frames[given:])))

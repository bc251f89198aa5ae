"""Told stories kept on disk while they are measured: an evaluation that was interrupted goes on, and pictures can be looked at."""

from pathlib import Path
from typing import Any

from PIL import Image

from arldm.errors import OutputError
from arldm.pictures import read_picture
from arldm.story import Story
from arldm.story_files import frame_path, write_story
from arldm.writing import claim, put_json

NOTES = "told.json"


class ToldStories:
    """A folder with a folder for each story, as `arldm tell` leaves one. `made_with` is what the pictures depend on beside the
    story's number, but for what changes a level or two of a pixel (threads, stories told at once).

    Raises OutputError where pictures that were made otherwise lie already.
    """

    def __init__(self, folder: Path, made_with: dict[str, Any]) -> None:
        self._folder, self._made_with = folder, made_with
        seconds = claim(folder, NOTES, made_with, "told stories", "--keep").get("seconds", {})
        if not isinstance(seconds, dict):
            raise OutputError(f"{folder / NOTES}: seconds are {seconds!r}; expected them by story, choose another --keep")
        self._seconds: dict[str, float] = seconds

    def __contains__(self, number: int) -> bool:
        return str(number) in self._seconds

    @property
    def seconds(self) -> float:
        """The mean time that a story took."""
        return sum(self._seconds.values()) / max(1, len(self._seconds))

    def put(self, stories: dict[int, Story], seconds: float) -> None:
        """Keep stories, by number, that were told together in so many seconds each."""
        for number, story in stories.items():
            write_story(story, self._folder / f"{number:05}")
        self._seconds |= {str(number): seconds for number in stories}
        self._note()  # last: what it names is there

    def read(self, number: int, frames: int) -> list[Image.Image]:
        """The pictures of a kept story. Raises PictureError."""
        return [read_picture(frame_path(self._folder / f"{number:05}", frame)) for frame in range(frames)]

    def _note(self) -> None:
        put_json(self._folder / NOTES, {**self._made_with, "seconds": self._seconds})

"""Told stories kept on disk while they are measured: an evaluation that was interrupted goes on, and pictures can be looked at."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from arldm.errors import BROKEN, OutputError
from arldm.pictures import encoded, read_picture
from arldm.writing import check_free, put

NOTES = "told.json"


class ToldStories:
    """A folder with a folder for each story. `made_with` is what the pictures depend on beside the story's number,
    but for what changes a level or two of a pixel (threads, stories told at once).

    Raises OutputError where pictures that were made otherwise lie already.
    """

    def __init__(self, folder: Path, made_with: dict[str, Any]) -> None:
        self._folder, self._made_with = folder, made_with
        self._seconds: dict[str, float] = {}
        held = folder / NOTES
        if not held.exists():
            check_free(folder, NOTES, "told stories", "--keep")
            self._note()
            return
        try:
            notes = json.loads(held.read_text())
            found, self._seconds = dict(notes["made_with"]), dict(notes["seconds"])
        except BROKEN as error:
            raise OutputError(f"--keep: {held} cannot be read ({error}); expected what was told before, choose another") from error
        for name, value in made_with.items():
            if found.get(name) != value:
                raise OutputError(f"--keep: {folder} was told with {name} {found.get(name)}, this is {value}; choose another")

    def __contains__(self, number: int) -> bool:
        return str(number) in self._seconds

    @property
    def seconds(self) -> float:
        """The mean time that a story took."""
        return sum(self._seconds.values()) / max(1, len(self._seconds))

    def put(self, numbers: Sequence[int], stories: Sequence[Sequence[Image.Image]], seconds: float) -> None:
        """Keep stories that were told together, in so many seconds each."""
        for number, pictures in zip(numbers, stories, strict=True):
            for frame, picture in enumerate(pictures):
                put(self._picture(number, frame), encoded(picture))
        self._seconds |= {str(number): seconds for number in numbers}
        self._note()  # last: what it names is there

    def read(self, number: int, frames: int) -> list[Image.Image]:
        """The pictures of a kept story. Raises PictureError."""
        return [read_picture(self._picture(number, frame)) for frame in range(frames)]

    def _picture(self, number: int, frame: int) -> Path:
        return self._folder / f"{number:05}" / f"{frame:03}.png"

    def _note(self) -> None:
        put(self._folder / NOTES, (json.dumps({"made_with": self._made_with, "seconds": self._seconds}, indent=1) + "\n").encode())

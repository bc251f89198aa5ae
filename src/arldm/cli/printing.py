"""`arldm page`: what the embedded model drew is made larger before it is printed."""

import sys
from dataclasses import replace
from pathlib import Path

from PIL import Image

from arldm.errors import ConfigError
from arldm.model.enlarge import Enlarger
from arldm.provenance import origin_in, pixel_hash
from arldm.story import Story
from arldm.story_files import frame_path


def enlarged(story: Story, folder: Path) -> Story:
    """The story with twice the pixels where the embedded model drew them; of other pictures the enlarger knows nothing.

    Raises ConfigError where it drew none.
    """
    pairs = list(enumerate(story.frames))
    ours = {number for number, frame in pairs if frame.picture and _is_ours(frame.picture, frame_path(folder, number))}
    if not ours:
        raise ConfigError(f"--enlarge: no frame of {folder} says that the embedded model drew it as it is now; leave it out")
    if others := [str(number) for number, _ in pairs if number not in ours]:
        print(
            f"arldm: {folder}: frames {', '.join(others)} were not drawn by the embedded model, and stay as they are",
            file=sys.stderr,
        )
    enlarger = Enlarger.from_pretrained("toonsv")
    frames = [
        replace(frame, picture=enlarger.enlarge(frame.picture)) if frame.picture and number in ours else frame
        for number, frame in pairs
    ]
    return replace(story, frames=tuple(frames))


def _is_ours(picture: Image.Image, path: Path) -> bool:
    """Is it what the embedded model drew there? Somebody may have painted over it, or put another in its place."""
    made = origin_in(path) if path.exists() else None
    return made is not None and made.model == "toonsv" and made.pixels == pixel_hash(picture)

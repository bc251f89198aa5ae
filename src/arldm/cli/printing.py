"""`arldm page`: what the embedded model drew is made larger before it is printed."""

from dataclasses import replace
from pathlib import Path

from arldm.model.enlarge import Enlarger
from arldm.provenance import has_origin, read_origin
from arldm.story import Story
from arldm.story_files import StoryFolder


def enlarged(story: Story, folder: Path) -> Story:
    """The story with twice the pixels where the embedded model drew them; of other pictures the enlarger knows nothing."""
    told = StoryFolder(folder, story)
    enlarger = Enlarger.from_pretrained("toonsv")
    frames = [
        replace(frame, picture=enlarger.enlarge(frame.picture))
        if frame.picture is not None and has_origin(path := told.picture(number)) and read_origin(path).model == "toonsv"
        else frame
        for number, frame in enumerate(story.frames)
    ]
    return replace(story, frames=tuple(frames))

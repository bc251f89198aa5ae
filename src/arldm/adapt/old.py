"""Stories of the old cast beside the new character's, so that nobody is forgotten (prior preservation, Ruiz et al. 2023)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from arldm.adapt.lessons import BLOCK, Lesson, Summed, as_read, contrasted, of_even_weight, sums_up, together
from arldm.adapt.recipes import TOONSV, Adaptation
from arldm.errors import ConfigError
from arldm.model.arldm import ARLDM
from arldm.story import Story
from arldm.story_files import STORY, read_told
from arldm.toonsv import painted
from arldm.toonsv import stories as drawn
from arldm.toonsv.plot import plot


def of_old(model: ARLDM, recipe: Adaptation, frames: int) -> Lesson | None:
    """The first stories of `keep_old`, each with its first `frames`; None where there is none to be kept. Raises ConfigError.

    As what is new counts more than the place where it is, so do figures of ToonSV; in other stories nobody knows where they are.
    """
    if not recipe.keeps_old:
        return None
    found = list(islice(filter(lambda story: _is_drawn(story, frames), _found(recipe, frames)), recipe.old))
    if not found:
        raise ConfigError(
            f"--keep-old: {recipe.keep_old} has no story of {frames} frames; expected some as long as there are pictures"
        )
    blocks = [_read(model, recipe, found[first : first + BLOCK], first, frames) for first in range(0, len(found), BLOCK)]
    lesson = together(blocks)
    return of_even_weight(lesson) if isinstance(lesson, Summed) else lesson


def _read(model: ARLDM, recipe: Adaptation, found: Sequence[Story], first: int, frames: int) -> Lesson:
    """Some of them, the first of which has that number."""
    stories = model.batch([Story(story.id, story.frames[:frames]) for story in found])
    if not sums_up(model.config):
        return Lesson(stories)
    lesson = as_read(model, stories)
    if recipe.keep_old != TOONSV:
        return lesson
    return contrasted(lesson, model.batch([_deserted(first + number, frames) for number in range(len(found))]))


def _deserted(number: int, frames: int) -> Story:
    """A story of ToonSV without anybody."""
    shots = [replace(shot, scene=replace(shot.scene, figures=(), prop=None)) for shot in plot("train", number, frames)]
    return painted(shots, f"deserted-{number}")


def _is_drawn(story: Story, frames: int) -> bool:
    """Has it so many frames, and their pictures?"""
    return len(story.frames) >= frames and all(frame.picture is not None for frame in story.frames[:frames])


def _found(recipe: Adaptation, frames: int) -> Iterator[Story]:
    folder = Path(recipe.keep_old)
    if recipe.keep_old == TOONSV:
        return iter(drawn("train", recipe.old, frames))
    if told := sorted(path.parent for path in folder.rglob(STORY)):
        return map(read_told, told)
    from arldm.datasets.archive import Archive  # what reads archives is not always installed

    split = Archive(folder).stories("train", "")
    return (split[index] for index in range(len(split)))

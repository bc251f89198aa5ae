"""Stories of the old cast beside the new character's, so that nobody is forgotten (prior preservation, Ruiz et al. 2023)."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from arldm.adapt.recipes import Adaptation
from arldm.errors import ConfigError
from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch
from arldm.model.text import words_of
from arldm.story import Story
from arldm.story_files import STORY, read_told
from arldm.toonsv import stories as drawn

POOL = 4  # times as many stories as are taken are looked through


def old_stories(model: ARLDM, recipe: Adaptation, frames: int) -> StoryBatch | None:
    """Stories of `keep_old`, each with its first `frames`; None where there is none to be kept. Raises ConfigError.

    Up to half of them speak of whom the new character is like: what is so near is what is forgotten first, and what it must be told
    apart from.
    """
    if not recipe.keeps_old:
        return None
    pool = (story for story in _found(recipe, frames) if len(story.frames) >= frames)
    stories = list(islice(pool, POOL * recipe.old))
    near = [story for story in stories if _speaks(story, recipe.like, frames)]
    others = [story for story in stories if not _speaks(story, recipe.like, frames)]
    half = recipe.old // 2
    found = (near[:half] + others + near[half:])[: recipe.old]
    if not found:
        raise ConfigError(
            f"--keep-old: {recipe.keep_old} has no story of {frames} frames; expected some as long as there are pictures"
        )
    return model.batch([Story(story.id, story.frames[:frames]) for story in found])


def _speaks(story: Story, word: str, frames: int) -> bool:
    return any(word in words_of(frame.caption) for frame in story.frames[:frames])


def _found(recipe: Adaptation, frames: int) -> Iterator[Story]:
    folder = Path(recipe.keep_old)
    if recipe.keep_old == "toonsv":
        return iter(drawn("train", POOL * recipe.old, frames))
    if told := sorted(path.parent for path in folder.rglob(STORY)):
        return map(read_told, told)
    from arldm.datasets.archive import Archive  # what reads archives is not always installed

    split = Archive(folder).stories("train", "")
    return (split[index] for index in range(len(split)))

"""Stories of the old cast beside the new character's, so that nobody is forgotten (prior preservation, Ruiz et al. 2023)."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from arldm.adapt.recipes import Adaptation
from arldm.errors import ConfigError
from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch
from arldm.story import Story
from arldm.story_files import STORY, read_told
from arldm.toonsv import stories as drawn


def old_stories(model: ARLDM, recipe: Adaptation, frames: int) -> StoryBatch | None:
    """The first stories of `keep_old`, each with its first `frames`; None where there is none to be kept. Raises ConfigError."""
    if not recipe.keeps_old:
        return None
    found = list(islice((story for story in _found(recipe, frames) if len(story.frames) >= frames), recipe.old))
    if not found:
        raise ConfigError(
            f"--keep-old: {recipe.keep_old} has no story of {frames} frames; expected some as long as there are pictures"
        )
    return model.batch([Story(story.id, story.frames[:frames]) for story in found])


def _found(recipe: Adaptation, frames: int) -> Iterator[Story]:
    folder = Path(recipe.keep_old)
    if recipe.keep_old == "toonsv":
        return iter(drawn("train", recipe.old, frames))
    if told := sorted(path.parent for path in folder.rglob(STORY)):
        return map(read_told, told)
    from arldm.datasets.archive import Archive  # what reads archives is not always installed

    split = Archive(folder).stories("train", "")
    return (split[index] for index in range(len(split)))

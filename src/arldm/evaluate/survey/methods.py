"""The stories that several methods told to the same captions: folders -> pictures in order, compared before anything is copied."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from arldm.errors import SurveyError
from arldm.evaluate.pictures import find
from arldm.story import Story
from arldm.story_files import STORY, read_outline

NAMED = 5  # stories that a message names


@dataclass(frozen=True, slots=True)
class ToldStory:
    """Where the pictures of a story lie, in order, and what was to be drawn; no captions where the folder does not say."""

    pictures: tuple[Path, ...]
    captions: tuple[str, ...] = ()


def told_by_method(folder: Path) -> dict[str, ToldStory]:
    """The stories of one method, by id, in any layout that `arldm evaluate pictures` reads.

    A story without a story.json has its name there as id. Raises SurveyError, ScriptError, PictureError.
    """
    found: dict[str, ToldStory] = {}
    for name, pictures in find(folder).stories.items():
        id, story = _story(name, pictures)
        if id in found:
            first = found[id].pictures[0].parent
            raise SurveyError(f"{pictures[0].parent}: is story {id} as {first} is; expected each story once, remove one")
        found[id] = story
    return found


def _story(name: str, pictures: tuple[Path, ...]) -> tuple[str, ToldStory]:
    folder = pictures[0].parent
    told = read_outline(folder, name) if (folder / STORY).exists() else Story(name, ())
    captions = tuple(frame.caption for frame in told.frames)
    if captions and len(captions) != len(pictures):
        raise SurveyError(f"{folder}: has {len(pictures)} pictures; expected {len(captions)}, one a caption, tell it to its end")
    return told.id, ToldStory(pictures, captions)


def captions_in_common(methods: Mapping[str, Mapping[str, ToldStory]]) -> dict[str, tuple[str, ...]]:
    """The captions of the stories that every method told. Raises SurveyError where one lacks stories or told others."""
    ids = sorted(set().union(*methods.values()))
    for method, stories in methods.items():
        if lacking := [id for id in ids if id not in stories]:
            named = ", ".join(lacking[:NAMED]) + (", ..." if len(lacking) > NAMED else "")
            raise SurveyError(
                f"{method}: lacks {len(lacking)} of {len(ids)} stories ({named}); expected the same stories of every method"
            )
    return {id: _captions(id, {method: stories[id] for method, stories in methods.items()}) for id in ids}


def _captions(id: str, told: Mapping[str, ToldStory]) -> tuple[str, ...]:
    said = {story.captions for story in told.values() if story.captions}
    lengths = {method: len(story.pictures) for method, story in told.items()}
    if len(said) > 1:
        raise SurveyError(f"story {id}: has other captions in {' than in '.join(told)}; expected the same, tell it from one script")
    if not said:
        raise SurveyError(f"story {id}: no method's folder has its captions; expected a {STORY} in one, with its captions")
    captions = said.pop()
    if other := [f"{method} has {length}" for method, length in lengths.items() if length != len(captions)]:
        raise SurveyError(f"story {id}: {', '.join(other)} pictures; expected {len(captions)}, one a caption")
    return captions

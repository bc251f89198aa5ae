"""Known stories on disk: a told story's folder, with what is true in each frame in its truth.json."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from arldm.errors import BROKEN, ScriptError
from arldm.story import Fact, Source, Story
from arldm.story_files import write_story
from arldm.writing import put_json

TRUTH = "truth.json"


def write_known(story: Story, path: Path) -> None:
    """Write a story that has all its pictures, and the truth about it in truth.json. Raises OutputError."""
    write_story(story, path)
    facts = [[[fact.entity, fact.attribute, fact.value, fact.source] for fact in frame.facts] for frame in story.frames]
    put_json(path / TRUTH, facts)


def read_facts(folder: Path) -> list[tuple[Fact, ...]]:
    """What is true in each frame of a known story; nothing where no truth.json lies. Raises ScriptError."""
    path = folder / TRUTH
    if not path.exists():
        return []
    try:
        return [tuple(_fact(entry) for entry in frame) for frame in json.loads(path.read_text(encoding="utf-8"))]
    except BROKEN as error:
        raise ScriptError(
            f"{path}: holds no facts ({error}); expected what `arldm toonsv` wrote, write the stories again"
        ) from error


def _fact(entry: Sequence[str]) -> Fact:
    entity, attribute, value, source = entry
    if not all(isinstance(word, str) for word in entry) or source not in get_args(Source):
        raise ValueError(f"got {entry!r}, expected entity, attribute, value, source")
    return Fact(entity, attribute, value, source)  # type: ignore[arg-type]

"""A folder in which frames lie already: are they this story's, and made as those that are missing are to be?"""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from arldm.config import TellConfig, to_dict
from arldm.errors import ConfigError, OutputError
from arldm.provenance import Origin, has_origin, read_origin
from arldm.story import Story
from arldm.story_files import STORY, read_held

RANDOM = -1  # as a seed


def known_as(folder: Path, story: Story, again: Collection[int]) -> Story:
    """The story as its folder knows it: captions of frames that are drawn again may be others, and it may have become longer.

    It keeps its id, which seeds the noise, though ids are made of captions: frames that are kept can be replayed. Raises
    OutputError where captions are others and their frames would stay as they are, or where no told story lies.
    """
    if not (folder / STORY).exists():
        return story
    id, captions = read_held(folder)
    pairs = zip(captions, story.frames, strict=False)
    changed = [number for number, (caption, frame) in enumerate(pairs) if caption != frame.caption]
    if id == story.id or len(captions) > len(story.frames) or len(changed) == len(captions):
        return story  # the same, or quite another
    if kept := [number for number in changed if number not in again]:
        got = f"frame {kept[0]} has another caption there ({captions[kept[0]]!r})"
        raise OutputError(f"{folder}: {got}; draw it again with --frames {_listed({*changed, *again})}, or choose another --out")
    return replace(story, id=id)


def settled(folder: Path, missing: Collection[int], config: TellConfig, made: tuple[str, tuple[str, ...], str]) -> TellConfig:
    """The config to draw missing frames with, a random seed being the one of those that are there.

    made: the hash of the model, its packs, and the history that they are to be drawn with. Raises ConfigError where all frames that
    are there were drawn otherwise: half of the story would be another one.
    """
    there = [read_origin(path) for path in sorted(folder.glob("[0-9]*.png")) if missing and has_origin(path)]
    if not there:
        return config
    if config.seed == RANDOM:
        config = replace(config, seed=there[0].config.seed)
    differences = [_differs(one, config, made) for one in there]
    if all(differences):
        name, was, now = differences[0][0]
        got = f"frame {there[0].frame} was drawn with {name} {was}, and frame {min(missing)} would be with {now}"
        way = f"--frames {_listed(missing)} if that is meant"
        raise ConfigError(f"{folder}: {got}; expected the same options, {way}, or another --out")
    return config


def _differs(origin: Origin, config: TellConfig, made: tuple[str, tuple[str, ...], str]) -> list[tuple[str, object, object]]:
    """What of a frame's origin is otherwise, was and now; packs have names, but what is in them is told by the model's hash."""
    model, packs, history = made
    was, now = (to_dict(one) for one in (origin.config, config))
    found = [(name, was[name], now[name]) for name in now if was[name] != now[name]]
    if origin.history != history:
        found.append(("history", origin.history, history))
    if origin.model_hash != model and origin.packs != packs:
        found.append(("packs", " and ".join(origin.packs) or "none", " and ".join(packs) or "none"))
    elif origin.model_hash != model:
        found.append(("model", origin.model_hash, model))
    return found


def _listed(numbers: Collection[int]) -> str:
    return ",".join(map(str, sorted(numbers)))

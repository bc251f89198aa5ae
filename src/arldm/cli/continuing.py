"""A folder in which frames lie already: are they this story's, and made as those that are missing are to be?"""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from arldm.config import TellConfig, to_dict
from arldm.errors import ConfigError, OutputError
from arldm.provenance import Origin, has_origin, read_origin
from arldm.story import Story
from arldm.story_files import STORY, frame_path, read_held

RANDOM = -1  # as a seed


def held_in(folder: Path) -> Story | None:
    """The story that has been told into a folder, if one has. Raises OutputError where something else calls itself one."""
    return read_held(folder) if (folder / STORY).exists() else None


def known_as(folder: Path, held: Story | None, story: Story, again: Collection[int]) -> Story:
    """The story as its folder, which holds `held`, knows it: captions of frames drawn again may be others, and it may be longer.

    It keeps its id, which seeds the noise, though ids are made of captions: frames that are kept can be replayed. Raises
    OutputError where captions are others and their frames would stay as they are.
    """
    if held is None:
        return story
    pairs = zip(held.frames, story.frames, strict=False)
    changed = [number for number, (was, frame) in enumerate(pairs) if was.caption != frame.caption]
    shorter = len(story.frames) < len(held.frames)
    if held.id != story.id and (shorter or len(changed) == len(held.frames)):
        return story  # quite another
    if shorter:
        got = f"has {len(held.frames)} frames, and the script {len(story.frames)}"
        raise OutputError(f"{folder}: {got}; expected the longer story, or choose another --out")
    if kept := [number for number in changed if number not in again]:
        got = f"frame {kept[0]} has another caption there ({held.frames[kept[0]].caption!r})"
        raise OutputError(f"{folder}: {got}; draw it again with --frames {_listed({*changed, *again})}, or choose another --out")
    return replace(story, id=held.id)


def so_far(held: Story | None, story: Story, waiting: Collection[int]) -> Story:
    """The story as its folder is to know it while some frames are `waiting` to be drawn again: these still have their old words."""
    old = held.frames if held is not None else ()
    frames = [old[number] if number in waiting and number < len(old) else frame for number, frame in enumerate(story.frames)]
    return replace(story, frames=tuple(frames))


def replaced(held: Story | None, story: Story) -> list[str]:
    """What was written there by hand perhaps, and is to be replaced by what the script says: title and lettering."""
    if held is None:
        return []
    words = [("title", held.title or None, story.title or None)]
    pairs = zip(held.frames, story.frames, strict=False)
    words += [(f"lettering of frame {number}", was.lettering, frame.lettering) for number, (was, frame) in enumerate(pairs)]
    return [f"{what} was {was!r} and is now {now!r}, as in the script" for what, was, now in words if was and was != now]


def settled(
    folder: Path, missing: Collection[int], again: Collection[int], config: TellConfig, made: tuple[str, tuple[str, ...], str]
) -> TellConfig:
    """The config to draw missing frames with, a random seed being the one of those that are there and not drawn `again`.

    made: the hash of the model, its packs, and the history that they are to be drawn with. Raises ConfigError where all frames that
    are there were drawn otherwise: half of the story would be another one.
    """
    paths = sorted({*folder.glob("[0-9]*.png")} - {frame_path(folder, number) for number in again}) if missing else []
    there = [read_origin(path) for path in paths if has_origin(path)]
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

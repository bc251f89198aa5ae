"""Anyone's own pictures: folders with a metadata.jsonl, as Hugging Face's imagefolder has them.

    train/metadata.jsonl    val/metadata.jsonl    test/metadata.jsonl    or one metadata.jsonl: all is training

A line is {"file_name": "a/0.png", "text": "Ann sits down.", "story": "a", "frame": 0, "characters": ["ann"]}. Without "story" the
pictures of one folder are a story, without "frame" they follow each other as their lines do. Stories have two frames or more.
"""

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

from arldm.datasets.corpus import SPLITS, Clip, Corpus, Outline, inside, one_line, published
from arldm.datasets.stills import photograph
from arldm.errors import BROKEN, DatasetError

METADATA = "metadata.jsonl"
LONGEST_LINE = 2**20  # bytes
#: what each split's folder may be called
CALLED = {"train": ("train", "training"), "val": ("val", "validation", "valid", "dev"), "test": ("test", "testing")}


def read_folder(source: Path) -> Corpus:
    """Stories of anyone's pictures. Raises DatasetError."""
    published(source, ".")  # is there, and is no zip
    found: dict[str, Path] = {}
    for split in SPLITS:
        names = [name for name in CALLED[split] if (source / name / METADATA).exists()]
        if len(names) > 1:
            got = f"{METADATA} in {' and in '.join(names)}, which both are {split}"
            raise DatasetError(f"{source}: has a {got}; expected one of them, put their lines together")
        if names:
            found[split] = source / names[0]
    if (source / METADATA).exists():
        if found:
            both = f"{METADATA} of its own and another in {next(iter(found.values())).name}"
            raise DatasetError(f"{source}: has a {both}; expected the one or the others, take one away")
        found["train"] = source
    if not found:
        raise DatasetError(f"{source}: has no {METADATA}; expected one there, or in the folders train, val and test")
    clips: dict[str, Clip] = {}
    broken: list[str] = []
    stories: dict[str, tuple[Outline, ...]] = dict.fromkeys(SPLITS, ())
    for split, folder in found.items():
        kept: dict[str, Outline] = {}
        for id, lines in _by_story(folder).items():
            if len(lines) < 2:
                broken.append(f"story {id}: {len(lines)} frame")
                continue
            ordered = [clip for _, clip in sorted(lines, key=lambda line: line[0])]
            own = [replace(clip, id=f"{split}/{clip.id}") for clip in ordered]
            for clip in own:
                clips[clip.id] = _merged(clips.get(clip.id, clip), clip)
            if (name := id.replace("/", "-")) in kept:
                raise DatasetError(
                    f"{folder}: has two stories whose name is {name} ({id} is one); expected different ones, rename one"
                )
            kept[name] = Outline(name, tuple(clip.id for clip in own), {"captions": tuple(clip.captions[0] for clip in own)})
        stories[split] = tuple(kept.values())
    return Corpus("folder", tuple(clips[id] for id in sorted(clips)), stories, photograph, {"captions": 77}, broken=tuple(broken))


def _merged(clip: Clip, again: Clip) -> Clip:
    """A picture that two lines name. Raises DatasetError where they do not agree who is there."""
    if clip.characters and again.characters and set(clip.characters) != set(again.characters):
        got = f"{', '.join(clip.characters)} in one line and {', '.join(again.characters)} in another"
        raise DatasetError(f"{clip.path}: has {got}; expected the same characters wherever it is named")
    captions = tuple(dict.fromkeys((*clip.captions, *again.captions)))
    return replace(clip, captions=captions, characters=clip.characters or again.characters)


def _by_story(folder: Path) -> dict[str, list[tuple[float, Clip]]]:
    """The lines of each story with what they are to be sorted by."""
    path = folder / METADATA
    stories = defaultdict(list)
    with path.open("rb") as lines:
        for number, line in enumerate(iter(lambda: lines.readline(LONGEST_LINE), b""), 1):
            try:
                if len(line) == LONGEST_LINE:
                    raise ValueError(f"it has {LONGEST_LINE // 2**20} MiB or more")
                if line.strip():
                    story, place, clip = _frame(folder, json.loads(line), number)
                    stories[story].append((place, clip))
            except BROKEN as error:
                got = " ".join(f"{type(error).__name__}: {error}".split())[:160]
                expected = '{"file_name": "a/0.png", "text": "Ann sits down."}'
                raise DatasetError(f"{path}, line {number}: cannot be understood ({got}); expected {expected}") from error
    return stories


def _frame(folder: Path, entry: dict[str, Any], number: int) -> tuple[str, float, Clip]:
    """A line's story, its place there, and its picture."""
    name, cast = str(entry["file_name"]), entry.get("characters") or []
    if not isinstance(cast, list):
        raise TypeError("characters are no list")
    caption = one_line(entry["text"] if "text" in entry else entry["caption"])
    clip = Clip(name, inside(folder, name), (caption,), tuple(one_line(str(one)).lower() for one in cast))
    parent = Path(name).parent
    own, story = parent if parent.name else folder.name, entry.get("story")
    return one_line(str(own if story in (None, "") else story)), float(entry.get("frame", number)), clip

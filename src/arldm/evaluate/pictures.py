"""Any method's pictures in one form: stories of frames, each a file that is opened when it is looked at.

Five layouts are known (docs/evaluation.md): a told story, a folder for each story, StoryDALL-E's names, ViStoryBench's tree, and
pictures side by side in one folder.
"""

import hashlib
import io
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from arldm.errors import BROKEN, ConfigError, PictureError, ScriptError
from arldm.pictures import ENDINGS, decoded
from arldm.story_files import STORY, is_frame, read_outline
from arldm.writing import put, put_json

STORYDALLE = re.compile(r"gen_sample_(\d+)_(\d+)")  # adymaharana/storydalle, eval_char_clf.sh
NAMES = "stories.json"  # in a tree that we wrote: what its numbered stories were called
SHOTS = ("shots", "shot")  # ViStoryBench, vistorybench/dataset_loader/read_outputs.py
READ = ("RGB", "RGBA", "L", "LA", "P", "PA", "1")  # modes of Pillow that become RGB in one way only
KINDS = {"CMYK": "in inks (CMYK)", "I;16": "of 16 bits", "I;16B": "of 16 bits", "I": "of more than 8 bits", "F": "of floats"}
LOOSE = "one folder, no stories"  # a layout
TIMESTAMP = re.compile(r"\d{8}[_-]\d{6}")


@dataclass(frozen=True, slots=True)
class Pictures:
    """What one method drew: for each story, in order, the files of its frames. `layout` says how they were found."""

    name: str
    layout: str
    stories: Mapping[str, tuple[Path, ...]]

    @property
    def frames(self) -> list[Path]:
        """All files, story after story."""
        return [path for story in self.stories.values() for path in story]

    @property
    def owners(self) -> np.ndarray:
        """To which story, by number, each of `frames` belongs: (frame)."""
        return np.repeat(np.arange(len(self.stories)), [len(story) for story in self.stories.values()])

    def after(self, given: int) -> "Pictures":
        """The same stories without their first `given` frames. Raises PictureError where nothing is left."""
        stories = {name: story[given:] for name, story in self.stories.items()}
        if short := next((name for name, story in stories.items() if not story), None):
            raise PictureError(
                f"{self.name}: story {short} has no more than the {given} given pictures; expected drawn ones, lower --given"
            )
        return replace(self, stories=stories)


def find(folder: Path, name: str = "") -> Pictures:
    """The pictures of a folder, in whichever of the known layouts they are. Raises PictureError."""
    if not folder.is_dir():
        raise PictureError(f"{folder}: is no folder; expected one of pictures, or of stories' folders")
    layout, stories = _found(folder)
    if not stories:
        raise PictureError(f"{folder}: holds no pictures; expected PNG, JPEG or WebP files, or stories' folders with such")
    return Pictures(name or called(folder), layout, stories)


def called(folder: Path) -> str:
    """A folder's own name, be it a link or given as a dot."""
    return Path(os.path.abspath(folder)).name


def _found(folder: Path) -> tuple[str, dict[str, tuple[Path, ...]]]:
    loose = _pictures(folder)
    below = {one.name: pictures for one in _natural(folder.iterdir()) if _is_shown(one) and (pictures := _pictures(one))}
    if (folder / STORY).exists():
        return "a told story", {called(folder): loose} if loose else {}
    if loose and below:
        both = f"pictures ({loose[0].name}) beside folders of pictures ({next(iter(below))})"
        raise PictureError(f"{folder}: holds {both}; expected the ones or the others, part them")
    if below and not set(below) <= set(SHOTS):
        return "a folder for each story", below
    if loose and all(STORYDALLE.fullmatch(one.stem) for one in loose):
        return "StoryDALL-E's names", _storydalle(loose)
    if loose:
        return LOOSE, {one.name: (one,) for one in loose}
    return "ViStoryBench's tree", _vistorybench(folder)


def _is_shown(folder: Path) -> bool:
    """Is it a folder, and none that programs keep for themselves?"""
    return folder.is_dir() and not folder.name.startswith(".")


def _pictures(folder: Path) -> tuple[Path, ...]:
    """A folder's own pictures in the order of the numbers in their names; of a told story its frames, no strip and no page."""
    told = (folder / STORY).exists()
    held = (one for one in folder.iterdir() if one.suffix.lower() in ENDINGS and not one.name.startswith("."))
    return tuple(_natural(one for one in held if not told or is_frame(one)))


def _natural(paths: Iterator[Path]) -> list[Path]:
    """Sorted as people count: frame 10 comes after frame 9."""
    parts = {path: re.split(r"([0-9]+)", path.as_posix()) for path in paths}  # by turns text and number
    return sorted(parts, key=lambda path: [int(part) if place % 2 else part for place, part in enumerate(parts[path])])


def _storydalle(paths: Sequence[Path]) -> dict[str, tuple[Path, ...]]:
    stories: dict[str, list[Path]] = {}
    for path in paths:  # which are in natural order already
        found = STORYDALLE.fullmatch(path.stem)
        assert found is not None
        stories.setdefault(found[1], []).append(path)
    return {name: tuple(story) for name, story in stories.items()}


def _vistorybench(folder: Path) -> dict[str, tuple[Path, ...]]:
    """{mode}/{language}/{time}/{story}/shots below a method's folder, some of them missing; of several times the latest."""
    runs: dict[str, dict[tuple[str, ...], Path]] = defaultdict(dict)  # by time
    for one in _natural(folder.rglob("*")):
        parts = one.parent.relative_to(folder).parts
        if one.name in SHOTS and one.is_dir() and not any(part.startswith(".") for part in parts) and _pictures(one):
            time = next((part.replace("_", "-") for part in parts if TIMESTAMP.fullmatch(part)), "")
            runs[time][tuple(part for part in parts if not TIMESTAMP.fullmatch(part))] = one
    kinds = sorted({"/".join(place[:-1]) for run in runs.values() for place in run})
    if len(kinds) > 1:
        raise PictureError(f"{folder}: holds stories of {kinds[0]} and of {kinds[1]}; expected one method's in one mode, name it")
    latest = runs[max(runs, default="")]
    found = {_named(place[-1], one) if place else called(folder): _pictures(one) for place, one in latest.items()}
    if len(found) < len(latest):
        raise PictureError(f"{folder}: has two stories of one name in {NAMES}; expected what arldm wrote, write the tree again")
    return found


def _named(story: str, shots: Path) -> str:
    """A story's name before `write_vistorybench` gave it a number. Raises PictureError where that is told in another way."""
    path = shots.parent.parent / NAMES
    if not path.exists():
        return story
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))[story])
    except BROKEN as error:
        raise PictureError(f"{path}: does not name story {story}; expected what arldm wrote, write the tree again") from error


def write_vistorybench(pictures: Pictures, out: Path, mode: str, language: str, time: str) -> Path:
    """Copy pictures into ViStoryBench's tree, out/method/mode/language/time/story/shots/shot_01.png; `time` as 20261124-120000.

    Its scripts want stories to be numbers: they are counted from 01, in order; stories.json beside them keeps their names. Returns
    the stories' folder. Raises OutputError, and ConfigError for a method whose name is no folder's.
    """
    if Path(pictures.name).name != pictures.name:
        raise ConfigError(f"{pictures.name}: expected a name without folders, which a folder of {out} can have")
    top = out / pictures.name / mode / language / time
    for number, story in enumerate(pictures.stories.values(), 1):
        for frame, path in enumerate(story, 1):
            put(top / f"{number:02}" / "shots" / f"shot_{frame:02}{path.suffix.lower()}", path.read_bytes())
    names = {f"{number:02}": name for number, name in enumerate(pictures.stories, 1)}
    put_json(top / NAMES, names, ensure_ascii=False)
    return top


def opened(path: Path, digest: str = "") -> Image.Image:
    """A frame as RGB. Greyscale and palettes lose nothing; what could be shown in several ways is refused.

    Raises PictureError, also where the file does not hold any more what `digest` says: the beginning of its SHA-256.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise PictureError(f"{path}: is gone; expected a picture that was there before, run the same command again") from error
    if not hashlib.sha256(data).hexdigest().startswith(digest):
        raise PictureError(f"{path}: was written anew meanwhile; expected pictures that stay, run the same command again")
    image = decoded(io.BytesIO(data), path)
    if (count := _count(data)) > 1:
        raise PictureError(f"{path}: holds {count} pictures; expected one that does not move, save the one that is meant")
    deep = data[12:16] == b"IHDR" and data[24] == 16  # of colours Pillow drops the lower half
    if deep or image.mode not in READ:
        kind = "of 16 bits" if deep else KINDS.get(image.mode, f"in mode {image.mode}")
        raise PictureError(f"{path}: is {kind}; expected colours or grey of 8 bits, save it as an RGB PNG")
    if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema() != (255, 255):
        raise PictureError(f"{path}: is transparent in places; expected one without holes, lay it on the ground that is meant")
    return image.convert("RGB")


def _count(data: bytes) -> int:
    """How many pictures a file holds that can be decoded."""
    with Image.open(io.BytesIO(data)) as image:
        return getattr(image, "n_frames", 1)


def aligned(method: Pictures, reference: Pictures, given: int = 0) -> Pictures:
    """The method's stories in the reference's order and by its names, without the first `given` frames.

    Stories belong together by the first number in their names, or by name where one has none or two of a set have the same. They
    may have their drawn frames alone, as StoryDALL-E writes them, or the given ones, too, but all alike.

    Raises ConfigError, which names what differs.
    """
    by_number = _numbers(method) and _numbers(reference)
    ours, theirs = (_keyed(one, bool(by_number)) for one in (method, reference))
    missing, more = [theirs[key] for key in theirs if key not in ours], [ours[key] for key in ours if key not in theirs]
    said = [f"lacks {_some(missing)}"] * bool(missing) + [f"has {_some(more)} besides"] * bool(more)
    both = [(ours[key], method.stories[ours[key]], reference.stories[theirs[key]]) for key in theirs if key in ours]
    alone = 2 * sum(len(found) == len(true) - given for _, found, true in both) > len(both)  # are drawn frames without given ones?
    for name, found, true in both:
        if len(found) != (expected := len(true) - given * alone):
            said.append(f"has {len(found)} frames in {name} where {expected} are expected")
            break
        if _other(found[0].parent, true[0].parent):
            said.append(f"tells another story in {name}, with other captions")
            break
    if said:
        raise ConfigError(f"{method.name}: {', '.join(said)}; expected the reference's stories, frame for frame, or --unpaired")
    drawn = [found if alone else found[given:] for _, found, _ in both]
    return replace(method, stories=dict(zip(theirs.values(), drawn, strict=True)))


def _other(ours: Path, theirs: Path) -> bool:
    """Do two told stories say that they are different ones, by their ids and by their captions?"""
    told = []
    for folder in (ours, theirs):
        with suppress(ScriptError):
            told.append(read_outline(folder))
    captions = [[frame.caption for frame in story.frames] for story in told]
    return len(told) == 2 and told[0].id != told[1].id and captions[0] != captions[1]


def _numbers(pictures: Pictures) -> list[int]:
    """The first number in each story's name; none at all where one has no number or two have the same."""
    found = [int(number[0]) for name in pictures.stories if (number := re.search(r"[0-9]+", name))]
    return found if len(set(found)) == len(pictures.stories) else []


def _keyed(pictures: Pictures, by_number: bool) -> dict[int | str, str]:
    names = list(pictures.stories)
    return dict(zip(_numbers(pictures) if by_number else names, names, strict=True))


def _some(names: Sequence[str]) -> str:
    return f"{len(names)} stor{'ies' if len(names) > 1 else 'y'} ({', '.join(names[:3])}{', ..' * (len(names) > 3)})"

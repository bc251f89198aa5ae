"""The pictures of a new character, with their captions: a folder that someone put together by hand.

metadata.jsonl      {"file_name": "0.png", "text": "Rumo waves."}, a line for each picture
or 0.txt            beside 0.png, its caption
or nothing          then the caption is the name
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arldm.errors import BROKEN, DatasetError, PictureError
from arldm.model.text import words_of
from arldm.pictures import ENDINGS, decoded, flattened, read_picture
from arldm.story import Frame
from arldm.toonsv.cutouts import Cutout, cut_outs

METADATA = "metadata.jsonl"
LEAST, MOST = 2, 20  # pictures; the paper takes 4 or 5


def read_pictures(folder: Path, names: Sequence[str]) -> tuple[Frame, ...]:
    """The pictures in the order of their file names, each with a caption that has one of the names.

    Raises DatasetError for too few or too many, a caption without a name; PictureError for what is no picture.
    """
    paths = picture_paths(folder)
    told = _metadata(folder) if (folder / METADATA).exists() else None
    return tuple(Frame(_caption(path, told, names), read_picture(path), (names[0],)) for path in paths)


def read_cutouts(folder: Path) -> list[Cutout]:
    """The character without what is behind it, of each picture in the same order. Raises DatasetError, PictureError."""
    paths = picture_paths(folder)
    pictures = [decoded(path, path) for path in paths]
    layers = [picture.convert("RGBA") if picture.has_transparency_data else flattened(picture) for picture in pictures]
    cutouts, found = cut_outs(layers), []
    for path in paths:
        try:
            found.append(next(cutouts))
        except PictureError as error:
            raise PictureError(f"{path}: {error}") from error
    return found


def picture_paths(folder: Path) -> list[Path]:
    """The pictures in the order of their file names. Raises DatasetError for too few or too many."""
    if not folder.is_dir():
        raise DatasetError(f"{folder}: is no folder; expected one with {LEAST} to {MOST} pictures of the character")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and not path.name.startswith("."))
    if not LEAST <= len(paths) <= MOST:
        raise DatasetError(f"{folder}: has {len(paths)} pictures; expected {LEAST} to {MOST}, 4 or 5 different ones are best")
    return paths


def _caption(path: Path, told: dict[str, str] | None, names: Sequence[str]) -> str:
    beside = path.with_suffix(".txt")
    if told is not None and path.name not in told:
        raise DatasetError(f"{path.parent / METADATA}: has no line for {path.name}; add one, or take the picture away")
    caption = told[path.name] if told is not None else ""
    caption = caption or (_text(beside, "a caption in UTF-8") if beside.exists() else f"{names[0].capitalize()}.")
    caption = " ".join(caption.split())
    if set(names).isdisjoint(words_of(caption)):
        raise DatasetError(f"{path}: its caption {caption!r} does not say {' or '.join(names)}; expected the name in each caption")
    return caption


def _metadata(folder: Path) -> dict[str, str]:
    """The captions by file name."""
    path, found = folder / METADATA, {}
    for number, line in enumerate(_text(path, "a line of JSON for each picture").split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry: dict[str, Any] = json.loads(line)
            name, caption = entry["file_name"], entry["text"]
            if not isinstance(name, str) or not isinstance(caption, str):
                raise TypeError("a name and a text in quotes are needed")
            if name in found:
                raise ValueError(f"{name} has a line already")
            found[name] = caption
        except BROKEN as error:
            expected = '{"file_name": "0.png", "text": "Rumo waves."}'
            raise DatasetError(f"{path}, line {number}: cannot be understood ({error}); expected {expected}") from error
    return found


def _text(path: Path, expected: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read as text; expected {expected}") from error

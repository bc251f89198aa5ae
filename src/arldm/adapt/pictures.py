"""The pictures of a new character, with their captions: a folder that someone put together by hand.

metadata.jsonl      {"file_name": "0.png", "text": "Rumo waves."}, a line for each picture
or else 0.txt       beside 0.png, its caption
or nothing          then the caption is the name, as where a caption is blank
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
    told = _metadata(folder, paths) if (folder / METADATA).exists() else _beside(folder, paths)
    return tuple(Frame(_caption(path, told[path.name], names), read_picture(path), (names[0],)) for path in paths)


def passed_over(folder: Path) -> list[str]:
    """What lies in the folder and is not read, though somebody may think so. Raises DatasetError as `picture_paths` does."""
    pictures, texts = picture_paths(folder), _texts(folder)
    captions = (
        [folder / METADATA] if (folder / METADATA).exists() else [texts[path.stem] for path in pictures if path.stem in texts]
    )
    left = {path for path in folder.iterdir() if not path.name.startswith(".")}.difference(pictures, captions)
    return sorted(path.name + "/" * path.is_dir() for path in left)


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
        got = f"{len(paths)} picture{'s' * (len(paths) != 1)}"
        raise DatasetError(f"{folder}: has {got}; expected {LEAST} to {MOST}, 4 or 5 different ones are best")
    return paths


def _caption(path: Path, told: str, names: Sequence[str]) -> str:
    caption = " ".join(told.split()) or f"{names[0].capitalize()}."
    if set(names).isdisjoint(words_of(caption)):
        raise DatasetError(f"{path}: its caption {caption!r} does not say {' or '.join(names)}; expected the name in each caption")
    return caption


def _beside(folder: Path, paths: Sequence[Path]) -> dict[str, str]:
    """The captions by the pictures' file names, of those that have a .txt."""
    texts = _texts(folder)
    return {path.name: _text(texts[path.stem], "a caption in UTF-8") if path.stem in texts else "" for path in paths}


def _texts(folder: Path) -> dict[str, Path]:
    """Files of text by their names without an ending, which may be in capitals."""
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() == ".txt"}


def _metadata(folder: Path, paths: Sequence[Path]) -> dict[str, str]:
    """The captions by the pictures' file names."""
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
    pictures = [one.name for one in paths]
    if untold := [name for name in pictures if name not in found]:
        raise DatasetError(f"{path}: has no line for {untold[0]}; add one, or take the picture away")
    if absent := [name for name in found if name not in pictures]:
        got = f"has a line for {absent[0]}, which is no picture in this folder"
        raise DatasetError(f"{path}: {got}; add the picture, or take the line away")
    return found


def _text(path: Path, expected: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read as text; expected {expected}") from error

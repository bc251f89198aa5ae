"""The HDF5 files of AR-LDM's own scripts: pororo.h5, flintstones.h5, vist.h5.

Groups train, val, test; in each image0..image4 (PNG bytes) and `text` (five captions joined by "|"), or `sis` and `dii` for VIST.
The scripts wrote RGB with a function that expects BGR: all readers but theirs see red and blue exchanged, which is put right here.
"""

import hashlib
import io
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from arldm.datasets.corpus import SPLITS, Clip, Corpus, Outline, as_published, one_line
from arldm.datasets.stills import encoded, unstacked
from arldm.errors import DatasetError, PictureError
from arldm.pictures import decoded

FRAMES = 5
MOST = 1_000_000  # stories; the largest that was published has 20,132
LONGEST = {"sis": 100, "dii": 65, "text": 91}  # tokens of captions, by their kind
PICTURES = tuple(f"image{number}" for number in range(FRAMES))


def read_h5(source: Path) -> Corpus:
    """One of the files. A picture that several stories share becomes one clip. Raises DatasetError."""
    if not source.is_file():
        raise DatasetError(f"{source}: is not a file; expected pororo.h5, flintstones.h5 or vist.h5")
    with as_published(source), _opened(source) as file:
        if absent := [split for split in SPLITS if split not in file]:
            raise ValueError(f"it has no group {absent[0]}, only {', '.join(list(file)[:5]) or 'nothing'}")
        kinds = [kind for kind in ("sis", "dii") if f"train/{kind}" in file] or ["text"]
        clips: dict[str, Clip] = {}
        broken: list[str] = []
        stories = {split: tuple(_stories(file, source, split, kinds, clips, broken)) for split in SPLITS}
    longest = {_called(kind): LONGEST[kind] for kind in kinds}
    return Corpus("h5", tuple(clips[id] for id in sorted(clips)), stories, _stills, longest, broken=tuple(broken))


def _called(kind: str) -> str:
    return "captions" if kind == "text" else kind


def _stories(file, source: Path, split: str, kinds: list[str], clips: dict[str, Clip], broken: list[str]) -> Iterator[Outline]:
    columns = {name: _column(file, split, name) for name in (*PICTURES, *kinds)}
    counts = {len(column) for column in columns.values()}
    if len(counts) != 1 or max(counts) > MOST:
        raise ValueError(f"the columns of {split} have {sorted(counts)} rows, expected as many in each, and at most {MOST:,}")
    for row in range(counts.pop()):
        captions = {_called(kind): _captions(columns[kind][row]) for kind in kinds}
        if wrong := [texts for texts in captions.values() if len(texts) != FRAMES]:
            broken.append(f"story {split}-{row:05}: {len(wrong[0])} captions between its separators")
            continue
        digests = []
        for name in PICTURES:
            digest = hashlib.sha256(columns[name][row].tobytes()).hexdigest()[:20]
            clips.setdefault(digest, Clip(digest, (source, split, name, row, "text" in kinds)))
            digests.append(digest)
        yield Outline(f"{split}-{row:05}", tuple(digests), captions)


def _column(file: h5py.File, split: str, name: str) -> h5py.Dataset:
    """A column that lies in this file: a link may lead to any other. Raises ValueError."""
    linked = [file.get(path, getlink=True) for path in (split, f"{split}/{name}")]
    found = file.get(f"{split}/{name}") if all(isinstance(link, h5py.HardLink) for link in linked) else None
    if not isinstance(found, h5py.Dataset) or found.ndim != 1:
        raise ValueError(f"{split} has no column {name}")
    texts, kind = name in LONGEST, h5py.check_vlen_dtype(found.dtype)
    if kind != (str if texts else np.uint8):
        raise ValueError(f"{split}/{name} holds {found.dtype}, expected {'texts' if texts else 'pictures as bytes'}")
    return found


def _captions(joined: bytes | str) -> tuple[str, ...]:
    text = joined.decode("utf-8", "replace") if isinstance(joined, bytes) else joined
    return tuple(one_line(part) for part in text.split("|"))


def _stills(clip: Clip) -> list[bytes]:
    path, split, name, row, cut = clip.source
    where = f"{path}: {split}/{name}[{row}]"
    try:
        data = _column(_kept_open(path), split, name)[row].tobytes()
    except (OSError, RuntimeError, ValueError) as error:
        raise PictureError(f"{where}: cannot be read ({error}); fetch the file again") from error
    picture = decoded(io.BytesIO(data), where).convert("RGB")
    red, green, blue = picture.split()
    picture = Image.merge("RGB", (blue, green, red))
    return unstacked(picture, min(picture.size), where) if cut else [encoded(picture, where)]


@lru_cache(maxsize=1)
def _kept_open(path: Path) -> h5py.File:
    """One file a process: opening takes as long as many pictures."""
    return _opened(path)


def _opened(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        got = str(error).partition("(")[2].rstrip(")") or error
        raise DatasetError(f"{path}: cannot be read as HDF5 ({got}); expected a whole file, fetch it again") from error

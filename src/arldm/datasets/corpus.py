"""What every corpus is made of: clips of one or more stills, and stories that name clips. Nothing is decoded yet."""

import json
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arldm.errors import DatasetError

SPLITS = ("train", "val", "test")
LARGEST = 256 * 2**20  # bytes of a JSON file
LONGEST = 10_000  # characters of a caption


@dataclass(frozen=True, slots=True)
class Clip:
    """One shot of a film, or one photograph.

    `source` is the file that it lies in, or begins with it and goes on with what the corpus' `stills` needs to find it. `captions`:
    all that were published. `episode`: what it was cut from, empty = not known; clips of one episode look alike, so no two splits
    should share one.
    """

    id: str
    source: Any
    captions: tuple[str, ...] = ()
    characters: tuple[str, ...] = ()
    episode: str = ""

    @property
    def path(self) -> Path:
        """The file that it lies in."""
        return self.source if isinstance(self.source, Path) else self.source[0]


@dataclass(frozen=True, slots=True)
class Outline:
    """A story before its pictures are read: ids of clips, and its captions, of one kind or of several (VIST: sis and dii)."""

    id: str
    clips: tuple[str, ...]
    captions: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Corpus:
    """A published corpus as its files describe it.

    `stills`: a clip -> its pictures as encoded bytes; can be sent to another process; raises PictureError, OSError.
    `longest`: tokens that the paper's models read, by kind of captions. `official`: stories of each split as published.
    `missing`, `broken`: what was seen to be so while the files were read; `incomplete`: how many stories were left
    out for want of a text.
    """

    name: str
    clips: tuple[Clip, ...]
    stories: dict[str, tuple[Outline, ...]]
    stills: Callable[[Clip], list[bytes]]
    longest: dict[str, int]
    official: dict[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    incomplete: int = 0


def published(source: Path, name: str) -> Path:
    """A file or folder of the published ones. Raises DatasetError."""
    path = source / name
    if not source.exists():
        raise DatasetError(f"{source}: not there; expected the folder of the published files, check the path")
    if not source.is_dir():
        raise DatasetError(f"{source}: is a file; expected the folder that its archive unpacks to, unpack it first")
    if not path.exists():
        raise DatasetError(f"{path}: not there; expected it as published, unpack the whole archive into {source}")
    return path


@contextmanager
def as_published(path: Path):
    """What goes wrong in here goes wrong because the file is not what it should be. Raises DatasetError."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError, SystemError, OSError) as error:
        got = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise DatasetError(f"{path}: is not as published ({got}); fetch it again") from error


def read_json(path: Path) -> Any:
    """What a published JSON file holds. Raises DatasetError."""
    with as_published(path):
        if (size := path.stat().st_size) > LARGEST:
            raise ValueError(f"it has {size / 2**20:.0f} MiB, expected at most {LARGEST // 2**20}")
        return json.loads(path.read_bytes())


def inside(folder: Path, name: str) -> Path:
    """A path below the folder. Raises DatasetError for one that leads out of it, or in a circle, or that can be no name."""
    try:
        name.encode()  # half a character is none
        below = (folder / name).resolve().is_relative_to(folder.resolve())
    except (ValueError, RuntimeError):
        below = False
    if not below:
        got = f"{name[:200]!r} leads out of it, or nowhere"
        raise DatasetError(f"{folder}: {got}; expected names below this folder, fetch the files again")
    return folder / name


def one_line(text: object) -> str:
    """A caption without line breaks, tabs, blanks at its ends, and halves of characters. Raises TypeError, ValueError."""
    if not isinstance(text, str):
        raise TypeError(f"a caption is of type {type(text).__name__}, expected words")
    if len(text) > LONGEST:
        raise ValueError(f"a caption has {len(text):,} characters, expected at most {LONGEST:,}")
    return " ".join(text.encode("utf-8", "replace").decode().split())

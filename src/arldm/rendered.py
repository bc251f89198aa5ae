"""ToonSV drawn once: pictures in memory-mapped arrays, drawn by a pool of processes. No torch.

What was drawn before a kill stays drawn.
"""

import hashlib
import json
import os
import shutil
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from arldm.errors import OutputError
from arldm.toonsv import paint, plot
from arldm.toonsv.cast import Scene
from arldm.toonsv.scenes import random_scene
from arldm.writing import locked, put

BLOCK = 50  # stories between two notes of progress
DRAWN = 256  # pixels of a random scene, the size of the pictures that are to be read
LOOKED_AT = 200  # stories of a split that its fingerprint is made of


class Rows:
    """An array on disk that is filled row by row. `done` rows are there; `origin` is what they were made from.

    Rows of another origin count as not done. As long as one process fills them, others that ask for them wait. Raises OutputError
    where the disk has no room for all of them.
    """

    def __init__(self, folder: Path, name: str, shape: tuple[int, ...], dtype: type[np.generic], origin: str) -> None:
        path, self._notes = folder / f"{name}.npy", folder / f"{name}.json"
        self._origin = {"origin": origin, "shape": list(shape)}
        weakref.finalize(self, locked(folder / f"{name}.lock").close)
        notes = _read(self._notes)
        self.done: int = notes["done"] if notes.items() >= self._origin.items() and _whole(path, shape) else 0
        try:
            if not path.exists():
                check_room(folder, int(np.prod(shape)) * np.dtype(dtype).itemsize)
            if not self.done:
                self._notes.unlink(missing_ok=True)  # of what is replaced now: a kill before the next note would leave it true
                path.unlink(missing_ok=True)  # not overwritten: a run may be learning from it
            self.array = np.lib.format.open_memmap(path, "r+" if self.done else "w+", dtype, shape)
            if not self.done and hasattr(os, "posix_fallocate"):
                with path.open("r+b") as file:  # now, and not while it is filled: a disk that is full by then kills the process
                    os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error

    def put(self, first: int, values: np.ndarray) -> None:
        """Write rows from `first` on, where those before are done; once noted they are on the disk."""
        self.array[first : first + len(values)] = values
        self.array.flush()
        self.done = first + len(values)
        put(self._notes, json.dumps({"done": self.done, **self._origin}).encode())


def _whole(path: Path, shape: tuple[int, ...]) -> bool:
    """Has the file all its rows? One that was cut off would be read as zeros."""
    try:
        return np.lib.format.open_memmap(path, "r").shape == shape
    except (OSError, ValueError, EOFError):
        return False


def _read(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError, TypeError):
        return dict(json.loads(path.read_text()))
    return {}


def rendered(folder: Path, split: str, stories: int, size: int, frames: int = 5) -> np.ndarray:
    """The pictures of the first `stories` stories of a split, uint8 (stories * frames, size, size, 3), kept in `folder`."""
    rows = Rows(
        folder, f"{split}-{stories}x{frames}-{size}", (stories * frames, size, size, 3), np.uint8, look(size, split, frames)
    )
    for pictures in drawn(split, range(rows.done // frames, stories), size, frames):
        rows.put(rows.done, pictures.reshape(-1, size, size, 3))
    return rows.array


def scene_stills(folder: Path, whose: str, scenes: int, size: int, shrunk: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
    """The first random scenes, drawn as large as a model draws and then `shrunk`: uint8 (scenes, size, size, 3), in `folder`.

    `whose` eyes they are for is a part of the file's name, for not all shrink alike.
    """
    rows = Rows(folder, f"scenes-{whose}-{scenes}-{size}", (scenes, size, size, 3), np.uint8, look(DRAWN, "train", 1))
    for block in drawn("train", range(rows.done, scenes), DRAWN, frames=1):
        rows.put(rows.done, np.stack([shrunk(Image.fromarray(picture)) for picture in block[:, 0]]))
    return rows.array


def picture(scene: Scene, size: int) -> np.ndarray:
    """A painted scene, uint8 (size, size, 3)."""
    return np.asarray(paint(scene, size))


def drawn(
    split: str, indices: Sequence[int], size: int, frames: int = 5, seen: Callable[[Scene, int], np.ndarray] = picture
) -> Iterator[np.ndarray]:
    """Blocks of stories in order, (story, frame, ..) of what is `seen` of a scene at a size; one process a core ahead of what is
    asked for.
    """
    if not indices:
        return
    blocks = [indices[first : first + BLOCK] for first in range(0, len(indices), BLOCK)]
    if len(blocks) == 1:  # not worth the start of a process
        yield _block(split, indices, size, frames, seen)
        return
    ahead = os.cpu_count() or 1
    bar = tqdm(total=len(indices), desc=f"drawing {split}", unit="story", mininterval=5)
    with bar, ProcessPoolExecutor(ahead, get_context("spawn")) as pool:
        waiting = [pool.submit(_block, split, block, size, frames, seen) for block in blocks[:ahead]]
        for number in range(len(blocks)):
            pictures = waiting.pop(0).result()
            if number + ahead < len(blocks):
                waiting.append(pool.submit(_block, split, blocks[number + ahead], size, frames, seen))
            yield pictures
            bar.update(len(pictures))


def look(size: int, split: str, frames: int, indices: Sequence[int] = range(0)) -> str:
    """A fingerprint of how the world looks and what happens in it: what another version of it made is not taken for this one's.

    Of stories that were chosen, and are not just the first ones, their numbers (`indices`) count, too.
    """
    pictures = np.concatenate([_block("val", range(index, index + 1), size, 2) for index in (0, 1, 2)])
    chosen = () if isinstance(indices, range) else indices
    told = repr([*(scenes(split, index, frames) for index in range(LOOKED_AT)), *chosen])
    return hashlib.sha256(pictures.tobytes() + told.encode()).hexdigest()[:16]


def _block(
    split: str, indices: Sequence[int], size: int, frames: int, seen: Callable[[Scene, int], np.ndarray] = picture
) -> np.ndarray:
    return np.stack([np.stack([seen(scene, size) for scene in scenes(split, index, frames)]) for index in indices])


def scenes(split: str, index: int, frames: int) -> list[Scene]:
    """The scenes of a story; one frame alone is no story but a scene in which every value is as likely as any other."""
    return [random_scene(split, index)] if frames == 1 else [shot.scene for shot in plot(split, index, frames)]


def check_room(folder: Path, needed: int) -> None:
    """Make the folder. Raises OutputError where its disk has no room for so many bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(folder).free) < needed:
        got = f"{free / 2**30:.1f} GiB are free and {needed / 2**30:.1f} GiB are needed"
        raise OutputError(f"{folder}: {got}; free some or choose another folder")

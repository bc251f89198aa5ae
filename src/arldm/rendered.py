"""ToonSV rendered once: pictures in memory-mapped arrays, drawn by a pool of processes, continued where a killed run stopped."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from arldm.errors import OutputError
from arldm.toonsv import draw, plot

BLOCK = 50  # stories between two notes of progress


def rendered(folder: Path, split: str, stories: int, size: int, frames: int = 5) -> np.ndarray:
    """The pictures of the first `stories` stories of a split, uint8 (stories * frames, size, size, 3), kept in `folder`."""
    array, done, note = begun(folder, f"{split}-{stories}-{size}", (stories * frames, size, size, 3), np.dtype(np.uint8))
    for first, pictures in _pool(split, range(done // frames, stories, BLOCK), stories, size, frames):
        array[first * frames : first * frames + len(pictures)] = pictures
        note(first * frames + len(pictures))
    return array


def begun(folder: Path, name: str, shape: tuple[int, ...], dtype: np.dtype) -> tuple[np.ndarray, int, Callable[[int], None]]:
    """An array on disk, how many of its rows are done, and the function that notes a new number."""
    folder.mkdir(parents=True, exist_ok=True)
    path, notes = folder / f"{name}.npy", folder / f"{name}.json"
    done = json.loads(notes.read_text())["done"] if notes.exists() and path.exists() else 0
    needed = int(np.prod(shape)) * dtype.itemsize
    if not path.exists() and (free := os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize) < needed:
        raise OutputError(f"{folder}: {free / 2**30:.1f} GiB are free and {needed / 2**30:.1f} GiB are needed; free some or choose another --out")
    array = np.lib.format.open_memmap(path, "r+" if path.exists() and done else "w+", dtype, shape)

    def note(rows: int) -> None:
        array.flush()
        beside = notes.with_suffix(".part")
        beside.write_text(json.dumps({"done": rows}))
        beside.replace(notes)

    return array, done, note


def _pool(split: str, firsts: range, stories: int, size: int, frames: int) -> Iterator[tuple[int, np.ndarray]]:
    if not len(firsts):
        return
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        jobs = [(split, first, min(first + BLOCK, stories), size, frames) for first in firsts]
        bar = tqdm(zip(firsts, pool.map(_block, jobs), strict=True), total=len(jobs), desc=f"drawing {split}", unit="block", mininterval=5)
        yield from bar


def _block(job: tuple[str, int, int, int, int]) -> np.ndarray:
    split, first, last, size, frames = job
    return np.stack([np.asarray(draw(shot.scene, size)) for index in range(first, last) for shot in plot(split, index, frames)])

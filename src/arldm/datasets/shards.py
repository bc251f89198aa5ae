"""Shards of an archive: 256 clips each, written one by one, whole or not at all, in several processes at once.

Their bytes do not depend on how many processes there were. `shards.jsonl` says what each holds, and what could not be read.
"""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from arldm.datasets import journal
from arldm.datasets.corpus import Clip
from arldm.errors import DatasetError, PictureError
from arldm.writing import checksum, put, replacing

SHARD = 256  # clips
ROWS, HELD = 16, 2**26  # clips and bytes of a record batch; some photographs are large
MISSING = "missing"
REPORT = "report.json"  # of a finished archive


@dataclass(frozen=True, slots=True)
class Shard:
    """What is known of a shard that lies on disk: its checksum, the digest of each clip's stills, and why others have none.

    `sizes` is a short name for how large the files were that it was made of.
    """

    shard: int
    sha256: str
    sizes: str
    stills: int
    clips: dict[str, str]
    unread: dict[str, str]


@dataclass(frozen=True)
class Shards:
    """All shards of some clips, in the folder `clips` of an archive. `stills`: a clip -> its pictures as encoded bytes."""

    out: Path
    clips: tuple[Clip, ...]
    stills: Callable[[Clip], list[bytes]]
    schema: pa.Schema

    @property
    def paths(self) -> list[Path]:
        """Where they lie."""
        count = max(1, -(-len(self.clips) // SHARD))
        return [self.out / "clips" / f"data-{number:05}-of-{count:05}.arrow" for number in range(count)]

    def written(self, workers: int) -> list[Shard]:
        """All of them, those made that were not there, were altered, or would be others now. Raises DatasetError, OutputError."""
        notes, paths = self.out / "shards.jsonl", self.paths
        done = {shard.shard: shard for shard in journal.entries(notes, Shard) if shard.shard < len(paths) and self._whole(shard)}
        put(notes, "".join(map(journal.line, done.values())).encode())  # a line that was begun would spoil the next
        if todo := [number for number in range(len(paths)) if number not in done]:
            (self.out / REPORT).unlink(missing_ok=True)  # which is written last: until then it is no finished archive
        with tqdm(total=len(self.clips), unit="clip", leave=False) as bar:
            bar.update(sum(len(self._part(number)) for number in done))
            jobs = [(number, paths[number], self._part(number)) for number in todo]
            with _mapped(partial(_write, self.stills, self.schema), jobs, min(workers, len(jobs))) as results:
                for shard in results:
                    with notes.open("a") as file:
                        file.write(journal.line(shard))
                    done[shard.shard] = shard
                    bar.update(len(self._part(shard.shard)))
        shards = [done[number] for number in range(len(paths))]
        put(notes, "".join(map(journal.line, shards)).encode())
        return shards

    def _whole(self, shard: Shard) -> bool:
        """Is a shard as it was written, of files as large as now, and is what could not be read then as unreadable now?"""
        path, part = self.paths[shard.shard], self._part(shard.shard)
        unread = [clip for clip in part if clip.id not in shard.clips]
        return (
            path.exists()
            and checksum(path) == shard.sha256
            and _sizes(part) == shard.sizes
            and {clip.id: _read(self.stills, clip)[1] for clip in unread} == shard.unread
        )

    def _part(self, number: int) -> tuple[Clip, ...]:
        return self.clips[number * SHARD : (number + 1) * SHARD]


def _write(stills: Callable[[Clip], list[bytes]], schema: pa.Schema, job: tuple[int, Path, tuple[Clip, ...]]) -> Shard:
    number, path, clips = job
    unread, digests, total, rows, held = {}, {}, 0, [], 0
    with replacing(path) as file, pa.ipc.new_stream(file, schema) as stream:
        for clip in clips:
            pictures, reason = _read(stills, clip)
            if reason:
                unread[clip.id] = reason
                continue
            digests[clip.id] = hashlib.sha256(b"".join(pictures)).hexdigest()
            total += len(pictures)
            rows.append(_row(clip, digests[clip.id], pictures))
            held += sum(map(len, pictures))
            if len(rows) == ROWS or held > HELD:
                stream.write_batch(pa.RecordBatch.from_pylist(rows, schema))
                rows, held = [], 0
        stream.write_batch(pa.RecordBatch.from_pylist(rows, schema))
    return Shard(number, checksum(path), _sizes(clips), total, digests, unread)


def _sizes(clips: Iterable[Clip]) -> str:
    """A short name for how large the files of some clips are: when they were written would be another time in every copy."""
    sizes = []
    for clip in clips:
        with suppress(OSError):
            sizes.append((clip.id, clip.path.stat().st_size))
    return hashlib.sha256(repr(sizes).encode()).hexdigest()[:16]


def _read(stills: Callable[[Clip], list[bytes]], clip: Clip) -> tuple[list[bytes], str]:
    """A clip's stills, or why there are none."""
    try:
        return stills(clip), ""
    except FileNotFoundError:
        return [], MISSING
    except PictureError as error:
        return [], str(error)
    except OSError as error:  # of the disk that it is read from, which is not the one that is written to
        return [], f"{clip.path}: cannot be read ({error.strerror}); expected a picture"


def _row(clip: Clip, digest: str, pictures: list[bytes]) -> dict[str, Any]:
    return {
        "id": clip.id,
        "captions": clip.captions,
        "characters": clip.characters,
        "episode": clip.episode,
        "sha256": digest,
        "stills": [{"bytes": picture, "path": None} for picture in pictures],
    }


@contextmanager
def _mapped(function: Callable[[Any], Shard], jobs: list, workers: int) -> Iterator[Iterable[Shard]]:
    """The results in the order of the jobs. Raises DatasetError if a process dies."""
    if workers < 2:
        yield map(function, jobs)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_serve) as pool:
        try:
            yield pool.map(function, jobs)
        except BrokenProcessPool as error:
            raise DatasetError("a process died, perhaps of too little memory; run the same command with fewer --workers") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _serve() -> None:
    """Leave Ctrl-C to the process that waits for this one, and end with it however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)

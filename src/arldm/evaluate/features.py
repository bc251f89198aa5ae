"""Features of pictures: extracted in batches, once, and kept on disk by what was looked at and with which network.

A store is a folder with one row a picture: `rows`, plain float32, and `index`, which names them in the same order. Rows are written
first and named after, so that a killed process leaves what it had named; what has no name is cut off by the next.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from arldm.errors import ModelError, OutputError
from arldm.evaluate.pictures import Pictures, opened
from arldm.writing import checksum, locked

ENTRY = np.dtype([("digest", "S32"), ("width", "<u4"), ("height", "<u4")])  # of a row: half a SHA-256 in hex, the picture's pixels
CHUNK = 1024  # rows held at once


class Network(Protocol):
    """What makes features of pictures."""

    @property
    def identity(self) -> str:
        """All that its features depend on beside the picture: weights and how a picture is brought to size."""
        ...

    @property
    def width(self) -> int:
        """Numbers in a row."""
        ...

    def features(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """(picture, width) float32."""
        ...


class Features:
    """The rows of a set of pictures in their order, read from disk as they are asked for; the set may be larger than memory."""

    def __init__(self, rows: np.ndarray, places: np.ndarray) -> None:
        self._rows, self._places = rows, places

    def __len__(self) -> int:
        return len(self._places)

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return self._rows.shape[1]

    def of(self, which: np.ndarray) -> np.ndarray:
        """Some rows, by number, in double precision: (row, width)."""
        return self._rows[self._places[which]].astype(np.float64)

    def chunks(self) -> Iterator[np.ndarray]:
        """All rows in order, some at a time."""
        for first in range(0, len(self), CHUNK):
            yield self.of(np.arange(first, min(first + CHUNK, len(self))))

    @classmethod
    def held(cls, rows: np.ndarray) -> "Features":
        """Rows that lie in memory."""
        return cls(rows, np.arange(len(rows)))


class Store:
    """The rows of one network in a folder. One process at a time adds to it; others wait. Raises OutputError."""

    def __init__(self, folder: Path, network: Network) -> None:
        self._network = network
        self._folder = folder / hashlib.sha256(network.identity.encode()).hexdigest()[:16]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / "network.txt").write_text(network.identity + "\n")
        except OSError as error:
            raise OutputError(f"{self._folder}: cannot be written ({error.strerror}); choose another --cache") from error

    def features(self, paths: Sequence[Path], digests: Sequence[str], batch: int = 32) -> tuple[Features, np.ndarray]:
        """The rows of these pictures and their sizes in pixels (picture, 2); what is missing is looked at now.

        Raises PictureError, ModelError where features are not finite, OutputError.
        """
        with locked(self._folder / "lock"):
            places = self._places()
            missing = {digest: path for digest, path in zip(digests, paths, strict=True) if digest not in places}
            with tqdm(total=len(missing), desc="looking", unit="picture", mininterval=5, leave=False, disable=not missing) as bar:
                for first in range(0, len(missing), batch):
                    some = dict(list(missing.items())[first : first + batch])
                    self._look(some, len(places))
                    places |= {digest: len(places) + number for number, digest in enumerate(some)}
                    bar.update(len(some))
            rows = np.memmap(self._rows, "<f4", "r").reshape(-1, self._network.width)  # before another process adds to them
            entries = np.memmap(self._index, ENTRY, "r")
        order = np.array([places[digest] for digest in digests], dtype=np.int64)
        return Features(rows, order), np.stack([entries["width"][order], entries["height"][order]], axis=1)

    @property
    def _rows(self) -> Path:
        return self._folder / "rows"

    @property
    def _index(self) -> Path:
        return self._folder / "index"

    def _places(self) -> dict[str, int]:
        """Which rows there are; halves that a killed process left are cut off."""
        for path in (self._rows, self._index):
            path.touch()
        width = 4 * self._network.width
        whole = min(self._rows.stat().st_size // width, self._index.stat().st_size // ENTRY.itemsize)
        os.truncate(self._rows, whole * width)
        os.truncate(self._index, whole * ENTRY.itemsize)
        return {digest.decode(): place for place, digest in enumerate(np.fromfile(self._index, ENTRY)["digest"])}

    def _look(self, missing: dict[str, Path], before: int) -> None:
        pictures = [opened(path, digest) for digest, path in missing.items()]  # hours after they were hashed, perhaps
        found = self._network.features(pictures)
        if not np.isfinite(found).all():
            bad = list(missing.values())[int(np.argmin(np.isfinite(found).all(1)))]
            raise ModelError(
                f"{bad}: the network makes features of it that are no numbers; expected finite ones, check the weights"
            )
        sizes = [(digest.encode(), *picture.size) for digest, picture in zip(missing, pictures, strict=True)]
        _append(self._rows, before * 4 * self._network.width, found.astype("<f4").tobytes())
        _append(self._index, before * ENTRY.itemsize, np.array(sizes, ENTRY).tobytes())


def _append(path: Path, end: int, data: bytes) -> None:
    try:
        with path.open("r+b") as file:
            file.seek(end)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); free some space or choose another --cache") from error


@dataclass(frozen=True, slots=True)
class Hashed:
    """Stories with what their files hold, so that a file is read once for that, however many networks look at it."""

    pictures: Pictures
    digests: list[str]

    @classmethod
    def of(cls, pictures: Pictures) -> "Hashed":
        """Read all files. Raises PictureError, and OSError for one that cannot be read."""
        return cls(pictures, digests(pictures.frames))

    @property
    def groups(self) -> np.ndarray:
        """Numbers (story) of the groups that share no picture: windows of one film overlap, retellings of one album are the same
        pictures, and are not independent.

        Of what more stories have than the longest has frames, they must share two: a black frame makes no group.
        """
        _, seen = np.unique(self.digests, return_inverse=True)
        pairs = np.unique(np.stack([self.pictures.owners, seen]), axis=1)
        usual = np.bincount(pairs[1]) <= np.bincount(self.pictures.owners).max()
        count, size = len(self.pictures.stories), len(self.pictures.stories) + len(usual)
        links = [pairs[:, usual[pairs[1]]] + [[0], [count]], _sharing_two(pairs[:, ~usual[pairs[1]]])]
        shared = coo_array((np.ones(sum(one.shape[1] for one in links)), tuple(np.hstack(links))), shape=(size, size))
        return np.unique(connected_components(shared, directed=False)[1][:count], return_inverse=True)[1]

    def seen_by(self, network: Network, cache: Path) -> tuple[Features, np.ndarray]:
        """As `Store.features`."""
        return Store(cache, network).features(self.pictures.frames, self.digests)

    def stories_by(self, network: Network, cache: Path) -> Iterator[np.ndarray]:
        """The rows of one story after the other, (frame, width), each read from disk when it is asked for."""
        features, _ = self.seen_by(network, cache)
        first = 0
        for story in self.pictures.stories.values():
            yield features.of(np.arange(first, first + len(story)))
            first += len(story)


def _sharing_two(pairs: np.ndarray) -> np.ndarray:
    """Which stories have two pictures in common or more, of pairs of a story and a picture (2, pair): (2, link)."""
    several = pairs[:, np.bincount(pairs[0], minlength=1)[pairs[0]] > 1]
    if not several.size:
        return several
    table = coo_array((np.ones(several.shape[1], np.int32), tuple(several))).tocsr()
    return np.stack((table @ table.T >= 2).nonzero())


def digests(paths: Sequence[Path]) -> list[str]:
    """What the files hold, each as a name of 32 letters."""
    with tqdm(paths, desc="hashing", unit="picture", mininterval=5, leave=False) as bar:
        return [checksum(path)[:32] for path in bar]

"""The stills of an archive as the arrays a training step needs: the autoencoder's posterior of each, and a small picture.

Made once, by all processes together, and continued where they were interrupted. What is kept is the posterior and no point of it,
so that latents are drawn anew at every reading.
"""

import hashlib
import resource
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from torch import Tensor
from tqdm import tqdm

from arldm.datasets.archive import Archive
from arldm.errors import OutputError
from arldm.model.arldm import ARLDM
from arldm.model.batch import pixels, small
from arldm.model.latents import drawn_from
from arldm.rendered import Rows, check_room
from arldm.train.loading import Ahead
from arldm.train.stories import fingerprint

PART = 2048  # stills in a file; each file is written by one process
BLOCK = 8  # stills that the autoencoder takes at once

Key = tuple[int, int]  # a clip's row in the archive, and which of its stills


@dataclass(frozen=True, slots=True, eq=False)
class Stills:
    """Some stills of an archive, each in the row that `rows` tells."""

    rows: dict[Key, int]
    posteriors: Sequence[np.ndarray]  # parts (n, 2, channel, h, w) float16: mean and log variance of normalised latents
    smalls: Sequence[np.ndarray]  # parts (n, past_size, past_size, 3) uint8

    def latents(self, stills: Sequence[Key], generators: Sequence[torch.Generator]) -> Tensor:
        """Latents of some stills (n, channel, h, w), drawn from their posteriors."""
        mean, logvar = torch.from_numpy(self._taken(self.posteriors, stills)).float().unbind(1)
        return drawn_from(mean, logvar, generators)

    def small(self, stills: Sequence[Key]) -> Tensor:
        """Some stills as the history encoder takes them, uint8 (n, past_size, past_size, 3)."""
        return torch.from_numpy(self._taken(self.smalls, stills))

    def _taken(self, parts: Sequence[np.ndarray], stills: Sequence[Key]) -> np.ndarray:
        places = [divmod(self.rows[still], PART) for still in stills]
        return np.stack([parts[part][row] for part, row in places])


def cached_stills(model: ARLDM, archive: Archive, stills: Sequence[Key], folder: Path) -> Stills:
    """These stills, kept in `folder`, each file made by one of the processes. Raises OutputError, PictureError."""
    state, encoder = PartialState(), fingerprint(model.latents)
    parts = [_Part(model, archive, stills[first : first + PART], folder, encoder) for first in range(0, len(stills), PART)]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)  # of files that may be open at once, of which each part takes some
    with suppress(OSError, ValueError):  # where all there are cannot be had
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if state.is_main_process:
        check_room(folder, sum(part.missing for part in parts))
    state.wait_for_everyone()
    model.latents.to(state.device)
    mine = parts[state.process_index :: state.num_processes]
    count = sum(len(part.stills) for part in mine)
    with tqdm(total=count, desc="encoding", unit="still", mininterval=5, disable=not state.is_main_process) as bar:
        for part in mine:
            part.make(bar)
    state.wait_for_everyone()
    opened = [part.opened() for part in parts]
    if any(array.done < len(part.stills) for part, made in zip(parts, opened, strict=True) for array in made):
        raise OutputError(f"{folder}: lacks what other processes put there; expected a --cache on a disk that all of them see")
    rows = {still: row for row, still in enumerate(stills)}
    return Stills(rows, *([made[k].array for made in opened] for k in (0, 1)))


def size_of(model: ARLDM) -> int:
    """Bytes of a still in the cache."""
    return sum(int(np.prod(shape)) * np.dtype(dtype).itemsize for shape, dtype in _arrays(model))


def _arrays(model: ARLDM) -> tuple[tuple[tuple[int, ...], type[np.generic]], ...]:
    """Shape and type of what is kept of a still: its posterior and its small picture."""
    config = model.config
    side, seen = config.picture_size // config.latents.downsample, config.past.picture_size
    return ((2, config.latents.channels, side, side), np.float16), ((seen, seen, 3), np.uint8)


class _Part:
    """Two files of the cache. Their names follow from all that is in them, so runs can share them and an altered archive cannot."""

    def __init__(self, model: ARLDM, archive: Archive, stills: Sequence[Key], folder: Path, encoder: str) -> None:
        self.model, self.archive, self.stills, self.folder = model, archive, stills, folder
        self.held = hashlib.sha256(repr([(archive.digests[row], number) for row, number in stills]).encode()).hexdigest()[:16]
        config = model.config
        self.names = (f"posteriors-{encoder}-{config.picture_size}-{self.held}", f"small-{config.past.picture_size}-{self.held}")

    @property
    def missing(self) -> int:
        """Bytes for what is not there."""
        there = all((self.folder / f"{name}.npy").exists() for name in self.names)
        return 0 if there else len(self.stills) * size_of(self.model)

    def opened(self) -> tuple[Rows, Rows]:
        """Posteriors and small pictures."""
        posteriors, smalls = (
            Rows(self.folder, name, (len(self.stills), *shape), dtype, self.held)
            for name, (shape, dtype) in zip(self.names, _arrays(self.model), strict=True)
        )
        return posteriors, smalls

    @torch.no_grad()
    def make(self, bar: tqdm) -> None:
        """Make what is not there yet."""
        posteriors, smalls = self.opened()
        first = min(posteriors.done, smalls.done)
        bar.update(first)
        starts = range(first, len(self.stills), BLOCK)
        with Ahead(lambda number: self._block(starts[number]), end=len(starts)) as decoded:
            for number, start in enumerate(starts):
                pictures, seen = decoded(number)
                posterior = self.model.latents.posterior(pictures.to(PartialState().device))
                posteriors.put(start, torch.stack(posterior, dim=1).half().cpu().numpy())
                smalls.put(start, seen.numpy())
                bar.update(len(seen))

    def _block(self, start: int) -> tuple[Tensor, Tensor]:
        pictures = [self.archive.still(*still) for still in self.stills[start : start + BLOCK]]
        config = self.model.config
        true = torch.stack([pixels(picture, config.picture_size) for picture in pictures])
        return true, torch.stack([small(picture, config.past.picture_size) for picture in pictures])

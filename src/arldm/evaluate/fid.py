"""The Fréchet distance and the kernel distance between two sets of pictures, whatever network made the features.

Both with 95 % intervals over stories, for frames of one story are not independent. Features are read a thousand rows at a time.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.stats import t

from arldm.errors import PictureError
from arldm.evaluate.features import Features
from arldm.evaluate.measures import Interval

FEW = 2048  # pictures; below, the distance of Inception's 2,048 features says more of their number than of what they show
BLOCK = 1000  # pictures of a kernel distance, as KID's authors take them
BLOCKS = 10  # at least, for the interval
SEED = 0  # of what is dealt to blocks


@dataclass(frozen=True, slots=True, eq=False)
class Gaussian:
    """What the Fréchet distance knows of a set: mean (dim) and covariance (dim, dim) of its features."""

    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, features: Features) -> Self:
        """Two passes over the rows, which need not fit into memory. Raises PictureError for fewer than two pictures."""
        if len(features) < 2:
            raise PictureError(f"{len(features)} picture{'s' * (len(features) != 1)} to compare; expected 2 or more, add some")
        mean = sum((rows.sum(0) for rows in features.chunks()), np.zeros(features.width)) / len(features)
        scatter = np.zeros((features.width, features.width))
        for rows in features.chunks():
            scatter += (rows - mean).T @ (rows - mean)
        return cls(mean, scatter / (len(features) - 1))


def frechet_distance(one: Gaussian, other: Gaussian) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) (Heusel et al. 2017, eq. 6); 0 for equal sets, never negative."""
    return _transport(one, other).distance


@dataclass(frozen=True, slots=True, eq=False)
class Frechet:
    """A Fréchet distance and what each picture has to do with it.

    `pull` of a picture is by how much the distance grows for each part of its set that becomes more of this picture: the influence
    function, whose mean over a set is 0. `pull_a` (picture of a) and `pull_b` (picture of b).
    """

    distance: float
    pull_a: np.ndarray
    pull_b: np.ndarray

    def estimate(self, owners_a: np.ndarray, owners_b: np.ndarray, paired: bool) -> Interval:
        """With an interval from the pulls of whole stories: the infinitesimal jackknife, which costs no resampling.

        A bootstrap of the distance itself would lie above it: a resample holds fewer different pictures, and the distance of few is
        larger. Where sets are paired, a story's pulls in both are added up before they are squared.
        """
        a, b = _shares(self.pull_a, owners_a), _shares(self.pull_b, owners_b)
        if paired:
            error, stories = _error(a + b), len(a)
        else:
            error, stories = float(np.hypot(_error(a), _error(b))), min(len(a), len(b))
        return _around(self.distance, error, stories)


def frechet(a: Features, b: Features) -> Frechet:
    """The Fréchet distance of two sets with the pull of each of their pictures. Raises PictureError for fewer than two."""
    one, other = Gaussian.of(a), Gaussian.of(b)
    transport = _transport(one, other)
    return Frechet(transport.distance, _pulls(a, one, other, transport.to_b), _pulls(b, other, one, transport.to_a))


@dataclass(frozen=True, slots=True, eq=False)
class _Transport:
    """The distance, and factors F (dim, rank) of the maps F F^T that carry one centred Gaussian onto the other."""

    distance: float
    to_b: np.ndarray
    to_a: np.ndarray


def _transport(a: Gaussian, b: Gaussian) -> _Transport:
    """With C_b = L L^T and L^T C_a L = U S^2 U^T, tr (C_a C_b)^(1/2) = tr S, and the maps are L U S^-1 U^T L^T and its inverse."""
    values, vectors = np.linalg.eigh(b.covariance)
    held = values > values.max(initial=0) * len(values) * np.finfo(float).eps  # the rank is less where pictures are few
    root = vectors[:, held] * np.sqrt(values[held])
    squares, turned = np.linalg.eigh(root.T @ a.covariance @ root)
    seen = squares > squares.max(initial=0) * len(values) * np.finfo(float).eps
    stretch, turned = np.sqrt(squares[seen]), turned[:, seen]
    spread = np.trace(a.covariance) + np.trace(b.covariance) - 2 * np.sqrt(squares.clip(min=0)).sum()
    distance = max(0.0, float(np.square(a.mean - b.mean).sum() + spread))
    inverse = vectors[:, held] / np.sqrt(values[held])
    return _Transport(distance, root @ turned / np.sqrt(stretch), inverse @ turned * np.sqrt(stretch))


def _pulls(features: Features, own: Gaussian, other: Gaussian, factor: np.ndarray) -> np.ndarray:
    """The derivative of the distance, 2 (m - m') for the mean and 1 - F F^T for the covariance, at each picture."""
    found = [
        2 * centred @ (own.mean - other.mean) + np.square(centred).sum(1) - np.square(centred @ factor).sum(1)
        for centred in (rows - own.mean for rows in features.chunks())
    ]
    pulls = np.concatenate(found)
    return pulls - pulls.mean()


def kernel_distance(a: Features, owners_a: np.ndarray, b: Features, owners_b: np.ndarray, paired: bool) -> Interval:
    """KID: the unbiased squared MMD with the kernel (x y / dim + 1)^3 (Bińkowski et al. 2018, eq. 4), which may be negative.

    Pictures of one story are not independent, so that only pairs of different stories count: within a set and, where sets are
    `paired`, between them. The mean over blocks of about 1,000 pictures, weighted by how many these are. As blocks share no story,
    their spread gives an interval; the field's hundred subsets overlap, and their standard deviation is no error of their mean.
    NaN for a single story.
    """
    smaller = min(len(a), len(b))
    if smaller < 2:
        raise PictureError(f"{smaller} picture{'s' * (smaller != 1)} to compare; expected 2 or more, add some")
    count = min(max(BLOCKS, smaller // BLOCK), _pairs(owners_a), _pairs(owners_b))
    if count < 1:
        return Interval(np.nan, np.nan, np.nan)
    found, sizes = [], []
    for one, other in zip(_blocks(owners_a, count), _blocks(owners_b, count), strict=True):
        owners = owners_a[one], owners_b[other] if paired else -1 - owners_b[other]  # as numbers that nobody else has
        found.append(_mmd(a.of(one), owners[0], b.of(other), owners[1]))
        sizes.append(len(one) + len(other))
    return _weighted(np.array(found), np.array(sizes))


def _weighted(found: np.ndarray, sizes: np.ndarray) -> Interval:
    """The mean of blocks with so many pictures, the large ones counting more; a block may hold no pair, and is NaN."""
    held = np.isfinite(found)
    if not held.any():
        return Interval(np.nan, np.nan, np.nan)
    found, weights, count = found[held], sizes[held] / sizes[held].sum(), int(held.sum())
    mean = float(weights @ found)
    spread = np.sqrt(np.square(weights * (found - mean)).sum() * count / max(count - 1, 1))
    return _around(mean, float(spread) if count > 1 else np.nan, count)


def _pairs(owners: np.ndarray) -> int:
    """So many blocks have two stories each."""
    return (int(owners.max()) + 1) // 2


def _blocks(owners: np.ndarray, count: int) -> list[np.ndarray]:
    """Numbers of pictures in `count` blocks of whole stories, as even as they come; of larger ones some pictures, by chance."""
    dealt = np.argsort(np.random.default_rng(SEED).permutation(int(owners.max()) + 1))[owners]  # when each picture's story is dealt
    order = np.argsort(dealt, kind="stable")
    firsts = [int(some[0]) for some in np.array_split(np.arange(int(owners.max()) + 1), count)]
    blocks = np.split(order, np.searchsorted(dealt[order], firsts[1:]))
    return [np.sort(np.random.default_rng(SEED).permutation(block)[:BLOCK]) for block in blocks]


def _mmd(a: np.ndarray, owners_a: np.ndarray, b: np.ndarray, owners_b: np.ndarray) -> float:
    within = _kernel(a, owners_a, a, owners_a) + _kernel(b, owners_b, b, owners_b)
    return within - 2 * _kernel(a, owners_a, b, owners_b)


def _kernel(a: np.ndarray, owners_a: np.ndarray, b: np.ndarray, owners_b: np.ndarray) -> float:
    """Its mean over pairs of pictures of different stories."""
    values = (a @ b.T / a.shape[1] + 1) ** 3
    others = owners_a[:, None] != owners_b
    return float(values.mean(where=others)) if others.any() else np.nan


def _shares(pulls: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """By how much each story moved the distance: (story)."""
    return np.bincount(owners, pulls) / len(pulls)


def _error(shares: np.ndarray) -> float:
    return float(np.sqrt(np.square(shares).sum() * len(shares) / (len(shares) - 1))) if len(shares) > 1 else np.nan


def _around(value: float, error: float, count: int) -> Interval:
    reach = float(t.ppf(0.975, count - 1)) * error if count > 1 else np.nan
    return Interval(value, value - reach, value + reach)

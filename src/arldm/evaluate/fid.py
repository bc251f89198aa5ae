"""The Fréchet distance between two sets of pictures, whatever network made the features."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import sqrtm


@dataclass(frozen=True, slots=True, eq=False)
class Gaussian:
    """What the distance knows of a set: mean (dim) and covariance (dim, dim) of its features."""

    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Self:
        """Features (n, dim), n at least 2, all finite. Raises ValueError."""
        if len(features) < 2 or not np.isfinite(features).all():
            raise ValueError(f"{len(features)} rows of features; expected 2 or more, all numbers finite")
        return cls(features.mean(0), np.cov(features, rowvar=False))


def frechet_distance(one: Gaussian, other: Gaussian) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Heusel et al. 2017, eq. 6); 0 for equal sets, never negative."""
    root = sqrtm(one.covariance @ other.covariance)
    spread = np.trace(one.covariance) + np.trace(other.covariance) - 2 * np.trace(np.real(root))
    return max(0.0, float(np.square(one.mean - other.mean).sum() + spread))

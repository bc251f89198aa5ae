"""How far raters agree beyond chance: Krippendorff's alpha."""

from collections.abc import Iterable, Sequence

import numpy as np

LEVELS = 3  # the first method preferred, neither, the second


def alpha(units: Iterable[Sequence[int]], levels: int = LEVELS) -> float | None:
    """Krippendorff's alpha for ordered answers 0, 1, .. levels - 1; a unit holds what its raters answered, one or more.

    1 = they agree, 0 = as if by chance, below 0 = they differ more than that. None where no unit has two answers, and where all
    answers are equal, so that nothing could differ.
    Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", with the ordinal metric.
    """
    coincidences = np.zeros((levels, levels))
    for answers in units:
        if len(answers) > 1:
            counts = np.bincount(answers, minlength=levels)
            coincidences += (np.outer(counts, counts) - np.diag(counts)) / (len(answers) - 1)
    totals = coincidences.sum(0)
    pairs = totals.sum()
    distance = _ordinal(totals)
    expected = float((np.outer(totals, totals) * distance).sum())
    if not expected:
        return None
    return 1 - float((coincidences * distance).sum()) * (pairs - 1) / expected


def _ordinal(totals: np.ndarray) -> np.ndarray:
    """Squared distances of ordered answers: how many lie between two, each end counted half."""
    middle = np.cumsum(totals) - totals / 2
    return (middle[:, None] - middle[None, :]) ** 2

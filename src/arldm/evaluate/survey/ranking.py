"""Three or more methods in one order: Bradley-Terry strengths by choix, their intervals by raters and stories."""

from collections.abc import Sequence

import choix
import numpy as np

from arldm.evaluate.survey.crossed import Interval

PRIOR = 0.1  # votes for each method of each pair, so that one who never lost stays finite


def bradley_terry(
    methods: int, first: np.ndarray, second: np.ndarray, values: np.ndarray, clusters: Sequence[np.ndarray]
) -> list[Interval]:
    """Strengths of methods 0, 1, .. whose mean is 0: i beats j with probability 1 / (1 + exp(strength j - strength i)).

    Vote k compared `first[k]` with `second[k]` and gave the first 1, 0.5 for a tie, or 0; all of shape (vote,). `clusters` says
    for each vote its rater, and again its story. Intervals are those of two-way clustered votes (Cameron, Gelbach and Miller 2011).
    """
    wins = np.zeros((methods, methods))
    np.add.at(wins, (first, second), values)
    np.add.at(wins, (second, first), 1 - values)
    strengths = choix.ilsr_pairwise_dense(wins, alpha=PRIOR, max_iter=10_000)
    strengths = strengths - strengths.mean()
    chance = 1 / (1 + np.exp(strengths[second] - strengths[first]))
    contrast = np.zeros((len(values), methods))
    contrast[np.arange(len(values)), first] = 1
    contrast[np.arange(len(values)), second] = -1
    # all strengths could be higher by the same: what rounding leaves of that direction must not be inverted
    bread = np.linalg.pinv(contrast.T * (chance * (1 - chance)) @ contrast, rcond=1e-9, hermitian=True)
    scores = contrast * (values - chance)[:, None]
    alone = _spread(scores, np.unique(np.stack(clusters), axis=1, return_inverse=True)[1].ravel())  # of one rater on one story
    parts = [_spread(scores, cluster) for cluster in clusters]
    variance = np.diag(bread @ (sum(parts) - alone) @ bread)
    floor = np.diag(bread @ alone @ bread)  # what clusters take away by chance is not less than what these leave
    half = 1.96 * np.sqrt(np.maximum(variance, floor))
    return [Interval(float(s), float(s - h), float(s + h)) for s, h in zip(strengths, half, strict=True)]


def _spread(scores: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """The sum over clusters of the square of the sum of their scores, for so few clusters a little more."""
    count = int(cluster.max()) + 1
    sums = np.zeros((count, scores.shape[1]))
    np.add.at(sums, cluster, scores)
    return sums.T @ sums * (count / max(count - 1, 1))

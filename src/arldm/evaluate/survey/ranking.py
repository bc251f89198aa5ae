"""Three or more methods in one order: Bradley-Terry strengths by choix, their intervals by raters and stories."""

from collections.abc import Sequence

import choix
import numpy as np

from arldm.evaluate.measures import Interval

PRIOR = 0.5  # votes added for each method of each pair (Haldane's correction), so that one who never lost stays finite


def bradley_terry(
    methods: int, first: np.ndarray, second: np.ndarray, values: np.ndarray, clusters: Sequence[np.ndarray]
) -> list[Interval]:
    """Strengths of methods 0, 1, .. whose mean is 0: i beats j with probability 1 / (1 + exp(strength j - strength i)).

    Vote k compared `first[k]` with `second[k]` and gave the first 1, 0.5 for a tie, or 0; all of shape (vote,). `clusters` says
    for each vote its rater, and again its story. Intervals are those of two-way clustered votes (Cameron, Gelbach and Miller 2011).
    """
    wins = PRIOR * (1 - np.eye(methods))
    np.add.at(wins, (first, second), values)
    np.add.at(wins, (second, first), 1 - values)
    strengths = choix.ilsr_pairwise_dense(wins, max_iter=10_000)
    strengths = strengths - strengths.mean()
    scores, known = _scores(strengths, first, second, values)
    won, lost = np.nonzero(~np.eye(methods, dtype=bool))
    added, known_before = _scores(strengths, won, lost, np.ones(len(won)))
    # all strengths could be higher by the same: what rounding leaves of that direction must not be inverted
    bread = np.linalg.pinv(known + PRIOR * known_before, rcond=1e-9, hermitian=True)
    # added votes are as uncertain as others: without them, one who won twice and never lost would be sure to be better
    before = PRIOR * added.T @ added
    alone = before + _spread(scores, np.unique(np.stack(clusters), axis=1, return_inverse=True)[1].ravel())  # one rater, one story
    parts = [before + _spread(scores, cluster) for cluster in clusters]
    variance = np.diag(bread @ (sum(parts) - alone) @ bread)
    floor = np.diag(bread @ alone @ bread)  # what clusters take away by chance is not less than what these leave
    half = 1.96 * np.sqrt(np.maximum(variance, floor))
    return [Interval(float(s), float(s - h), float(s + h)) for s, h in zip(strengths, half, strict=True)]


def _scores(strengths: np.ndarray, first: np.ndarray, second: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How each vote pulls at each strength (vote, method), and what all of them tell of strengths (method, method)."""
    chance = 1 / (1 + np.exp(strengths[second] - strengths[first]))
    contrast = np.zeros((len(values), len(strengths)))
    contrast[np.arange(len(values)), first] = 1
    contrast[np.arange(len(values)), second] = -1
    return contrast * (values - chance)[:, None], contrast.T * (chance * (1 - chance)) @ contrast


def _spread(scores: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """The sum over clusters of the square of the sum of their scores, for so few clusters a little more."""
    count = int(cluster.max()) + 1
    sums = np.zeros((count, scores.shape[1]))
    np.add.at(sums, cluster, scores)
    return sums.T @ sums * (count / max(count - 1, 1))

"""Raters with known preferences, by whom intervals and planned studies are proved."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from arldm.evaluate.survey.crossed import Crossed
from arldm.evaluate.survey.pairing import deal


@dataclass(frozen=True, slots=True)
class Preferences:
    """What simulated raters prefer, on average: shares of win and tie, the rest lose.

    `rater` and `story` are the standard deviations of their own margins; `ties` is that of the logarithm of how near two stories
    must be for a rater to call it a tie.
    """

    win: float = 0.55
    tie: float = 0.2
    rater: float = 0.2
    story: float = 0.3
    ties: float = 0.0

    @property
    def margin(self) -> float:
        """Win - lose."""
        return 2 * self.win + self.tie - 1


class Simulation:
    """Raters who vote as `Preferences` say, on the pairs that a study of two methods would deal them.

    How much better the first story seems is normal, with mean 0 and variance 1: a share of it is the rater's, another the story's,
    the rest is chance.
    """

    def __init__(self, preferences: Preferences, raters: int, stories: int, pairs: int, seed: int = 0) -> None:
        hands = deal([str(story) for story in range(stories)], ("x", "y"), raters, pairs, 0, random.Random(seed))
        self._rater = np.repeat(np.arange(raters), pairs)
        names = [int(a.story) for hand in hands for a, _ in hand]
        self._story = np.unique(names, return_inverse=True)[1]
        self._width = preferences.ties
        self._ends = _thresholds(preferences)
        self._shares = [_share(self._margin_given, spread) for spread in (preferences.rater, preferences.story)]

    def votes(self, generator: np.random.Generator) -> Crossed:
        """The votes of one study, each 1 (win), 0 (tie) or -1 (lose)."""
        rater, story = (generator.standard_normal(int(which.max()) + 1)[which] for which in (self._rater, self._story))
        rest = generator.standard_normal(len(self._rater))
        shares = [*self._shares, 1 - sum(self._shares)]
        liking = sum(math.sqrt(share) * part for share, part in zip(shares, (rater, story, rest), strict=True))
        middle, half = self._ends
        near = half * np.exp(self._width * generator.standard_normal(int(self._rater.max()) + 1))[self._rater]
        values = np.where(liking > middle + near, 1.0, np.where(liking < middle - near, -1.0, 0.0))
        return Crossed(values, self._rater, self._story)

    def _margin_given(self, own: np.ndarray, share: float) -> np.ndarray:
        """The margin of one whose own part of the liking, a share of the variance, is `own` standard deviations."""
        middle, half = self._ends
        nodes, weights = _normal()
        near = half * np.exp(self._width * nodes)[None]
        shift, rest = math.sqrt(share) * own[:, None], math.sqrt(1 - share)
        return ((norm.sf((middle + near - shift) / rest) - norm.cdf((middle - near - shift) / rest)) * weights).sum(1)


def _normal() -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    return nodes, weights / weights.sum()


def _thresholds(preferences: Preferences) -> tuple[float, float]:
    """Where liking becomes a win, on average over raters: the middle of the ties, and half their width."""
    nodes, weights = _normal()
    lose = 1 - preferences.win - preferences.tie

    def middle(half: float) -> float:
        near = half * np.exp(preferences.ties * nodes)
        return _root(lambda at: (norm.sf(at + near) * weights).sum() - preferences.win, -20, 20)

    def losing(half: float) -> float:
        return float((norm.cdf(middle(half) - half * np.exp(preferences.ties * nodes)) * weights).sum()) - lose

    half = _root(losing, 0, 5)
    return middle(half), half


def _share(margin_given: Callable[[np.ndarray, float], np.ndarray], spread: float) -> float:
    """The share of the variance of liking that lets margins vary with this standard deviation."""
    nodes, weights = _normal()

    def excess(share: float) -> float:
        margins = margin_given(nodes, share)
        return float((margins**2 * weights).sum() - (margins * weights).sum() ** 2) - spread**2

    return _root(excess, 0, 0.99) if spread else 0.0


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(brentq(function, low, high))  # type: ignore[arg-type]  # scipy's stubs think that it may give more

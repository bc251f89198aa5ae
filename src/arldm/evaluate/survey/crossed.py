"""Means of votes that raters and stories share: how they vary, and intervals that respect both.

A vote is a mean plus what is the rater's own, the story's own, and the rest, each with a variance of its own (crossed random
effects). Resampling raters and stories both (the two-way cluster bootstrap) counts the rest three times: docs/survey.md.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from arldm.evaluate.measures import Interval

NEGLIGIBLE = 0.05  # of the variance of a mean, what stories may add for having more than one vote each, and count as chance


@dataclass(frozen=True, slots=True)
class Variances:
    """Of a vote, by where it comes from."""

    rater: float
    story: float
    rest: float

    def of_mean(self, per_rater: float, per_story: float, votes: int) -> float:
        """The variance of a mean of so many votes; `per_rater` is the sum of squares of raters' shares, 1 / raters if even."""
        return self.rater * per_rater + self.story * per_story + self.rest / votes

    def degrees(self, raters: int, stories: int, votes: int, per_rater: float, per_story: float) -> float:
        """Degrees of freedom of the mean's estimated variance (Satterthwaite); a part of which nothing was found takes none.

        Where nearly each story has one vote, what stories add cannot be told from chance, and need not be: it is part of it.
        """
        apart = self.story * (per_story - 1 / votes)
        if self.story and apart < NEGLIGIBLE * self.of_mean(per_rater, per_story, votes):
            return Variances(self.rater, 0.0, self.rest + self.story).degrees(raters, stories, votes, per_rater, per_story)
        rest = self.rest / votes
        rater, story = self.rater * per_rater + rest, self.story * per_story + rest
        if not rest or not (self.rater or self.story):
            return max(1.0, votes - 1.0 if rest else min(raters, stories) - 1.0)
        squares = rater**2 / max(raters - 1, 1) * bool(self.rater) + story**2 / max(stories - 1, 1) * bool(self.story)
        if self.rater and self.story:
            # of fewer votes than raters and stories the analysis of variance leaves chance none; an estimate has some all the same
            squares += rest**2 / max(votes - raters - stories + 1, min(raters, stories) - 1, 1)
        return max(1.0, self.of_mean(per_rater, per_story, votes) ** 2 / squares)


@dataclass(frozen=True, slots=True)
class Crossed:
    """Votes as numbers, with whose they are and on which story, both counted from 0 without gaps. All of shape (vote,)."""

    values: np.ndarray
    rater: np.ndarray
    story: np.ndarray

    @property
    def per_rater(self) -> float:
        """The sum of squares of the raters' shares in the votes."""
        return float((np.bincount(self.rater) ** 2).sum()) / len(self.values) ** 2

    @property
    def per_story(self) -> float:
        """The same of stories."""
        return float((np.bincount(self.story) ** 2).sum()) / len(self.values) ** 2

    def variances(self) -> Variances:
        """Estimated by the method of moments for unbalanced data (Henderson 1953, method 1); none below nothing."""
        votes = len(self.values)
        by_rater, by_story = np.bincount(self.rater), np.bincount(self.story)
        raters, stories = len(by_rater), len(by_story)
        mean = self.values.sum() ** 2 / votes
        sums = (
            (np.bincount(self.rater, self.values) ** 2 / by_rater).sum(),
            (np.bincount(self.story, self.values) ** 2 / by_story).sum(),
        )
        r, s = self.per_rater * votes, self.per_story * votes
        # rows: expected sums of squares between raters, between stories, in all; a rater votes on a story once
        expected = np.array(
            [
                [votes - r, raters - s, raters - 1],
                [stories - r, votes - s, stories - 1],
                [votes - r, votes - s, votes - 1],
            ]
        )
        found = np.array([sums[0] - mean, sums[1] - mean, (self.values**2).sum() - mean])
        solved = np.linalg.lstsq(expected, found, rcond=None)[0]  # a lone rater or story leaves the matrix without full rank
        return Variances(*(max(0.0, float(part)) for part in solved))

    def interval(self, low: float = 0.0, high: float = 1.0) -> Interval:
        """The mean of values that cannot leave [low, high], with an interval that does not (Wilson's, for the votes' worth)."""
        votes, raters, stories = len(self.values), int(self.rater.max()) + 1, int(self.story.max()) + 1
        share = float((self.values.mean() - low) / (high - low))
        variances = self.variances()
        variance = variances.of_mean(self.per_rater, self.per_story, votes) / (high - low) ** 2
        # a vote's worth: how many independent ones would vary as much; where all agree, no more than one for each rater or story,
        # and one in all where a lone rater or story says nothing of how others differ
        fewest = min(raters, stories)
        worth = share * (1 - share) / variance if variance > 0 and fewest > 1 else fewest
        degrees = variances.degrees(raters, stories, votes, self.per_rater, self.per_story)
        middle, half = wilson(share, worth, float(student.ppf(0.975, degrees)))
        ends = [low + (high - low) * min(1.0, max(0.0, end)) for end in (middle - half, middle + half)]
        return Interval(low + (high - low) * share, *ends)


def wilson(share: float, worth: float, critical: float) -> tuple[float, float]:
    """Middle and half width of the interval for a share seen in so many independent votes (Wilson 1927)."""
    odd = critical**2 / worth
    half = critical * math.sqrt(share * (1 - share) / worth + odd / worth / 4)
    return (share + odd / 2) / (1 + odd), half / (1 + odd)

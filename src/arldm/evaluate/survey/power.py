"""How many raters a study needs to tell a margin; `runs/survey_coverage.py` proves it with simulated ones."""

import math
from bisect import bisect_left

from scipy.stats import nct
from scipy.stats import t as student

from arldm.evaluate.survey.crossed import Variances

MOST = 2_000  # raters; a study that needs more is not planned


def assumed(margin: float, ties: float, rater: float, story: float) -> Variances:
    """The variances of a vote (1, 0 or -1) where win - lose is `margin` and so many tie.

    `rater` and `story` are the standard deviations of raters' and stories' own margins; where these vary more
    than votes can, `rest` is negative.
    """
    whole = 1 - ties - margin**2
    return Variances(rater**2, story**2, whole - rater**2 - story**2)


def power(margin: float, variances: Variances, raters: int, stories: int, pairs: float) -> float:
    """The probability that the 95 % interval of the margin leaves out 0; each rater sees `pairs` of these two methods."""
    votes = max(2, round(raters * pairs))
    seen = min(stories, votes)
    shares = 1 / raters, 1 / seen
    degrees = variances.degrees(raters, seen, votes, *shares)
    away = margin / math.sqrt(variances.of_mean(*shares, votes))
    critical = student.ppf(0.975, degrees) / math.sqrt(1 - margin**2)  # Wilson's interval is wider than the variance alone says
    return float(nct.sf(critical, degrees, away))  # the other side adds nothing that a plan would notice, and is no number far out


def raters_needed(margin: float, variances: Variances, stories: int, pairs: float, promised: float = 0.8) -> int | None:
    """The fewest raters with which a margin is told with the promised power; None where more do not help and more stories may."""
    raters = bisect_left(range(2, MOST), promised, key=lambda raters: power(margin, variances, raters, stories, pairs)) + 2
    return raters if raters < MOST else None

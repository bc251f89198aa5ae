"""Simulated raters with known preferences: do intervals cover the truth, and do planned studies have the power promised?

`python runs/survey_coverage.py [STUDIES]`; 200 studies take a minute.
"""

import sys
from dataclasses import replace

import numpy as np
from scipy.stats import t as student
from simulated_raters import Preferences, Simulation

from arldm.evaluate.survey.crossed import Crossed
from arldm.evaluate.survey.power import assumed, raters_needed

TRUTH = Preferences(win=0.55, tie=0.20, rater=0.2, story=0.3, ties=0.5)
SIZES = ((20, 40, 20), (10, 30, 20), (8, 24, 24), (40, 60, 12))  # raters, stories, pairs a rater
PLANS = ((0.2, 60, 20, 0.15, 0.25), (0.15, 100, 20, 0.1, 0.2), (0.3, 30, 12, 0.2, 0.3), (0.1, 200, 24, 0.1, 0.2))
RESAMPLED = 200
SHARES = {"win": 1.0, "tie": 0.0, "lose": -1.0}


def covered(studies: int) -> None:
    """How many of the studies' intervals hold the truth."""
    truth = {"win": TRUTH.win, "tie": TRUTH.tie, "lose": 1 - TRUTH.win - TRUTH.tie, "margin": TRUTH.margin}
    print(f"{studies} studies of each size; margins vary by {TRUTH.rater} (raters), {TRUTH.story} (stories)")
    print(f"{'raters stories pairs':>22}" + "".join(f"{name:>10}" for name in (*truth, "all")))
    sums = dict.fromkeys(truth, 0)
    for number, (raters, stories, pairs) in enumerate(SIZES):
        simulation = Simulation(TRUTH, raters, stories, pairs)
        generator = np.random.Generator(np.random.PCG64([number, studies]))
        hits = dict.fromkeys(truth, 0)
        for _ in range(studies):
            votes = simulation.votes(generator)
            intervals = {name: replace(votes, values=(votes.values == value) * 1.0).interval() for name, value in SHARES.items()}
            intervals["margin"] = votes.interval(-1, 1)
            for name, interval in intervals.items():
                hits[name] += interval.low <= truth[name] <= interval.high
        row = [hits[name] / studies for name in truth]
        print(f"{raters:>10} {stories:>6} {pairs:>4}" + "".join(f"{share:>10.3f}" for share in (*row, sum(row) / 4)), flush=True)
        sums = {name: sums[name] + hits[name] for name in truth}
    row = [sums[name] / studies / len(SIZES) for name in truth]
    print(f"{'all':>22}" + "".join(f"{share:>10.3f}" for share in (*row, sum(row) / 4)))


def rivals(votes: Crossed, generator: np.random.Generator) -> dict[str, tuple[float, float]]:
    """Other intervals for the margin: what was not taken, beside what was."""
    values, raters, stories = votes.values, int(votes.rater.max()) + 1, int(votes.story.max()) + 1
    away = values - values.mean()
    sums = [np.bincount(cluster, away) for cluster in (votes.rater, votes.story)]
    rater, story = (float((part**2).sum()) * len(part) / (len(part) - 1) / len(values) ** 2 for part in sums)
    alone = float((away**2).sum()) / len(values) ** 2
    drawn = [generator.multinomial(count, np.full(count, 1 / count), RESAMPLED) for count in (raters, stories)]
    weights = drawn[0][:, votes.rater] * drawn[1][:, votes.story]
    resampled = (weights @ values) / weights.sum(1)
    taken = votes.interval(-1, 1)
    return {
        "all votes independent": _around(values, alone, len(values) - 1),
        "variance by raters": _around(values, rater, raters - 1),
        "raters and stories resampled": (float(np.quantile(resampled, 0.025)), float(np.quantile(resampled, 0.975))),
        "two-way clustered variance": _around(values, max(rater + story - alone, alone), min(raters, stories) - 1),
        "what is used": (taken.low, taken.high),
    }


def _around(values: np.ndarray, variance: float, degrees: int) -> tuple[float, float]:
    half = float(student.ppf(0.975, degrees)) * variance**0.5
    return float(values.mean()) - half, float(values.mean()) + half


def compared(studies: int) -> None:
    """How many of the studies' intervals of the margin hold the truth, by the way in which they are made."""
    print(f"intervals of the margin, {studies} studies of each size, {RESAMPLED} resamples")
    for number, (raters, stories, pairs) in enumerate(SIZES):
        simulation = Simulation(TRUTH, raters, stories, pairs)
        generator = np.random.Generator(np.random.PCG64([number, studies, 2]))
        found = [rivals(simulation.votes(generator), generator) for _ in range(studies)]
        for name in found[0]:
            share = sum(one[name][0] <= TRUTH.margin <= one[name][1] for one in found) / studies
            print(f"{raters:>10} {stories:>6} {pairs:>4}  {name:30}{share:.3f}", flush=True)


def planned(studies: int, promised: float = 0.8) -> None:
    """How many of the studies of planned size tell the margin."""
    print(f"power of planned studies, {studies} of each; promised {promised}")
    print(f"{'margin':>8}{'stories':>9}{'pairs':>7}{'rater sd':>10}{'story sd':>10}{'raters':>8}{'power':>8}")
    for number, (margin, stories, pairs, rater, story) in enumerate(PLANS):
        raters = raters_needed(margin, assumed(margin, 0.2, rater, story), stories, pairs, promised)
        assert raters is not None
        simulation = Simulation(Preferences((1 - 0.2 + margin) / 2, 0.2, rater, story), raters, stories, pairs)
        generator = np.random.Generator(np.random.PCG64([number, studies, 1]))
        told = sum(tells(simulation.votes(generator)) for _ in range(studies)) / studies
        print(f"{margin:>8}{stories:>9}{pairs:>7}{rater:>10}{story:>10}{raters:>8}{told:>8.3f}", flush=True)


def tells(votes: Crossed) -> bool:
    """Does the margin's interval leave out 0?"""
    interval = votes.interval(-1, 1)
    return interval.low > 0 or interval.high < 0


if __name__ == "__main__":
    studies = int(sys.argv[1]) if sys.argv[1:] else 200
    covered(studies)
    compared(studies)
    planned(max(studies, 2_000))

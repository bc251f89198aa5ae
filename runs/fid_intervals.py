"""How wide is a FID's interval, by the jackknife, by a bootstrap and in truth? `python runs/fid_intervals.py`.

Pairs of sets are drawn from two known Gaussians, five frames a story that are alike. Printed are the distance of the sources, the
mean and deviation of that of the sets, the jackknife's mean error, and what a bootstrap over the stories of the last pair says.
Then the same of stories that are windows of films, a clip apart, as those of PororoSV and FlintstonesSV are: over stories, and over
films, whose stories share no picture with others. Other numbers of features and pictures may be given.
"""

import sys

import numpy as np
from scipy.stats import t

from arldm.evaluate.features import Features
from arldm.evaluate.fid import Frechet, Gaussian, frechet, frechet_distance

FRAMES, PAIRS = 5, 60
FILM = 24  # clips; each, but for the last ones, begins a story


def stories(dice: np.random.Generator, scale: np.ndarray, shift: np.ndarray, count: int) -> np.ndarray:
    """(story, frame, feature), half of the variance between stories."""
    features = dice.normal(size=(count, 1, len(scale))) + dice.normal(size=(count, FRAMES, len(scale)))
    return features * np.sqrt(0.5) * scale + shift


def windows(dice: np.random.Generator, scales: np.ndarray, shifts: np.ndarray, films: int) -> list[np.ndarray]:
    """Two sets (story, frame, feature): drawn anew for each story, half of the variance a clip's own, and the clips themselves."""
    begins = np.arange(FILM - FRAMES + 1)[:, None] + np.arange(FRAMES)
    told, clips = (dice.normal(size=(films, FILM, len(scales[0])))[:, begins].reshape(-1, FRAMES, len(scales[0])) for _ in "ab")
    drawn = np.sqrt(0.5) * (told + dice.normal(size=told.shape))
    return [one * scale + shift for one, scale, shift in zip((drawn, clips), scales, shifts, strict=True)]


def flat(some: np.ndarray) -> Features:
    """All frames."""
    return Features.held(some.reshape(-1, some.shape[-1]))


def error(found: Frechet, owners: np.ndarray, paired: bool) -> float:
    """The jackknife's error of a distance."""
    estimate = found.estimate(owners, owners, paired)
    return (estimate.high - estimate.low) / 2 / float(t.ppf(0.975, len(set(owners)) - 1))


if __name__ == "__main__":
    width, pictures = (int(sys.argv[at]) if len(sys.argv) > at else default for at, default in ((1, 256), (2, 1000)))
    dice, count = np.random.default_rng(1), pictures // FRAMES
    scales = np.exp(-np.arange(width) / (width / 4)) * np.stack([np.ones(width), np.linspace(1.3, 0.8, width)])
    shifts = np.stack([np.zeros(width), np.linspace(0, 0.1, width)])
    owners = np.repeat(np.arange(count), FRAMES)
    true = frechet_distance(*(Gaussian(shift, np.diag(scale**2)) for shift, scale in zip(shifts, scales, strict=True)))
    values, errors, pair = [], [], []
    for _ in range(PAIRS):
        pair = [stories(dice, scale, shift, count) for scale, shift in zip(scales, shifts, strict=True)]
        found = frechet(*map(flat, pair))
        values.append(found.distance)
        errors.append(error(found, owners, paired=False))
    again = [frechet(*(flat(some[dice.integers(0, count, count)]) for some in pair)).distance for _ in range(PAIRS)]
    print(
        f"sources {true:.2f}; sets {np.mean(values):.2f}, deviation {np.std(values, ddof=1):.3f}; jackknife {np.mean(errors):.3f}"
    )
    print(f"bootstrap of the last, {values[-1]:.2f}: mean {np.mean(again):.2f}, deviation {np.std(again, ddof=1):.3f}")
    each = FILM - FRAMES + 1  # stories of a film
    films = count // each
    shown = [frechet(*map(flat, windows(dice, scales, shifts, films))) for _ in range(PAIRS)]
    of_story = np.repeat(np.arange(films * each), FRAMES)
    by_story, by_film = (np.mean([error(one, of_story // group, paired=True) for one in shown]) for group in (1, each))
    deviation = np.std([one.distance for one in shown], ddof=1)
    print(f"windows of {films} films: deviation {deviation:.3f}; jackknife over stories {by_story:.3f}, over films {by_film:.3f}")

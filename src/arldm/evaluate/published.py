"""Figures that others published, with where they stand and how they were made, to be shown beside ours.

Only what was read at its source. No two groups measure FID alike (docs/evaluation.md), hence the chain of each table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Published:
    """A row of somebody's table; `f1` of characters and `accuracy` of frames are in per cent."""

    method: str
    fid: float
    source: str
    f1: float | None = None
    accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """Rows that compare with each other. Chain "paper" is our protocol; `pictures` is what its sets hold, where that is known.

    `given` pictures begin each story: 0 is visualization, 1 continuation.
    """

    name: str
    corpus: str
    given: int | None
    chain: Literal["paper", "StoryGPT-V's"]
    pictures: int | None
    rows: tuple[Published, ...]


CHAINS = {
    "paper": "64 px, then 299; one random reference frame a clip",
    "StoryGPT-V's": "299 px by ImageNet's mean and deviation; four frames a story",
}

_ARLDM, _CONTEXTUAL = "leaderboard of arXiv 2211.10950", "leaderboard of arXiv 2407.09774"
_GST6, _GST7, _GPTV = "arXiv 2403.08502, Table 6", "arXiv 2403.08502, Table 7", "StoryGPT-V, Tables 1-4"

PUBLISHED = (
    Task(
        "PororoSV visualization",
        "PororoSV",
        0,
        "paper",
        11_040,
        (
            Published("StoryGAN", 158.06, _GST6, 18.59, 9.34),
            Published("CP-CSV", 140.24, _GST6, 21.78, 10.03),
            Published("DuCo-StoryGAN", 96.51, _GST6, 38.01, 13.97),
            Published("VLC-StoryGAN", 84.96, _GST6, 43.02, 17.36),
            Published("VP-CSV", 65.51, _GST6, 56.84, 25.87),
            Published("CMOTA", 52.13, _GST6, 53.25, 24.72),
            Published("MaskGST", 42.86, _GST6, 65.10, 37.50),
            Published("AR-LDM", 16.59, _ARLDM),
            Published("Causal-Story", 16.28, _GST6),
            Published("ACM-VSG", 15.48, _GST6),
            Published("ContextualStory", 14.07, _CONTEXTUAL),
        ),
    ),
    Task(
        "PororoSV continuation",
        "PororoSV",
        1,
        "paper",
        8_832,
        (
            Published("MaskGST", 43.31, _GST7, 65.32, 37.38),
            Published("StoryDALL-E, fine-tuned", 25.90, _GST7),
            Published("MEGA-StoryDALL-E", 23.48, _GST7),
            Published("AR-LDM", 17.40, _ARLDM),
            Published("Causal-Story", 16.98, _GST7),
            Published("ACM-VSG", 15.36, _GST7, 45.71, 22.62),
            Published("ContextualStory", 14.20, _CONTEXTUAL),
        ),
    ),
    Task(
        "FlintstonesSV continuation",
        "FlintstonesSV",
        1,
        "paper",
        9_236,
        (Published("AR-LDM", 19.28, _ARLDM), Published("ContextualStory", 16.33, _CONTEXTUAL)),
    ),
    Task("VIST-SIS continuation", "VIST", 1, "paper", None, (Published("AR-LDM", 16.95, _ARLDM),)),
    Task("VIST-DII continuation", "VIST", 1, "paper", None, (Published("AR-LDM", 17.03, _ARLDM),)),
    Task(
        "FlintstonesSV, captions with pronouns",
        "FlintstonesSV",
        None,
        "StoryGPT-V's",
        None,
        (
            Published("StoryDALL-E", 44.66, _GPTV, 78.36, 61.83),
            Published("Story-LDM", 36.34, _GPTV, 88.26, 77.23),
            Published("LDM", 32.36, _GPTV, 87.54, 75.37),
            Published("StoryGPT-V", 21.71, _GPTV, 94.17, 87.96),
        ),
    ),
    Task(
        "PororoSV, captions with pronouns",
        "PororoSV",
        None,
        "StoryGPT-V's",
        None,
        (
            Published("StoryDALL-E", 40.39, _GPTV, 50.56, 21.03),
            Published("LDM", 28.98, _GPTV, 57.02, 27.81),
            Published("Story-LDM", 26.64, _GPTV, 57.56, 29.14),
            Published("StoryGPT-V", 19.56, _GPTV, 62.70, 36.06),
        ),
    ),
)


def differences(
    task: Task, protocols: Mapping[str, str], reference: str, given: int, pictures: set[int], well_known: str
) -> list[str]:
    """Why these FIDs cannot be compared with ours by protocol `paper`, as far as can be seen from outside.

    `protocols` say what each of ours depends on; weights that the field uses are among it as the hash `well_known`. `pictures`
    are the numbers that our sets hold.
    """
    found = ", ".join(f"{count:,}" for count in sorted(pictures))
    network = [] if "paper" in protocols else ["another network"]
    return [
        f"another data set, unless {reference} is {task.corpus}",
        *([] if task.chain == "paper" else ["another chain"]),
        *(network or ([] if well_known in protocols["paper"] else ["other weights"])),
        *([f"given pictures: {task.given} there, {given} here"] if task.given not in (None, given) else []),
        *([f"{task.pictures:,} pictures there, {found} here"] if task.pictures and pictures != {task.pictures} else []),
        "reference frames chosen at random there, given by you here",
    ]

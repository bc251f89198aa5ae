"""Figures that others published, with where they stand and how they were made, to be shown beside ours.

Only what was read at its source. No two groups measure FID alike (docs/evaluation.md, "Whose FID"), hence the chain of each row.
"""

from dataclasses import dataclass
from typing import Literal

Chain = Literal["paper", "storygpt-v"]

#: how the pictures came to the network; the first is our protocol `paper`
CHAINS: dict[Chain, str] = {
    "paper": "64 px, then 299; one random reference frame a clip",
    "storygpt-v": "299 px by ImageNet's mean and deviation, four frames a story",
}

#: pictures of a set, where the procedure tells their number
PICTURES = {"PororoSV continuation": 8832, "PororoSV visualization": 11040, "FlintstonesSV continuation": 9236}


@dataclass(frozen=True, slots=True)
class Published:
    """A row of somebody's table; `f1` and `accuracy` are those of characters and of frames, in per cent."""

    task: str
    method: str
    fid: float
    source: str
    f1: float | None = None
    accuracy: float | None = None
    chain: Chain = "paper"


_CONTINUED, _PICTURED = "PororoSV continuation", "PororoSV visualization"
_FLINTSTONES, _REFERRING = "FlintstonesSV continuation", "FlintstonesSV visualization, captions with pronouns"
_RETOLD = "PororoSV visualization, captions with pronouns"
_OURS, _GST, _CONTEXTUAL = "leaderboard of arXiv 2211.10950", "arXiv 2403.08502, Table 7", "leaderboard of arXiv 2407.09774"
_TABLE_2, _GPTV = "arXiv 2403.08502, Table 6", "StoryGPT-V, Tables 1-4"

PUBLISHED = (
    Published(_CONTINUED, "StoryDALL-E, fine-tuned", 25.90, _GST),
    Published(_CONTINUED, "MEGA-StoryDALL-E", 23.48, _GST),
    Published(_CONTINUED, "MaskGST", 43.31, _GST, 65.32, 37.38),
    Published(_CONTINUED, "AR-LDM", 17.40, _OURS),
    Published(_CONTINUED, "Causal-Story", 16.98, _GST),
    Published(_CONTINUED, "ACM-VSG", 15.36, _GST, 45.71, 22.62),
    Published(_CONTINUED, "ContextualStory", 14.20, _CONTEXTUAL),
    Published(_FLINTSTONES, "AR-LDM", 19.28, _OURS),
    Published(_FLINTSTONES, "ContextualStory", 16.33, _CONTEXTUAL),
    Published("VIST-SIS continuation", "AR-LDM", 16.95, _OURS),
    Published("VIST-DII continuation", "AR-LDM", 17.03, _OURS),
    Published(_PICTURED, "StoryGAN", 158.06, _TABLE_2, 18.59, 9.34),
    Published(_PICTURED, "CP-CSV", 140.24, _TABLE_2, 21.78, 10.03),
    Published(_PICTURED, "DuCo-StoryGAN", 96.51, _TABLE_2, 38.01, 13.97),
    Published(_PICTURED, "VLC-StoryGAN", 84.96, _TABLE_2, 43.02, 17.36),
    Published(_PICTURED, "VP-CSV", 65.51, _TABLE_2, 56.84, 25.87),
    Published(_PICTURED, "CMOTA", 52.13, _TABLE_2, 53.25, 24.72),
    Published(_PICTURED, "MaskGST", 42.86, _TABLE_2, 65.10, 37.50),
    Published(_PICTURED, "AR-LDM", 16.59, _OURS),
    Published(_PICTURED, "Causal-Story", 16.28, _TABLE_2),
    Published(_PICTURED, "ACM-VSG", 15.48, _TABLE_2),
    Published(_PICTURED, "ContextualStory", 14.07, _CONTEXTUAL),
    Published(_REFERRING, "StoryDALL-E", 44.66, _GPTV, 78.36, 61.83, "storygpt-v"),
    Published(_REFERRING, "LDM", 32.36, _GPTV, 87.54, 75.37, "storygpt-v"),
    Published(_REFERRING, "Story-LDM", 36.34, _GPTV, 88.26, 77.23, "storygpt-v"),
    Published(_REFERRING, "StoryGPT-V", 21.71, _GPTV, 94.17, 87.96, "storygpt-v"),
    Published(_RETOLD, "StoryDALL-E", 40.39, _GPTV, 50.56, 21.03, "storygpt-v"),
    Published(_RETOLD, "LDM", 28.98, _GPTV, 57.02, 27.81, "storygpt-v"),
    Published(_RETOLD, "Story-LDM", 26.64, _GPTV, 57.56, 29.14, "storygpt-v"),
    Published(_RETOLD, "StoryGPT-V", 19.56, _GPTV, 62.70, 36.06, "storygpt-v"),
)


def differences(row: Published, well_known: bool, pictures: set[int]) -> list[str]:
    """Why a published FID cannot be compared with ours by protocol `paper`, as far as can be seen from outside.

    `well_known`: are our weights those that the field uses? `pictures` are the sizes of our sets.
    """
    expected = PICTURES.get(row.task)
    found = ", ".join(f"{count:,}" for count in sorted(pictures))
    return [
        *([] if row.chain == "paper" else ["another chain"]),
        *([] if well_known else ["other weights"]),
        *([f"{expected:,} pictures there, {found} here"] if expected and pictures != {expected} else []),
    ]

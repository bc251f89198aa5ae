"""Training: one loop for everything that learns, and the runs of the recipes.

`arldm train RECIPE --out RUN` trains; the same command resumes.
"""

from arldm.train.loop import fit
from arldm.train.runs import run

__all__ = ["fit", "run"]

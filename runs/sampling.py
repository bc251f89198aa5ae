"""What sampler, number of steps and guidance cost and bring, on validation stories: a table in Markdown.

`python runs/sampling.py OUT [STORIES]` keeps each report in OUT and goes on where it was stopped.
"""

import json
import sys
from itertools import product
from pathlib import Path

from arldm.cli import main as arldm

SETTINGS = [
    *product(("ddim",), (20,), (1.0, 2.0, 3.0, 4.0)),
    *product(("ddim", "dpm++", "unipc"), (8, 12), (3.0,)),
    *product(("dpm++", "unipc"), (20,), (3.0,)),
    ("ddim", 50, 3.0),
]


def main(out: Path, stories: str) -> int:
    """Evaluate every setting, then print all of them."""
    rows = []
    for scheduler, steps, guidance in SETTINGS:
        report = out / f"{scheduler}-{steps}-{guidance}.json"
        options = ["--split", "val", "--stories", stories, "--scheduler", scheduler, "--steps", steps, "--guidance", guidance]
        if not report.exists() and (code := arldm(["evaluate", "toonsv", *map(str, options), "--json", str(report)])):
            return code
        found = json.loads(report.read_text())
        shares = [found["metrics"][name]["value"] for name in ("relevance", "consistency", "frame_accuracy")]
        figures = " | ".join(f"{share:.3f}" for share in shares)
        rows.append(f"| {scheduler} | {steps} | {guidance} | {figures} | {found['seconds_per_story']:.1f} |")
    print(
        "| sampler | steps | guidance | relevance | consistency | frame accuracy | seconds a story |",
        "|---|---|---|---|---|---|---|",
        sep="\n",
    )
    print("\n".join(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2] if sys.argv[2:] else "40"))

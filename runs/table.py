"""The table of the paper's claim in Markdown, from the reports that `runs/toonsv_table.sh` left: `python runs/table.py OUT`."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

METRICS = ("relevance", "consistency", "frame_accuracy", "character_f1")
HISTORIES = ("none", "captions", "pictures")


def reports(out: Path, history: str, given: int) -> list[dict[str, Any]]:
    """One for each seed of sampling."""
    return [json.loads(path.read_text()) for path in sorted(out.glob(f"{history}-given{given}-seed*.json"))]


def cell(found: list[dict[str, Any]], metric: str) -> str:
    """The mean of the seeds; in brackets the widest that their intervals reach."""
    measures = [report["metrics"][metric] for report in found]
    mean = sum(one["value"] for one in measures) / len(measures)
    return f"{mean:.3f} [{min(one['low'] for one in measures):.3f}, {max(one['high'] for one in measures):.3f}]"


def lines(out: Path) -> Iterator[str]:
    """The table, row by row."""
    yield "| history | given | " + " | ".join(metric.replace("_", " ") for metric in METRICS) + " | reader FID | seeds |"
    yield "|---" * (len(METRICS) + 4) + "|"
    for given in (0, 1):
        for history in HISTORIES:
            found = reports(out, history, given)
            if found:
                distance = sum(report["reader_fid"] for report in found) / len(found)
                row = " | ".join(cell(found, metric) for metric in METRICS)
                yield f"| {history} | {given} | {row} | {distance:.2f} | {len(found)} |"


def differences(out: Path) -> Iterator[str]:
    """By how much pictures are better than less of the past, the mean over seeds."""
    for given in (0, 1):
        means = {
            history: {name: sum(report["metrics"][name]["value"] for report in found) / len(found) for name in METRICS}
            for history in HISTORIES
            if (found := reports(out, history, given))
        }
        for less in ("captions", "none"):
            if {"pictures", less} <= means.keys():
                gained = (f"{name.replace('_', ' ')} {means['pictures'][name] - means[less][name]:+.3f}" for name in METRICS)
                yield f"given {given}, pictures minus {less}: {', '.join(gained)}"


if __name__ == "__main__":
    print("\n".join([*lines(Path(sys.argv[1])), "", *differences(Path(sys.argv[1]))]))

"""Curves of the embedded model, as reports, a table in Markdown and pictures: `python runs/curves.py OUT DOCS [STORIES]`.

By sampling steps and scheduler, by guidance, and by frame of stories of 50 frames (by training step: runs/training.py).
Reports and long stories stay in OUT; stopped, run again: it goes on. PRECISION may be set ("no" where bf16 does not pay:
docs/speed.md).
"""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import bootstrap

from arldm.cli import main as arldm
from arldm.config import TellConfig
from arldm.evaluate.consistency import consistency
from arldm.evaluate.measures import sums_by_story
from arldm.evaluate.reader import Reader
from arldm.model.arldm import ARLDM
from arldm.story import Frame, Story
from arldm.story_files import read_told
from arldm.toonsv import plot
from arldm.writing import put

STEPS = (4, 5, 8, 10, 20, 50, 100)  # which divide 1000: of others, diffusers' DDIM leaves some of the noise
SETTINGS = [
    *product(("ddim",), STEPS, (TellConfig().guidance,)),
    *product(("dpm++", "unipc"), STEPS[:-2], (TellConfig().guidance,)),
    *product(("ddim",), (TellConfig().steps,), (1.0, 1.5, 2.0, 3.0, 4.0)),
]
#: how many stories of 50 frames, and how far they look back; a model with the paper's absolute positions ends after five
LOOKS = {
    "window of 4": (40, "--memory", "4"),
    "memory of 8": (16, "--memory", "8"),
    "window of 4, first frame pinned": (16, "--memory", "4", "--pinned", "0"),
    "memory of 48": (40, "--memory", "48"),
}
FRAMES, EARLY, LATE = 50, range(1, 6), range(40, 50)  # counted from 0
SHOWN = ("relevance", "consistency")
PRECISION = os.environ.get("PRECISION", "bf16")


def report(path: Path, *options: object) -> dict[str, Any]:
    """A report by `arldm evaluate` with the processor seconds that it took, made unless it is there."""
    how = ["--precision", PRECISION, "--json", str(beside := path.with_suffix(".new"))]
    if not path.exists():
        before = time.process_time()
        if code := arldm(["evaluate", "toonsv", *map(str, options), *how]):
            raise SystemExit(code)
        put(path, json.dumps(json.loads(beside.read_text()) | {"processor_seconds": time.process_time() - before}).encode())
        beside.unlink()
    return json.loads(path.read_text())


def sampled(out: Path, stories: int) -> dict[tuple[str, int, float], dict[str, Any]]:
    """Validation stories in every setting of the sampler."""
    return {
        (scheduler, steps, guidance): report(
            out / f"{scheduler}-{steps}-{guidance}.json",
            *("--split", "val", "--stories", stories, "--scheduler", scheduler, "--steps", steps, "--guidance", guidance),
        )
        for scheduler, steps, guidance in dict.fromkeys(SETTINGS)
    }


def table(found: Mapping[tuple[str, int, float], dict[str, Any]], stories: int) -> str:
    """A row for each setting."""
    rows = [
        "| sampler | steps | guidance | relevance | consistency | frame accuracy | processor seconds a story |",
        "|---" * 7 + "|",
    ]
    for (scheduler, steps, guidance), one in found.items():
        shares = " | ".join(f"{one['metrics'][name]['value']:.3f}" for name in (*SHOWN, "frame_accuracy"))
        rows.append(f"| {scheduler} | {steps} | {guidance} | {shares} | {one['processor_seconds'] / stories:.1f} |")
    return "\n".join(rows)


def draw(path: Path, across: str, curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], log: bool = False) -> None:
    """Curves by name, each (x, share)."""
    figure = Figure((7, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, (x, y) in curves.items():
        axes.plot(x, y, marker="o", markersize=3, label=name)
    axes.set(xlabel=across, ylabel="share of facts", ylim=(None, 1.0), xscale="log" if log else "linear")
    if log:
        axes.set_xticks(STEPS, map(str, STEPS), minor=False)
        axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main(out: Path, docs: Path, stories: int) -> None:
    """Make all reports, print the table, draw the curves."""
    out /= f"{ARLDM.from_pretrained('toonsv').hash()}-{PRECISION}-{stories}"  # reports of other settings are none of these
    found = sampled(out, stories)
    print(table(found, stories))

    def of(metric: str, keys: Sequence[tuple[str, int, float]]) -> list[float]:
        return [found[key]["metrics"][metric]["value"] for key in keys]

    by_scheduler = {
        name: [key for key in found if key[0] == name and key[2] == TellConfig().guidance] for name in ("ddim", "dpm++", "unipc")
    }
    for keys in by_scheduler.values():
        keys.sort(key=lambda key: key[1])
    names = [(metric, name) for metric in SHOWN for name in by_scheduler]
    steps = {
        f"{metric}, {name}": ([key[1] for key in by_scheduler[name]], of(metric, by_scheduler[name])) for metric, name in names
    }
    draw(docs / "steps.png", "sampling steps", steps, log=True)
    guided = sorted((key for key in found if key[:2] == ("ddim", TellConfig().steps)), key=lambda key: key[2])
    draw(docs / "guidance.png", "guidance", {metric: ([key[2] for key in guided], of(metric, guided)) for metric in SHOWN})
    by_frame = {}
    for name, (count, *look) in LOOKS.items():
        kept = out / f"long-{name.replace(' ', '-')}"
        one = report(kept.with_suffix(".json"), "--frames", FRAMES, "--stories", count, "--keep", kept, *look)
        by_frame[name] = smooth({int(frame): measure["value"] for frame, measure in one["by_frame"]["consistency"].items()})
        print(f"{name}: {fall(kept, count)}")
    draw(docs / "frames.png", "frame of the story (mean of five)", by_frame)


def fall(kept: Path, stories: int) -> str:
    """Consistency of told stories' early and late frames, and by how much it falls, with a bootstrap over stories."""
    reader, true = Reader.from_pretrained("toonsv"), []
    for number in range(stories):
        frames = (Frame(shot.caption, None, (), None, shot.facts) for shot in plot("test", number, FRAMES))
        true.append(Story(f"test-{number:06d}", tuple(frames)))
    readings = [reader.read(read_told(kept / f"{number:05}").pictures) for number in range(stories)]
    tallies = list(consistency(true, readings))  # looked through twice
    parts = (sums_by_story([tally for tally in tallies if tally.frame in frames]) for frames in (EARLY, LATE))
    sums = [row for part in parts for row in np.stack([part[story] for story in range(stories)], axis=1)]  # each won, held

    def fallen(early: np.ndarray, asked: np.ndarray, late: np.ndarray, later: np.ndarray, axis: int = -1) -> np.ndarray:
        return early.sum(axis) / asked.sum(axis) - late.sum(axis) / later.sum(axis)

    ends = bootstrap(sums, fallen, paired=True, method="percentile", rng=np.random.default_rng(0)).confidence_interval
    early, late = (sums[k].sum() / sums[k + 1].sum() for k in (0, 2))
    return f"frames 2-6 {early:.3f}, frames 41-50 {late:.3f}, a fall of {early - late:.3f} [{ends.low:.3f}, {ends.high:.3f}]"


def smooth(shares: Mapping[int, float], width: int = 5) -> tuple[list[float], list[float]]:
    """Frames counted from 1, each share the mean of the frames around it."""
    near = {t: [shares[k] for k in range(t - width // 2, t + width // 2 + 1) if k in shares] for t in shares}
    return [t + 1 for t in near], [sum(some) / len(some) for some in near.values()]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 40)

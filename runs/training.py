"""The log of a training of the embedded model, as docs/training.md and a picture: `python runs/training.py RUN DOCS`.

RUN is the folder that `runs/toonsv.sh` trained in (its OUT), or docs/training, where the logs of the model that ships are kept.
"""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

STAGES = {  # in the order of runs/toonsv.sh, which numbers them from 1
    "autoencoder": "autoencoder",
    "encoders": "text and picture encoders",
    "context": "context: what joins caption and history",
    "pictures": "U-Net",
    "doubt": "context: how likely each answer is",
    "details": "U-Net: faces, hats, props",
    "hats": "U-Net: colours of hats and props",
    "things": "U-Net: props in the hand",
    "scenes": "U-Net: crowds and props in any hand",
    "decoder": "decoder and its finish",
    "enlarger": "page enlarger",
}
DENOISER = ("pictures", "details", "hats", "things", "scenes")  # stages with previews
LESSONS = ("encoders", "context", "doubt")
SMOOTH = 50  # steps
COLUMNS = 4
TOLD = """
## What the encoders tell

Share of right answers on validation stories by the heads of the lessons: "seen" of a past picture, "past" of what was read of it,
"to draw" of what the U-Net will be told, with all history, with captions alone, with none.

{}
"""
MEASURES = ("relevance", "consistency", "frame_accuracy", "character_f1")


def rows(run: Path) -> list[dict[str, Any]]:
    """The steps of one stage."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def logged(run: Path, names: Iterable[str] = STAGES) -> list[str]:
    """The stages that have been begun."""
    return [name for name in names if (run / name / "metrics.jsonl").exists()]


def machine(run: Path) -> str:
    """What RUN/machine.txt says of where it was trained; without one, it was here, on what /proc/cpuinfo calls the processor."""
    if told := note(run, "machine"):
        return told
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown")
    return f"One machine: {name}, {os.cpu_count()} cores, no GPU, torch {torch.__version__}."


def note(run: Path, name: str) -> str:
    """What was written beside the logs by hand, or nothing."""
    return path.read_text().strip() if (path := run / f"{name}.txt").exists() else ""


def title(name: str) -> str:
    """A stage with its number in runs/toonsv.sh."""
    return f"{list(STAGES).index(name) + 1}. {STAGES[name]}"


def stages(run: Path) -> str:
    """A row for each stage."""
    table = ["| stage | steps | hours | loss of the first and the last 50 steps |", "|---|---|---|---|"]
    total = 0.0
    for name in logged(run):
        found = rows(run / name)
        hours = sum(row["seconds"] for row in found) / 3600
        total += hours
        losses = [row["loss"] for row in found]
        table.append(f"| {title(name)} | {len(found):,} | {hours:.2f} | {np.mean(losses[:50]):.4f}, {np.mean(losses[-50:]):.4f} |")
    return "\n".join([*table, f"| in all | | {total:.2f} | |"])


def lessons(run: Path) -> str:
    """What the encoders can tell after each of their lessons."""
    found = {
        f"{name}: {asked}": shares
        for name in logged(run, LESSONS)
        for asked, shares in json.loads((run / name / "accuracy.json").read_text()).items()
        if name == "encoders" or asked.startswith("to draw")
    }
    facts = list(dict.fromkeys(fact for shares in found.values() for fact in shares))
    table = ["| | " + " | ".join(facts) + " |", "|---" * (len(facts) + 1) + "|"]
    for name, shares in found.items():
        table.append(f"| {name} | " + " | ".join(f"{shares[fact]:.3f}" if fact in shares else "" for fact in facts) + " |")
    return "\n".join(table)


def previews(run: Path) -> dict[int, dict[str, float]]:
    """What the previews were worth, by step of the U-Net, counted on from stage to stage."""
    found, before = {}, 0
    for name in logged(run, DENOISER):
        for path in sorted((run / name / "samples").glob("*.json")):
            found[before + int(path.stem)] = json.loads(path.read_text())
        before += len(rows(run / name))
    return found


def draw(run: Path, path: Path) -> None:
    """Losses by step, and quality by step in what is left of the last row."""
    names = [*logged(run), "quality"]
    names += ["quality"] * (-len(names) % COLUMNS)
    figure = Figure((11, 3 * len(names) // COLUMNS), layout="constrained")
    places = figure.subplot_mosaic(np.reshape(names, (-1, COLUMNS)).tolist())
    for name, axes in places.items():
        if name == "quality":
            draw_quality(run, axes)
        else:
            losses = np.array([row["loss"] for row in rows(run / name)])
            smooth = np.convolve(losses, np.ones(SMOOTH) / SMOOTH, "valid")
            axes.plot(np.arange(len(smooth)) + SMOOTH, smooth, linewidth=0.8)
            axes.set_title(title(name), fontsize=8)
            axes.set_xlabel("step of the stage", fontsize=8)
            axes.set_ylabel(f"loss, mean of {SMOOTH} steps", fontsize=8)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def draw_quality(run: Path, axes: Axes) -> None:
    """Measures by step of the U-Net; where they are all 1, rings show that one lies on the other."""
    found = previews(run)
    for size, measure in zip((8, 6, 4, 2), MEASURES[::-1], strict=True):
        values = [one[measure] for one in found.values()]
        axes.plot(list(found), values, marker="o", markersize=size, linewidth=1, label=measure.replace("_", " "))
    axes.set_ylim(None, 1.01)
    axes.legend(fontsize=7)
    axes.set_title("quality of 8 validation stories", fontsize=8)
    axes.set_xlabel("step of the U-Net", fontsize=8)
    axes.set_ylabel("share of facts or frames; F1", fontsize=8)


def main(run: Path, docs: Path) -> None:
    """Write the page and its picture."""
    draw(run, docs / "training.png")
    quality = ["| step | " + " | ".join(name.replace("_", " ") for name in MEASURES) + " |", "|---" * (len(MEASURES) + 1) + "|"]
    quality += [
        f"| {step:,} | " + " | ".join(f"{one[name]:.3f}" for name in MEASURES) + " |" for step, one in previews(run).items()
    ]
    told = TOLD.format(lessons(run)) if logged(run, LESSONS) else ""
    (docs / "training.md").write_text(f"""# How the embedded model was trained

By `runs/toonsv.sh`, whose numbers the stages have; this page by `python runs/training.py {run} {docs}`.

{machine(run)} Hours are those of the steps;
rendering ToonSV, encoding it and drawing previews come on top.

{stages(run)}

![Losses and quality by step](training.png)

## Quality by step of the U-Net

{chr(10).join(quality)}

Eight validation stories, few sampling steps: quick and rough. The figures that count are in [evaluation.md](evaluation.md).
{note(run, "previews")}
{told}""")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

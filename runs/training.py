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
from matplotlib.figure import Figure

STAGES = {
    "autoencoder": "pictures <-> latents",
    "encoders": "the encoders' lesson",
    "context": "the context's lesson",
    "pictures": "AR-LDM's U-Net",
    "doubt": "the context's lesson in doubt",
    "details": "the U-Net learns what is small",
    "hats": "the U-Net learns colours of hats",
    "things": "the U-Net learns what is held",
    "scenes": "the U-Net learns crowds",
    "decoder": "the decoder and its finish",
    "enlarger": "pages",
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
MISSING = " Stages without a row have lost their logs with their machine; what was measured of them stands in [log.md](log.md)."
MEASURES = ("relevance", "consistency", "frame_accuracy", "character_f1")


def rows(run: Path) -> list[dict[str, Any]]:
    """The steps of one stage."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def logged(run: Path, names: Iterable[str] = STAGES) -> list[str]:
    """The stages that left a log."""
    return [name for name in names if (run / name / "metrics.jsonl").exists()]


def machine(run: Path) -> str:
    """What RUN/machine.txt says of where it was trained; without one, it was here, on what /proc/cpuinfo calls the processor."""
    if (told := run / "machine.txt").exists():
        return told.read_text().strip()
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown")
    return f"One machine: {name}, {os.cpu_count()} cores, no GPU, torch {torch.__version__}."


def stages(run: Path) -> str:
    """A row for each stage."""
    table = ["| stage | steps | hours | loss of the first and the last 50 steps |", "|---|---|---|---|"]
    total = 0.0
    for name in logged(run):
        found = rows(run / name)
        hours = sum(row["seconds"] for row in found) / 3600
        total += hours
        losses = [row["loss"] for row in found]
        table.append(f"| {STAGES[name]} | {len(found):,} | {hours:.2f} | {np.mean(losses[:50]):.4f}, {np.mean(losses[-50:]):.4f} |")
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
    """Losses by step, and quality by step."""
    names = [*logged(run), "quality"]
    figure = Figure((11, 3 * -(-len(names) // COLUMNS)), layout="constrained")
    places = figure.subplots(-(-len(names) // COLUMNS), COLUMNS, squeeze=False).flatten()
    for empty in places[len(names) :]:
        empty.remove()
    for axes, name in zip(places, names, strict=False):
        if name == "quality":
            found = previews(run)
            for measure in MEASURES:
                axes.plot(
                    list(found), [one[measure] for one in found.values()], marker="o", markersize=3, label=measure.replace("_", " ")
                )
            axes.legend(fontsize=7)
            axes.set_ylim(None, 1)
        else:
            losses = np.array([row["loss"] for row in rows(run / name)])
            smooth = np.convolve(losses, np.ones(SMOOTH) / SMOOTH, "valid")
            axes.plot(np.arange(len(smooth)) + SMOOTH, smooth)
            axes.set_yscale("log")
        axes.set_title(STAGES.get(name, "8 validation stories, 10 steps"), fontsize=9)
        axes.set_xlabel("step", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main(run: Path, docs: Path) -> None:
    """Write the page and its picture."""
    draw(run, docs / "training.png")
    quality = ["| step | " + " | ".join(name.replace("_", " ") for name in MEASURES) + " |", "|---" * (len(MEASURES) + 1) + "|"]
    quality += [
        f"| {step:,} | " + " | ".join(f"{one[name]:.3f}" for name in MEASURES) + " |" for step, one in previews(run).items()
    ]
    told = TOLD.format(lessons(run)) if logged(run, LESSONS) else ""
    (docs / "training.md").write_text(f"""# How the embedded model was trained

By `runs/toonsv.sh`; this page by `python runs/training.py {run} {docs}`.{MISSING if len(logged(run)) < len(STAGES) else ""}

{machine(run)} Hours are those of the steps;
rendering ToonSV, encoding it and drawing previews come on top.

{stages(run)}

![Losses and quality by step](training.png)

## Quality by step of the U-Net, over the stages above

{chr(10).join(quality)}

Eight validation stories, ten sampling steps: quick and rough. The figures that count are in [evaluation.md](evaluation.md).
{told}""")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""New characters, measured: `python runs/adaptation.py OUT [PART] [MODES ..]`. Stopped, run again: it goes on.

PART  alone      (the default) each of the three characters that training never holds is learned from five sets of five pictures by
                 `arldm adapt`, in a process of its own, then plays the lead in test stories; and the old cast plays
      strangers  three strangers whom captions call by words that change, as in the paper's Figure 7
      together   two of the packs of `alone` in one story
      curves     mode full by epochs and by learning rate, one set of pictures; draws OUT/curves.png
      table      what was found
MODES full, lora, token, pin and none. SETS, STORIES and KEEP (what --keep-old gets) may be set.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, islice
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from arldm.adapt.recipes import ADAPTATION_TOONSV, EPOCHS_TOONSV
from arldm.config import TellConfig
from arldm.evaluate.consistency import frame_accuracy, relevance
from arldm.evaluate.measures import measure
from arldm.evaluate.reader import Reader
from arldm.model.arldm import ARLDM
from arldm.sample import tell_batch
from arldm.story import Story
from arldm.story_files import encoded
from arldm.toonsv import painted, story
from arldm.toonsv.cast import Key, Look
from arldm.toonsv.plot import Shot
from arldm.toonsv.recast import CALLED, STRANGER, called_by_many, portraits, portraits_called, starring
from arldm.writing import put

LIKE = {"pako": "bromm", "vesna": "fenna", "rumo": "tilo"}
SETS, STORIES = int(os.environ.get("SETS", "5")), int(os.environ.get("STORIES", "40"))
KEEP = os.environ.get("KEEP", "toonsv")
MODES = ["none", "pin", "token", "lora", "full"]
LOOKS = (Look("purple", "topper", "white", "tan"), Look("red", "beanie", "blue", "brown"), Look("green", "cap", "yellow", "pale"))
HOW = TellConfig(precision="bf16")
BATCH = 8
EPOCHS = (30, 100, 300, EPOCHS_TOONSV, 2000)
RATES = (1e-5, 5e-5, ADAPTATION_TOONSV["full"].learning_rate, 1e-3)


def write_pictures(folder: Path, shots: list[Shot]) -> None:
    """A set of pictures as a user would have it."""
    for number, frame in enumerate(painted(shots, "pictures").frames):
        assert frame.picture is not None
        put(folder / f"{number}.png", encoded(frame.picture))
    lines = [json.dumps({"file_name": f"{number}.png", "text": shot.caption}) for number, shot in enumerate(shots)]
    put(folder / "metadata.jsonl", ("\n".join(lines) + "\n").encode())


def adapted(folder: Path, names: Sequence[str], like: str, mode: str, *more: str) -> dict[str, float]:
    """Make the pack; minutes and GiB that it took, bytes that it has."""
    command = [str(Path(sys.executable).with_name("arldm")), "adapt", "toonsv", "--pictures", str(folder / "pictures")]
    options = ["--name", *names, "--like", like, "--out", str(folder / mode), "--mode", mode.partition("-")[0], *more]
    started = time.monotonic()
    child = subprocess.Popen([*command, *options, *(["--keep-old", KEEP] if KEEP else [])])
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(os.waitstatus_to_exitcode(status))
    size = sum(path.stat().st_size for path in (folder / mode).rglob("*") if path.suffix == ".safetensors")
    return {"minutes": (time.monotonic() - started) / 60, "peak_gib": usage.ru_maxrss / 2**20, "bytes": size}


def told(model: ARLDM, truths: Sequence[Story], given: int) -> list[list[Any]]:
    """The pictures of stories that are told from their captions, and maybe their first pictures."""
    found = []
    for first in range(0, len(truths), BATCH):
        rows = list(tell_batch(model, [truth.untold(given) for truth in truths[first : first + BATCH]], HOW))
        found += [[row[k].picture for row in rows] for k in range(len(rows[0]))]
    return found


def read(model: ARLDM, truths: Sequence[Story], reader: Reader, given: int = 0) -> list[list[dict[Key, str]]]:
    """What the reader sees in them."""
    pictures = told(model, truths, given)
    flat = reader.read([picture for row in pictures for picture in row])
    return [list(flat[first : first + len(truths[0].frames)]) for first in range(0, len(flat), len(truths[0].frames))]


def identity(name: str, truths: Sequence[Story], readings: Sequence[Sequence[dict[Key, str]]], known: set[tuple[str, str]]) -> dict:
    """In how many frames that should show the character it is seen, of all and of those that its pictures never were like."""
    key, hits, new = Key(name, "present"), [], []
    for truth, read in zip(truths, readings, strict=True):
        for frame, seen in zip(truth.frames, read, strict=True):
            facts = {Key(fact.entity, fact.attribute): fact.value for fact in frame.facts}
            if key in facts:
                hits.append(seen.get(key) == "yes")
                like = (facts[Key("scene", "kind")], facts[Key(name, "action")])
                if like not in known:
                    new.append(hits[-1] and all(seen.get(k) == facts[k] for k in (Key("scene", "kind"), Key(name, "action"))))
    return {"identity": sum(hits) / len(hits), "frames": len(hits), "not_copied": sum(new) / len(new), "new_frames": len(new)}


def scores(model: ARLDM, name: str, draw: int, reader: Reader) -> dict[str, Any]:
    """Identity, relevance of all else, and how well the old cast is still known."""
    truths = [painted(shots, f"{name}-{index}") for index, shots in islice(starring("test", (name,)), STORIES)]
    readings = read(model, truths, reader)
    known = {(shot.scene.place.kind, shot.scene.figures[0].action) for shot in portraits(name, draw)}
    others = [row for row in relevance(truths, readings) if row.attribute != "present"]
    old = [story("test", number) for number in range(STORIES)]
    old_readings = read(model, old, reader)
    return {
        **identity(name, truths, readings, known),
        "relevance": measure(others).value,
        "old_frame_accuracy": measure(list(frame_accuracy(old, old_readings))).value,
        "old_relevance": measure([row for row in relevance(old, old_readings) if row.attribute != "present"]).value,
    }


def alone(out: Path, modes: Sequence[str]) -> Iterator[str]:
    """Whatever is not there yet, set by set; what was found, line by line."""
    reader = Reader.from_pretrained("toonsv")
    for draw in range(SETS):
        for name in LIKE:
            folder = pictured(out, name, draw)
            for mode in modes:
                yield from found(
                    folder, mode, lambda name=name, draw=draw, folder=folder, mode=mode: measured(name, draw, folder, mode, reader)
                )


def pictured(out: Path, name: str, draw: int) -> Path:
    """The folder of a set of pictures, written unless it is there."""
    folder = out / f"{name}-{draw}"
    if not (folder / "pictures" / "metadata.jsonl").exists():
        write_pictures(folder / "pictures", portraits(name, draw))
    return folder


def found(folder: Path, called: str, measure_it: Callable[[], dict[str, Any]]) -> Iterator[str]:
    """A report, made unless it is there, as a line."""
    report = folder / f"{called}.json"
    if not report.exists():
        put(report, (json.dumps(measure_it(), indent=1) + "\n").encode())
        yield f"{folder.name} {called}: {json.dumps(json.loads(report.read_text()))}"


def measured(name: str, draw: int, folder: Path, mode: str, reader: Reader, *more: str) -> dict[str, Any]:
    """The figures of one set of pictures, learned in one mode."""
    model, taken = learned(folder, (name,), LIKE[name], mode, *more)
    return scores(model, name, draw, reader) | taken


def learned(folder: Path, names: Sequence[str], like: str, mode: str, *more: str) -> tuple[ARLDM, dict[str, float]]:
    """The model with the pack of a folder, made unless it is there; what making it took."""
    taken = {} if mode == "none" or (folder / mode).exists() else adapted(folder, names, like, mode, *more)
    model = ARLDM.from_pretrained("toonsv")
    if mode != "none":
        model.load_pack(folder / mode)
    return model, taken


def together(out: Path, modes: Sequence[str]) -> Iterator[str]:
    """Two packs at once: in how many of the frames that should show both characters are both seen?"""
    reader = Reader.from_pretrained("toonsv")
    for draw in range(SETS):
        for names in combinations(LIKE, 2):
            folder = out / f"{'-and-'.join(names)}-{draw}"
            for mode in modes:
                packs = [out / f"{name}-{draw}" / mode for name in names]
                if all(map(Path.exists, packs)):
                    yield from found(folder, mode, lambda names=names, packs=packs: both(names, packs, reader))


def both(names: tuple[str, ...], packs: Sequence[Path], reader: Reader) -> dict[str, Any]:
    """The share, and of how many frames it is one."""
    model = ARLDM.from_pretrained("toonsv")
    for pack in packs:
        model.load_pack(pack)
    truths = [painted(shots, f"{'-'.join(names)}-{index}") for index, shots in islice(starring("test", names), STORIES)]
    keys, hits = {Key(name, "present") for name in names}, []
    for truth, seen in zip(truths, read(model, truths, reader), strict=True):
        for frame, reading in zip(truth.frames, seen, strict=True):
            if keys <= {Key(fact.entity, fact.attribute) for fact in frame.facts}:
                hits.append(all(reading.get(key) == "yes" for key in keys))
    return {"both": sum(hits) / len(hits), "frames_of_both": len(hits)}


def curves(out: Path, _: Sequence[str]) -> Iterator[str]:
    """Identity, and what is kept of the old cast, by epochs at the usual learning rate and by learning rate at the usual epochs."""
    reader, name = Reader.from_pretrained("toonsv"), next(iter(LIKE))
    folder = pictured(out, name, 0)
    epochs = {number: ("full" if number == EPOCHS_TOONSV else f"full-{number}-epochs") for number in EPOCHS}
    rates = {rate: ("full" if rate == ADAPTATION_TOONSV["full"].learning_rate else f"full-rate-{rate:g}") for rate in RATES}
    asked = {called: ("--epochs", str(number)) for number, called in epochs.items()}
    asked |= {called: ("--learning-rate", f"{rate:g}") for rate, called in rates.items()}
    for called, more in asked.items():
        yield from found(folder, called, lambda called=called, more=more: measured(name, 0, folder, called, reader, *more))
    figure = Figure((9, 3.6), layout="constrained")
    for axes, across, reports in zip(figure.subplots(1, 2), ("epochs", "learning rate"), (epochs, rates), strict=True):
        for metric in ("identity", "relevance", "old_frame_accuracy"):
            values = [json.loads((folder / f"{called}.json").read_text())[metric] for called in reports.values()]
            axes.plot(list(reports), values, marker="o", markersize=3, label=metric.replace("_", " "))
        axes.set(xlabel=across, ylim=(0, 1), xscale="log")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(out / "curves.png", dpi=110)
    yield str(out / "curves.png")


def one_person(truths: Sequence[Story], readings: Sequence[Sequence[dict[Key, str]]]) -> float:
    """The share of stories in which the stranger has one coat, hat and skin in all frames that should show him, and is there."""
    kept = []
    for truth, seen in zip(truths, readings, strict=True):
        there = [t for t, frame in enumerate(truth.frames) if any(fact.entity == STRANGER for fact in frame.facts)]
        looks = [tuple(seen[t].get(Key(STRANGER, name)) for name in ("coat", "hat", "hat_colour", "skin")) for t in there]
        kept.append(len(set(looks)) == 1 and looks[0][0] is not None)
    return sum(kept) / len(kept)


def strangers(out: Path, modes: Sequence[str]) -> Iterator[str]:
    """Continuation: the first picture is given, the stranger in it is called by words that change; before and after adaptation."""
    reader = Reader.from_pretrained("toonsv")
    for number, look in enumerate(LOOKS):
        folder = out / f"stranger-{number}"
        if not (folder / "pictures" / "metadata.jsonl").exists():
            write_pictures(folder / "pictures", portraits_called(look))
        truths = [painted(shots, f"called-{index}") for index, shots in islice(called_by_many("test", look), STORIES)]
        for mode in modes:
            yield from found(folder, mode, lambda folder=folder, mode=mode, truths=truths: recognised(folder, mode, truths, reader))


def recognised(folder: Path, mode: str, truths: Sequence[Story], reader: Reader) -> dict[str, Any]:
    """The share of stories in which the stranger stays one person."""
    model, taken = learned(folder, [words.split()[1] for words in CALLED], STRANGER, mode)
    return {"one_person": one_person(truths, read(model, truths, reader, given=1)), **taken}


def table(out: Path) -> Iterator[str]:
    """Means over characters and sets, in Markdown."""
    columns = (
        "one_person",
        "both",
        "identity",
        "not_copied",
        "relevance",
        "old_relevance",
        "old_frame_accuracy",
        "minutes",
        "peak_gib",
        "bytes",
    )
    yield "| mode | runs | " + " | ".join(name.replace("_", " ") for name in columns) + " |"
    yield "|---" * (len(columns) + 2) + "|"
    for mode in MODES:
        found = [json.loads(path.read_text()) for path in sorted(out.glob(f"*/{mode}.json"))]
        if found:
            means = [[one[name] for one in found if name in one] for name in columns]
            cells = [f"{sum(values) / len(values):,.3f}" if values else "" for values in means]
            yield f"| {mode} | {len(found)} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    parts = {"alone": alone, "strangers": strangers, "together": together, "curves": curves, "table": lambda out, _: table(out)}
    place, *asked = sys.argv[1:]
    part = parts[asked.pop(0)] if asked and asked[0] in parts else alone
    for line in part(Path(place), asked or MODES):
        print(line, flush=True)

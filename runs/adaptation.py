"""New characters, measured: `python runs/adaptation.py OUT [MODES ..]`, of full, lora, token, pin and none. Stopped, run again.

Each of the three characters that training never holds is learned from five sets of five pictures, one set and mode after the
other, by `arldm adapt` in a process of its own; then stories of the test split are told in which it plays the lead, and stories of
the old cast. `python runs/adaptation.py OUT strangers [MODES ..]` does the same for three strangers whom captions call by words
that change, as in the paper's Figure 7. `python runs/adaptation.py OUT table` prints what was found. SETS, STORIES and KEEP (what
--keep-old gets) may be set.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from arldm.config import TellConfig
from arldm.evaluate.consistency import frame_accuracy, measure, relevance
from arldm.evaluate.reader import Reader
from arldm.model.arldm import ARLDM
from arldm.sample import tell_batch
from arldm.story import Story
from arldm.story_files import encoded, put
from arldm.toonsv import painted, story
from arldm.toonsv.cast import CAST, Key, Look
from arldm.toonsv.plot import Shot
from arldm.toonsv.recast import CALLED, STRANGER, called_by_many, portraits, portraits_called, starring

LIKE = {"pako": "bromm", "vesna": "fenna", "rumo": "tilo"}
SETS, STORIES = int(os.environ.get("SETS", "5")), int(os.environ.get("STORIES", "40"))
KEEP = os.environ.get("KEEP", "toonsv")
MODES = ["none", "pin", "token", "lora", "full"]
LOOKS = (Look("purple", "topper", "white", "tan"), Look("red", "beanie", "blue", "brown"), Look("green", "cap", "yellow", "pale"))
HOW = TellConfig(steps=20)
BATCH = 8


def write_pictures(folder: Path, shots: list[Shot]) -> None:
    """A set of pictures as a user would have it."""
    for number, frame in enumerate(painted(shots, "pictures").frames):
        assert frame.picture is not None
        put(folder / f"{number}.png", encoded(frame.picture))
    lines = [json.dumps({"file_name": f"{number}.png", "text": shot.caption}) for number, shot in enumerate(shots)]
    put(folder / "metadata.jsonl", ("\n".join(lines) + "\n").encode())


def adapted(folder: Path, names: Sequence[str], like: str, mode: str) -> dict[str, float]:
    """Make the pack; minutes and GiB that it took."""
    command = [str(Path(sys.executable).with_name("arldm")), "adapt", "toonsv", "--pictures", str(folder / "pictures")]
    options = ["--name", *names, "--like", like, "--out", str(folder / mode), "--mode", mode]
    started = time.monotonic()
    subprocess.run([*command, *options, *(["--keep-old", KEEP] if KEEP else [])], check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    size = sum(path.stat().st_size for path in (folder / mode).rglob("*") if path.suffix == ".safetensors")
    return {"minutes": (time.monotonic() - started) / 60, "peak_gib": peak, "bytes": size}


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


def work(out: Path, modes: Sequence[str]) -> Iterator[str]:
    """Whatever is not there yet, character by character; what was found, line by line."""
    reader = Reader.from_pretrained("toonsv")
    for name in (character.name for character in CAST if character.held_out):
        for draw in range(SETS):
            folder = out / f"{name}-{draw}"
            if not (folder / "pictures" / "metadata.jsonl").exists():
                write_pictures(folder / "pictures", portraits(name, draw))
            for mode in modes:
                report = folder / f"{mode}.json"
                if report.exists():
                    continue
                taken = {} if mode == "none" or (folder / mode).exists() else adapted(folder, (name,), LIKE[name], mode)
                model = ARLDM.from_pretrained("toonsv")
                if mode != "none":
                    model.load_pack(folder / mode)
                found = scores(model, name, draw, reader) | taken
                put(report, (json.dumps(found, indent=1) + "\n").encode())
                yield f"{name} {draw} {mode}: {json.dumps(found)}"


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
            report = folder / f"{mode}.json"
            if report.exists():
                continue
            taken = {}
            if mode != "none" and not (folder / mode).exists():
                taken = adapted(folder, [words.split()[1] for words in CALLED], STRANGER, mode)
            model = ARLDM.from_pretrained("toonsv")
            if mode != "none":
                model.load_pack(folder / mode)
            found = {"one_person": one_person(truths, read(model, truths, reader, given=1)), **taken}
            put(report, (json.dumps(found, indent=1) + "\n").encode())
            yield f"stranger {number} {mode}: {json.dumps(found)}"


def table(out: Path) -> Iterator[str]:
    """Means over characters and sets, in Markdown."""
    columns = (
        "one_person",
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
    place, asked = Path(sys.argv[1]), sys.argv[2:]
    what = {"table": lambda: table(place), "strangers": lambda: strangers(place, asked[1:] or MODES)}.get((asked or [""])[0])
    for line in what() if what else work(place, asked or MODES):
        print(line, flush=True)

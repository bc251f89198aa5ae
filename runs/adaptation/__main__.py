"""New characters, measured: `python runs/adaptation OUT [PART] [MODES ..]`. Stopped, run again: it goes on.

PART  alone      (the default) each of the three characters that training never holds is learned from five sets of five pictures by
                 `arldm adapt`, in a process of its own, then plays the lead in test stories; and the old cast plays
      forgetting modes full and lora without old stories, one set of pictures
      strangers  three strangers whom captions call by words that change, as in the paper's Figure 7
      figure     the first of these stories, as it should be, before and after adaptation by the last mode; draws OUT/stranger.webp
      together   two of the packs of `alone` in one story
      curves     mode full by epochs and by learning rate, one set of pictures; draws OUT/curves.png
      table      what was found, as docs/new-characters.md has it
MODES full, lora, token, pin and none. SETS, STORIES, PRECISION (bf16 where it pays) may be set. With OMP_NUM_THREADS set, for two
at a time that do more than one on two cores, minutes are not told.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import figures
from matplotlib.figure import Figure
from packs import learned, pictured
from scores import HOW, before_recasting, both, measured, of_old, one_person, scores

from arldm.adapt.recipes import ADAPTATION_TOONSV, EPOCHS_TOONSV
from arldm.model.arldm import ARLDM
from arldm.model.widening import add_words
from arldm.pictures import encoded, grid
from arldm.sample import tell
from arldm.story import Story
from arldm.toonsv import painted
from arldm.toonsv.cast import Look
from arldm.toonsv.recast import CALLED, STRANGER, called_by_many, portraits, portraits_called
from arldm.writing import put, put_json

LIKE = {"pako": "bromm", "vesna": "fenna", "rumo": "tilo"}
SETS = range(5, 5 + int(os.environ.get("SETS", "5")))  # of pictures: by those before, the recipe was chosen
MODES = ["none", "pin", "token", "lora", "full"]
MOVING = ("lora", "full")  # modes that move what the old cast is told with
LOOKS = (Look("blue", "cap", "yellow", "brown"), Look("yellow", "topper", "red", "pale"), Look("white", "beanie", "green", "tan"))
EPOCHS = (10, 30, 100, 300, EPOCHS_TOONSV["full"])
RATES = (1e-5, 1e-4, 3e-4, ADAPTATION_TOONSV["full"].learning_rate, 3e-3)
WORDS = [called.split()[1] for called in CALLED]  # of the strangers
KEEPING = ("--keep-old", "toonsv")


def found(folder: Path, called: str, measure_it: Callable[[], dict[str, Any]]) -> Iterator[str]:
    """A report, made unless it is there, as a line."""
    report = folder / f"{called}.json"
    if not report.exists():
        put_json(report, measure_it())
        yield f"{folder.name} {called}: {json.dumps(json.loads(report.read_text()))}"


def learned_alone(out: Path, name: str, draw: int, called: str, *more: str) -> Iterator[str]:
    """The figures of one set of pictures, learned in one way."""
    folder = pictured(out / f"{name}-{draw}", portraits(name, draw))

    def figures() -> dict[str, Any]:
        model, taken = learned(folder, (name,), LIKE[name], called, *more)
        of_others = of_old(model) if called.startswith((*MOVING, "none")) else {}  # no other mode moves what tells the old cast
        return scores(model, name, draw) | of_others | (before_recasting(name) if called == "none" else {}) | taken

    return found(folder, called, figures)


def alone(out: Path, modes: Sequence[str]) -> Iterator[str]:
    """Set by set."""
    for draw in SETS:
        for name in LIKE:
            for mode in modes:
                yield from learned_alone(out, name, draw, mode, *KEEPING)


def forgetting(out: Path, modes: Sequence[str]) -> Iterator[str]:
    """Without old stories."""
    for mode in modes:
        if mode in MOVING:
            yield from learned_alone(out, next(iter(LIKE)), SETS[0], f"{mode}-forgetting")


def together(out: Path, modes: Sequence[str]) -> Iterator[str]:
    """Two packs at once."""
    for draw in SETS:
        for names in combinations(LIKE, 2):
            for mode in modes:
                packs = [out / f"{name}-{draw}" / mode for name in names]
                if all(map(Path.exists, packs)):

                    def figures(names: tuple[str, ...] = names, packs: Sequence[Path] = packs) -> dict[str, Any]:
                        model = ARLDM.from_pretrained("toonsv")
                        for pack in packs:
                            model.load_pack(pack)
                        return both(model, names)

                    yield from found(out / f"{'-and-'.join(names)}-{draw}", mode, figures)


def strangers(out: Path, modes: Sequence[str]) -> Iterator[str]:
    """Continuation: the first picture is given, the stranger in it is called by words that change."""
    for number in range(len(LOOKS)):
        yield from stranger(out, number, modes)


def stranger(out: Path, number: int, modes: Sequence[str]) -> Iterator[str]:
    """One of them, before and after adaptation; and "named": nothing learned, but the words mean what "stranger" means."""
    folder, truths = pictured(out / f"stranger-{number}", portraits_called(LOOKS[number])), list(called(number))
    for mode in ("named", *modes):

        def figures(mode: str = mode) -> dict[str, Any]:
            model, taken = learned(folder, WORDS, STRANGER, "none" if mode == "named" else mode, *KEEPING)
            if mode == "named":
                add_words(model, WORDS, STRANGER)
            return one_person(model, truths) | taken

        yield from found(folder, mode, figures)


def called(number: int) -> Iterator[Story]:
    """The test stories in which captions call one of the strangers by words that change."""
    return (painted(shots, f"called-{index}") for index, shots in measured(called_by_many("test", LOOKS[number])))


def figure(out: Path, modes: Sequence[str]) -> Iterator[str]:
    """The paper's Figure 7: a story's first picture is given, and who is in it is "the visitor" and "that fellow" later on."""
    truth, folder = next(called(0)), pictured(out / "stranger-0", portraits_called(LOOKS[0]))
    yield from (frame.caption for frame in truth.frames)
    rows = [truth.frames]
    for mode in ("none", modes[-1]):
        model, _ = learned(folder, WORDS, STRANGER, mode, *KEEPING)
        rows.append(tuple(tell(model, truth.untold(1), HOW)))
    path = out / "stranger.webp"
    put(
        path,
        encoded(grid([frame.picture for row in rows for frame in row if frame.picture], len(truth.frames)), "WEBP", quality=85),
    )
    yield str(path)


def curves(out: Path, _: Sequence[str]) -> Iterator[str]:
    """Identity, and what is kept of the old cast, by epochs at the usual learning rate and by learning rate at the usual epochs."""
    name, usual = next(iter(LIKE)), ADAPTATION_TOONSV["full"].learning_rate
    epochs = {number: ("full" if number == EPOCHS_TOONSV["full"] else f"full-{number}-epochs") for number in EPOCHS}
    rates = {rate: ("full" if rate == usual else f"full-rate-{rate:g}") for rate in RATES}
    asked = {called: ("--epochs", str(number)) for number, called in epochs.items()}
    asked |= {called: ("--learning-rate", f"{rate:g}") for rate, called in rates.items()}
    for called, more in asked.items():
        yield from learned_alone(out, name, SETS[0], called, *KEEPING, *more)
    figure = Figure((9, 3.6), layout="constrained")
    for axes, across, reports in zip(figure.subplots(1, 2), ("epochs", "learning rate"), (epochs, rates), strict=True):
        for metric in ("identity", "relevance", "old_frame_accuracy"):
            values = [json.loads((out / f"{name}-{SETS[0]}" / f"{called}.json").read_text())[metric] for called in reports.values()]
            axes.plot(list(reports), values, marker="o", markersize=3, label=metric.replace("_", " "))
        axes.set(xlabel=across, ylim=(0, 1.02), xscale="log")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(out / "curves.png", dpi=110)
    yield str(out / "curves.png")


def table(out: Path, _: Sequence[str]) -> Iterator[str]:
    """The table of docs/new-characters.md."""
    return figures.table(out)


if __name__ == "__main__":
    parts = {part.__name__: part for part in (alone, forgetting, strangers, figure, together, curves, table)}
    place, *asked = sys.argv[1:]
    part = parts[asked.pop(0)] if asked and asked[0] in parts else alone
    for line in part(Path(place), asked or MODES):
        print(line, flush=True)

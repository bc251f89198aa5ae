"""What the reader sees in stories of new characters and of the old cast."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Any

from packs import PRECISION

from arldm.config import TellConfig
from arldm.evaluate.consistency import consistency, frame_accuracy, relevance
from arldm.evaluate.measures import measure
from arldm.evaluate.reader import Reader
from arldm.model.arldm import ARLDM
from arldm.sample import tell_batch
from arldm.story import Frame, Story
from arldm.toonsv import painted, story
from arldm.toonsv.cast import NAMES, PROPS, Key, truth
from arldm.toonsv.plot import Shot, plot
from arldm.toonsv.recast import STRANGER, portraits, starring
from arldm.train.step import settled

STORIES = int(os.environ.get("STORIES", "40"))
MEASURED = range(40, 40 + STORIES)  # of the test stories of each kind: by those before, the recipe was chosen
HOW = TellConfig(precision="bf16" if settled(PRECISION) == "bf16" else "no")
BATCH = 8

Reading = dict[Key, str]


def measured(stories: Iterable[tuple[int, list[Shot]]]) -> Iterator[tuple[int, list[Shot]]]:
    """Those of a kind that are measured."""
    return islice(stories, MEASURED.start, MEASURED.stop)


@cache
def reader() -> Reader:
    """The one that ships, read once."""
    return Reader.from_pretrained("toonsv")


def read(model: ARLDM, truths: Sequence[Story], given: int = 0) -> list[list[Reading]]:
    """What the reader sees in stories that are told from their captions, and maybe their first pictures."""
    pictures = []
    for first in range(0, len(truths), BATCH):
        rows = list(tell_batch(model, [truth.untold(given) for truth in truths[first : first + BATCH]], HOW))
        pictures += [row[k].picture for k in range(len(rows[0])) for row in rows]
    flat, frames = reader().read(pictures), len(truths[0].frames)
    return [list(flat[first : first + frames]) for first in range(0, len(flat), frames)]


def scores(model: ARLDM, name: str, draw: int) -> dict[str, Any]:
    """Identity; relevance of all else and consistency."""
    truths = [painted(shots, f"{name}-{index}") for index, shots in measured(starring("test", (name,)))]
    readings = read(model, truths)
    return {
        **identity(name, truths, readings, draw),
        **_coherence(truths, readings, [name] * STORIES),
    }


def identity(name: str, truths: Sequence[Story], readings: Sequence[Sequence[Reading]], draw: int) -> dict[str, Any]:
    """In what share of the frames that should show the character it is seen, and nobody of the cast who is not there: it is no half
    of the one that its name began as. And the same with a place, an action, a prop that its pictures never had, if read."""
    had = [_shown({Key(*key): value for key, value in truth(shot.scene).items()}, name) for shot in portraits(name, draw)]
    hits: list[bool] = []
    new: dict[str, list[bool]] = {"place": [], "action": [], "prop": []}
    for one, seen_in in zip(truths, readings, strict=True):
        for frame, seen in zip(one.frames, seen_in, strict=True):
            facts = _facts(frame)
            if Key(name, "present") in facts:
                hits.append(name in _cast(seen) <= _cast(facts))
                read_there = _shown(seen, name)
                for what, value in _shown(facts, name).items():
                    if all(one.get(what) != value for one in had):
                        new[what].append(hits[-1] and read_there.get(what) == value)
    pooled = [hit for some in new.values() for hit in some]
    shares = {"identity": hits, "not_copied": pooled} | {f"new_{what}": some for what, some in new.items()}
    return {what: sum(some) / len(some) for what, some in shares.items() if some} | {"frames": len(hits), "new": len(pooled)}


def before_recasting(name: str) -> dict[str, float]:
    """Relevance and consistency of its stories, played by whom they were written for and told by the model as it ships."""
    plots = [plot("test", index) for index, _ in measured(starring("test", (name,)))]
    leads = [next(figure.who for shot in shots for figure in shot.scene.figures if figure.who in NAMES) for shots in plots]
    truths = [painted(shots, f"{name}-{number}-before") for number, shots in enumerate(plots)]
    found = _coherence(truths, read(ARLDM.from_pretrained("toonsv"), truths), leads)
    return {f"{metric}_before_recasting": value for metric, value in found.items()}


def of_old(model: ARLDM) -> dict[str, float]:
    """How well a model knows the old cast."""
    truths = [story("test", number) for number in MEASURED]
    readings = read(model, truths)
    rows = {"old_frame_accuracy": frame_accuracy(truths, readings), "old_relevance": relevance(truths, readings)}
    return {name: measure(list(some)).value for name, some in rows.items()}


def both(model: ARLDM, names: tuple[str, ...]) -> dict[str, Any]:
    """In what share of the frames that should show both characters both are seen."""
    truths = [painted(shots, f"{'-'.join(names)}-{index}") for index, shots in measured(starring("test", names))]
    hits = [
        set(names) <= _cast(seen)
        for one, seen_in in zip(truths, read(model, truths), strict=True)
        for frame, seen in zip(one.frames, seen_in, strict=True)
        if set(names) <= _cast(_facts(frame))
    ]
    return {"both": sum(hits) / len(hits), "frames_of_both": len(hits)}


def one_person(model: ARLDM, truths: Sequence[Story]) -> dict[str, Any]:
    """The share of stories in which the stranger of the given first picture is there in all frames that should show him, with one
    coat, hat and skin."""
    kept = []
    for one, seen in zip(truths, read(model, truths, given=1), strict=True):
        there = [t for t, frame in enumerate(one.frames) if Key(STRANGER, "present") in _facts(frame)]
        looks = [tuple(seen[t].get(Key(STRANGER, name)) for name in ("coat", "hat", "hat_colour", "skin")) for t in there]
        kept.append(len(set(looks)) == 1 and looks[0][0] is not None)
    return {"one_person": sum(kept) / len(kept), "stories": len(kept)}


def _coherence(truths: Sequence[Story], readings: Sequence[Sequence[Reading]], leads: Sequence[str]) -> dict[str, float]:
    """Relevance of all that captions tell but that the lead is there; consistency of all that only the history tells."""

    def rest(frame: Frame, lead: str) -> Frame:
        return replace(frame, facts=tuple(fact for fact in frame.facts if (fact.entity, fact.attribute) != (lead, "present")))

    others = [
        replace(one, frames=tuple(rest(frame, lead) for frame in one.frames)) for one, lead in zip(truths, leads, strict=True)
    ]
    found = {"relevance": relevance(others, readings), "consistency": consistency(truths, readings)}
    return {metric: measure(list(tallies)).value for metric, tallies in found.items()}


def _facts(frame: Frame) -> Reading:
    return {Key(fact.entity, fact.attribute): fact.value for fact in frame.facts}


def _cast(facts: Mapping[Key, str]) -> set[str]:
    """Who of the cast is there."""
    return {key.entity for key, value in facts.items() if key.attribute == "present" and value == "yes" and key.entity in NAMES}


def _shown(facts: Mapping[Key, str], name: str) -> dict[str, str]:
    """What a picture of someone has that others may not have."""
    props = [key.entity for key in facts if key.entity in PROPS and key.attribute == "present"]
    told = {"place": facts.get(Key("scene", "kind")), "action": facts.get(Key(name, "action")), "prop": next(iter(props), None)}
    return {what: value for what, value in told.items() if value is not None}

"""From pictures to a report: every picture is read, every fact counted, and the rows that bracket a model are drawn beside it."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from arldm.errors import OutputError
from arldm.evaluate.consistency import (
    Measure,
    by_attribute,
    by_combination,
    by_frame,
    character_f1,
    consistency,
    frame_accuracy,
    measure,
    relevance,
)
from arldm.evaluate.features import Features
from arldm.evaluate.fid import Gaussian, frechet_distance
from arldm.evaluate.reader import Reader
from arldm.story import Story
from arldm.toonsv import paint, plot
from arldm.toonsv.cast import (
    COLOURS,
    HATS,
    HUES,
    MOODS,
    PLACES,
    SIDES,
    SKINS,
    TIMES,
    WEATHERS,
    Figure,
    Key,
    Look,
    Place,
    Prop,
    Scene,
)
from arldm.toonsv.plot import Shot
from arldm.toonsv.world import Dice

METRICS = {"relevance": relevance, "consistency": consistency, "frame_accuracy": frame_accuracy, "character_f1": character_f1}


@dataclass(frozen=True, slots=True)
class Report:
    """The four figures; relevance and consistency by attribute, the worst first, and by frame; relevance of what is held out."""

    metrics: dict[str, Measure]
    by_attribute: dict[str, dict[str, Measure]]
    by_frame: dict[str, dict[int, Measure]]
    relevance_by_combination: dict[str, Measure]
    reader_fid: float  # between the reader's features of told and of true pictures: compares with nothing but itself

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they stand in a report's JSON."""
        return asdict(self)


def score(pictures: Sequence[Sequence[Image.Image]], truths: Sequence[Story], reader: Reader, given: int = 0) -> Report:
    """Judge told stories, frame by frame, against what is known of them. The first `given` frames are remembered but not scored."""
    shown = [picture for row in pictures for picture in row[given:]]
    true = [frame.picture for story in truths for frame in story.frames[given:] if frame.picture is not None]
    sets = [Gaussian.of(Features.held(reader.features(some))) for some in (shown, true)] if len(shown) > 1 else []
    flat = reader.read([picture for row in pictures for picture in row])
    readings, first = [], 0
    for row in pictures:
        readings.append(flat[first : first + len(row)])
        first += len(row)
    tallies = {name: list(metric(truths, readings, given)) for name, metric in METRICS.items()}
    return Report(
        metrics={name: measure(rows) for name, rows in tallies.items()},
        by_attribute={name: by_attribute(tallies[name]) for name in ("relevance", "consistency")},
        by_frame={name: by_frame(tallies[name]) for name in ("relevance", "consistency")},
        relevance_by_combination=by_combination(tallies["relevance"], truths),
        reader_fid=_distance(*sets) if sets else math.nan,
    )


def _distance(one: Gaussian, other: Gaussian) -> float:
    return frechet_distance(one.mean, one.covariance, other.mean, other.covariance)


def afresh(split: str, index: int, frames: int = 5, size: int = 256) -> list[Image.Image]:
    """A story as drawn by one who reads each caption and remembers nothing: all that the caption does not tell is random.

    Who is in a frame stays right, though a pronoun may tell it: this is the best that could be done without history.
    """
    return [paint(_forgotten(shot, Dice(f"afresh/{split}/{index}/{t}")), size) for t, shot in enumerate(plot(split, index, frames))]


def _forgotten(shot: Shot, dice: Dice) -> Scene:
    told = {Key(fact.entity, fact.attribute) for fact in shot.facts if fact.source == "caption"}
    scene = shot.scene

    def kept(entity: str, attribute: str, value: str, values: Sequence[str]) -> str:
        drawn = dice.pick(values)
        return value if Key(entity, attribute) in told else drawn

    kind = kept("scene", "kind", scene.place.kind, tuple(PLACES))
    place = Place(kind, dice.pick(HUES), dice.pick(PLACES[kind]), dice.pick(SIDES))
    figures = tuple(_stranger(figure, dice, kept(figure.who, "mood", figure.mood, MOODS)) for figure in scene.figures)
    prop = scene.prop and Prop(scene.prop.kind, kept(scene.prop.kind, "colour", scene.prop.colour, COLOURS))
    weather, time = kept("scene", "weather", scene.weather, WEATHERS), kept("scene", "time", scene.time, TIMES)
    return Scene(place, weather, time, figures, prop, scene.aside)


def _stranger(figure: Figure, dice: Dice, mood: str) -> Figure:
    if figure.look is None:
        return replace(figure, mood=mood, shirt=dice.pick(COLOURS))
    return replace(figure, mood=mood, look=Look(dice.pick(COLOURS), dice.pick(HATS), dice.pick(COLOURS), dice.pick(SKINS)))


def table(rows: Mapping[str, Report]) -> str:
    """Reports side by side, as lines of text."""
    wide = max([28, *map(len, rows)])
    lines = [" " * wide + "".join(f"{name.replace('_', ' '):>24}" for name in METRICS) + f"{'reader FID':>14}"]
    for name, report in rows.items():
        cells = (report.metrics[metric] for metric in METRICS)
        lines.append(f"{name:{wide}}" + "".join(f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]".rjust(24) for one in cells))
        lines[-1] += f"{report.reader_fid:14.2f}"
    return "\n".join(lines)


def write(path: Path, report: dict[str, Any]) -> None:
    """Write a report as JSON, whole or not at all; what there was nothing to measure of is null. Raises OutputError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(_finite(report), indent=1, allow_nan=False) + "\n")
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):  # a folder that could not be made holds nothing to clear away
            beside.unlink()
        raise OutputError(f"{path}: the report cannot be written ({error.strerror}); choose another --json") from error


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value  # JSON knows no NaN

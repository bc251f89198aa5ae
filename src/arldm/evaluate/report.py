"""From pictures to a report: every picture is read and every fact counted."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image

from arldm.evaluate.consistency import METRICS, by_combination
from arldm.evaluate.features import Features
from arldm.evaluate.fid import Gaussian, frechet_distance
from arldm.evaluate.measures import Measure, by_attribute, by_frame, measure
from arldm.evaluate.reader import Reader
from arldm.story import Story
from arldm.writing import put_json


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
    true = [picture for story in truths for picture in story.pictures[given:]]
    sets = [Gaussian.of(Features.held(reader.features(some))) for some in (shown, true)] if len(shown) > 1 else []
    read = iter(reader.read([picture for row in pictures for picture in row]))
    readings = [list(islice(read, len(row))) for row in pictures]
    tallies = {name: list(metric(truths, readings, given)) for name, metric in METRICS.items()}
    return Report(
        metrics={name: measure(rows) for name, rows in tallies.items()},
        by_attribute={name: by_attribute(tallies[name]) for name in ("relevance", "consistency")},
        by_frame={name: by_frame(tallies[name]) for name in ("relevance", "consistency")},
        relevance_by_combination=by_combination(tallies["relevance"], truths),
        reader_fid=frechet_distance(*sets) if sets else math.nan,
    )


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
    put_json(path, _finite(report), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value  # JSON knows no NaN

"""A comparison as one HTML file that needs no network: figures, the worst and best stories, what others published."""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from PIL import Image

from arldm.evaluate.comparison import PER_MILLE
from arldm.evaluate.networks import WELL_KNOWN
from arldm.evaluate.pictures import Pictures, opened
from arldm.evaluate.published import CHAINS, PUBLISHED, Task, differences
from arldm.pictures import encoded, stacked, strip

HEIGHT = 120  # pixels of a strip
LONGEST = 6  # frames of a row of it
SHOWN = 2  # stories at each end
Figure = tuple[float, float, float]  # value, low, high


def page(report: Mapping[str, Any], methods: Sequence[Pictures], reference: Pictures) -> str:
    """The page of a report, as `Comparison.to_dict` gives it, with the pictures that it speaks of. Raises PictureError."""
    room = Environment(loader=PackageLoader("arldm.evaluate", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return room.get_template("webpage.html").render(
        report=report,
        columns=list(_distances(report)) + list(_judged(report)),
        parts=list(_parts(report["methods"])),
        stories=list(_stories(report, methods, reference)),
        strip=_strip,
        published=[(task, CHAINS[task.chain], _differences(task, report)) for task in PUBLISHED],
    )


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure in a table: how it is written, and where it stands on the scale of its column, per cent."""

    value: str
    low: str
    high: str
    places: Figure
    best: bool


@dataclass(frozen=True, slots=True)
class Column:
    """A figure of all methods; None where there was nothing to measure."""

    head: str
    cells: list[Cell | None]


def column(head: str, figures: Sequence[Figure], best: Callable[[Iterable[float]], float], digits: int) -> Column:
    """Figures of one kind, on one scale, which begins or ends at 0 at the latest."""
    held = [_ends(*one) for one in figures if not isnan(one[0])]
    least, most = min([0.0, *(low for _, low, _ in held)]), max([0.0, *(high for *_, high in held)])

    def cell(figure: Figure) -> Cell:
        value, low, high = (f"{number:.{digits}f}" if not isnan(number) else "–" for number in figure)
        first, second, third = (100 * (number - least) / ((most - least) or 1) for number in _ends(*figure))
        stands_out = len(held) > 1 and figure[0] == best(value for value, *_ in held)
        return Cell(value, low, high, (first, second, third), stands_out)

    return Column(head, [None if isnan(figure[0]) else cell(figure) for figure in figures])


def _ends(value: float, low: float, high: float) -> Figure:
    """The figure itself where it has no interval."""
    return value, value if isnan(low) else low, value if isnan(high) else high


def _three(one: Mapping[str, float], times: float = 1) -> Figure:
    return times * one["value"], times * one["low"], times * one["high"]


def _distances(report: Mapping[str, Any]) -> Iterator[Column]:
    for protocol in report["protocols"]:
        for kind, times in PER_MILLE.items():
            head = f"{kind.upper()}{' × 1000' if kind == 'kid' else ''}, {protocol}"
            yield column(head, [_three(row["measured"][protocol][kind], times) for row in report["methods"]], min, 2)


def _judged(report: Mapping[str, Any]) -> Iterator[Column]:
    for name in report["methods"][0]["judged"]:
        yield column(name, [_three(row["judged"][name]) for row in report["methods"]], max, 3)


def _parts(methods: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Column]]]:
    """The figures that are told of each character or attribute: of each of these one column, which the page lays down as a row."""
    for figure in dict.fromkeys(figure for row in methods for figure in row["by_attribute"]):
        found = [row["by_attribute"].get(figure, {}) for row in methods]
        names = dict.fromkeys(name for part in found for name in part)
        yield (
            figure,
            [column(name, [_three(part[name]) if name in part else (nan, nan, nan) for part in found], max, 3) for name in names],
        )


def _stories(
    report: Mapping[str, Any], methods: Sequence[Pictures], reference: Pictures
) -> Iterator[tuple[str, list[tuple[str, float, list[Pictures]]]]]:
    """Of each method the stories that pull its distance up most, and least: name, by how much, and whose pictures are shown."""
    protocol = next(iter(report["protocols"]))
    for row, method in zip(report["methods"], methods, strict=True):
        pulls = row["measured"][protocol]["pulls"]
        ranked = sorted(pulls, key=lambda name: pulls[name], reverse=True)
        ends = ranked if len(ranked) <= 2 * SHOWN else [*ranked[:SHOWN], *ranked[-SHOWN:]]
        yield method.name, [(name, pulls[name], [method, reference] if report["paired"] else [method]) for name in ends]


def _strip(frames: Sequence[Path]) -> str:
    """The address of frames side by side, small, in rows, inside the page itself."""
    small = [
        picture.resize((max(1, round(picture.width * HEIGHT / picture.height)), HEIGHT), Image.Resampling.LANCZOS)
        for picture in map(opened, frames)
    ]
    rows = [strip(small[first : first + LONGEST]) for first in range(0, len(small), LONGEST)]
    return "data:image/webp;base64," + base64.b64encode(encoded(stacked(rows), "WEBP", quality=80)).decode()


def _differences(task: Task, report: Mapping[str, Any]) -> list[str]:
    pictures = {one["pictures"] for one in (report["reference"], *report["methods"])}
    return differences(task, report["protocols"], report["reference"]["name"], report["given"], pictures, WELL_KNOWN)

"""A comparison as one HTML file that needs no network: figures, the worst and best stories, what others published."""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from math import nan
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image

from arldm.evaluate.comparison import PER_MILLE
from arldm.evaluate.networks import WELL_KNOWN
from arldm.evaluate.pictures import Pictures, opened
from arldm.evaluate.published import CHAINS, PUBLISHED, differences
from arldm.pictures import encoded, strip

TEMPLATE = Path(__file__).with_name("webpage.html")
HEIGHT = 120  # pixels of a strip
LONGEST = 6  # frames of a strip
SHOWN = 2  # stories at each end
Figure = tuple[float, float, float]  # value, low, high


def page(report: Mapping[str, Any], methods: Sequence[Pictures], reference: Pictures) -> str:
    """The page of a report, as `Comparison.to_dict` gives it, with the pictures that it speaks of. Raises PictureError."""
    truth = report["reference"]
    lead = (
        f"{len(methods)} method{'s' * (len(methods) > 1)} against {truth['name']}: "
        f"{truth['stories']:,} stories, {truth['pictures']:,} pictures."
    )
    protocol = next(iter(report["protocols"]))
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"{', '.join(one['name'] for one in report['methods'])} against {truth['name']}"),
        lead=escape(lead),
        notes=_notes(report["notes"]),
        figures="".join(_figures(report)),
        parts="".join(_parts(report["methods"])),
        ranked=escape(f"protocol {protocol}"),
        stories="".join(
            _stories(row["measured"][protocol]["pulls"], one, reference, report["paired"])
            for row, one in zip(report["methods"], methods, strict=True)
        ),
        published="".join(_published(report)),
        measured="".join(f"<dt>{escape(name)}</dt><dd>{told}</dd>" for name, told in _measured(report)),
    )


def _notes(notes: Sequence[str]) -> str:
    return f'<ul class="notes">{"".join(f"<li>{escape(note)}</li>" for note in notes)}</ul>' if notes else ""


def _figures(report: Mapping[str, Any]) -> Iterator[str]:
    columns = [(protocol, kind) for protocol in report["protocols"] for kind in PER_MILLE]
    heads = (f"{kind.upper()}{' &times; 1000' if kind == 'kid' else ''}, {escape(protocol)}" for protocol, kind in columns)
    judged = list(report["methods"][0]["judged"])
    shown = "".join(f"<th>{head}</th>" for head in (*heads, *map(escape, judged)))
    yield f'<tr><th>Method</th><th class="n">Pictures</th>{shown}</tr>'
    found = {column: [_scaled(row, *column) for row in report["methods"]] for column in columns}
    shares = {name: [_three(row["judged"][name]) for row in report["methods"]] for name in judged}
    for number, row in enumerate(report["methods"]):
        cells = "".join(_cell(found[column][number], found[column], min) for column in columns)
        cells += "".join(_cell(shares[name][number], shares[name], max, digits=3) for name in judged)
        yield f'<tr><td class="name">{escape(row["name"])}</td><td class="n">{row["pictures"]:,}</td>{cells}</tr>'


def _parts(methods: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The figures that are told of each character or attribute, a table each, folded up."""
    heads = "".join(f"<th>{escape(row['name'])}</th>" for row in methods)
    for figure in dict.fromkeys(figure for row in methods for figure in row["by_attribute"]):
        parts = [row["by_attribute"].get(figure, {}) for row in methods]
        lines = ""
        for name in dict.fromkeys(name for part in parts for name in part):
            found = [_three(part[name]) if name in part else (nan, nan, nan) for part in parts]
            lines += f'<tr><td class="name">{escape(name)}</td>{"".join(_cell(one, found, max, digits=3) for one in found)}</tr>'
        table = f"<table><tr><th></th>{heads}</tr>{lines}</table>"
        yield f'<details class="sheet"><summary>{escape(figure)}, each by itself</summary>{table}</details>'


def _scaled(row: Mapping[str, Any], protocol: str, kind: str) -> Figure:
    value, low, high = (PER_MILLE[kind] * number for number in _three(row["measured"][protocol][kind]))
    return value, low, high


def _three(one: Mapping[str, float]) -> Figure:
    return one["value"], one["low"], one["high"]


def _cell(one: Figure, column: Sequence[Figure], best: Callable[[Iterable[float]], float], digits: int = 2) -> str:
    """A figure, its interval, and both drawn on the scale that the column shares; a dash where there was nothing to measure."""
    if one[0] != one[0]:
        return '<td class="figure">&ndash;</td>'
    held = [_ends(*other) for other in column if other[0] == other[0]]
    least, most = min(0.0, *(low for _, low, _ in held)), max(0.0, *(high for *_, high in held))
    x = [100 * (number - least) / ((most - least) or 1) for number in _ends(*one)]
    drawn = (
        '<svg viewBox="-2 0 104 14" preserveAspectRatio="none"><line x1="0" x2="100" y1="7" y2="7" stroke="var(--line)"/>'
        f'<rect x="{x[1]:.2f}" width="{max(0.4, x[2] - x[1]):.2f}" y="4" height="6" rx="1" fill="var(--soft)" opacity=".45"/>'
        f'<rect x="{x[0] - 0.5:.2f}" width="1" y="1" height="12" fill="var(--mark)"/></svg>'
    )
    mark = " best" if len(held) > 1 and one[0] == best(value for value, _, _ in held) else ""
    value, low, high = (f"{number:.{digits}f}" if number == number else "&ndash;" for number in one)
    return f'<td class="figure{mark}"><b>{value}</b><span>[{low}, {high}]</span>{drawn}</td>'


def _ends(value: float, low: float, high: float) -> Figure:
    """The figure itself where it has no interval."""
    return value, low if low == low else value, high if high == high else value


def _stories(pulls: Mapping[str, float], method: Pictures, reference: Pictures, paired: bool) -> str:
    ranked = sorted(pulls, key=lambda name: pulls[name], reverse=True)
    ends = ranked if len(ranked) <= 2 * SHOWN else [*ranked[:SHOWN], *ranked[-SHOWN:]]
    shown = "".join(_pair(name, pulls[name], method, reference if paired else None) for name in ends)
    return f'<h3>{escape(method.name)}</h3><div class="pairs">{shown}</div>'


def _pair(name: str, pull: float, method: Pictures, reference: Pictures | None) -> str:
    sets = [(method, "")] if reference is None else [(method, ""), (reference, " truth")]
    strips = "".join(
        f'<div class="who{kind}">{escape(one.name)}</div>{_strip(one.stories[name], f"{one.name}, story {name}")}'
        for one, kind in sets
    )
    pulls = f"pulls {'up' if pull > 0 else 'down'} by {abs(pull):.2f}"
    told = f'<figcaption><span>{escape(name)}</span><span class="soft">{pulls}</span></figcaption>'
    return f"<figure>{told}{strips}</figure>"


def _strip(frames: Sequence[Path], told: str) -> str:
    """Frames side by side, small, inside the page itself."""
    pictures = [opened(path) for path in frames[:LONGEST]]
    small = [
        picture.resize((max(1, round(picture.width * HEIGHT / picture.height)), HEIGHT), Image.Resampling.LANCZOS)
        for picture in pictures
    ]
    data = base64.b64encode(encoded(strip(small), "WEBP", quality=80)).decode()
    return f'<img alt="{escape(told)}" src="data:image/webp;base64,{data}">'


def _published(report: Mapping[str, Any]) -> Iterator[str]:
    protocols, reference, given = report["protocols"], report["reference"]["name"], report["given"]
    pictures = {one["pictures"] for one in (report["reference"], *report["methods"])}
    numbers = "".join(f'<th class="n">{name}</th>' for name in ("FID", "Char. F1", "Frame acc."))
    for task in PUBLISHED:
        differ = differences(task, protocols, reference, given, pictures, WELL_KNOWN)
        tags = "".join(f'<span class="tag">{escape(one)}</span>' for one in differ)
        rows = "".join(
            f"<tr><td>{escape(row.method)}</td>{''.join(map(_share, (row.fid, row.f1, row.accuracy)))}"
            f'<td class="soft source">{escape(row.source)}</td></tr>'
            for row in task.rows
        )
        yield (
            f'<section class="sheet"><h3>{escape(task.name)}</h3><p class="soft">{escape(CHAINS[task.chain])}</p>'
            f"<p>Differs in: {tags}</p><table><tr><th>Method</th>{numbers}<th>Source</th></tr>{rows}</table></section>"
        )


def _share(value: float | None) -> str:
    return f'<td class="n">{"" if value is None else f"{value:.2f}"}</td>'


def _measured(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, told in report["protocols"].items():
        yield f"Protocol {name}", f"<code>{escape(told)}</code>"
    for name, told in report["judges"].items():
        yield f"Judge {name}", f"<code>{escape(told)}</code>"
    for one in (report["reference"], *report["methods"]):
        sizes = ", ".join(f"{count:,} of {size}" for size, count in one["sizes"].items())
        told = f"{one['stories']:,} stories, {one['pictures']:,} pictures ({sizes} px), found as {one['layout']}"
        yield one["name"], f"{escape(told)}<br><code>{one['hash']}</code>"
    yield (
        "Given",
        f"The first {report['given']} pictures of each story are left out."
        if report["given"]
        else "No pictures; all frames count.",
    )
    yield "FID", "Intervals by the infinitesimal jackknife over stories, of both sets."
    yield (
        "KID",
        "Unbiased, cubic kernel, pairs of different stories alone; the mean over blocks that share none, with Student's interval.",
    )
    yield "Versions", escape(", ".join(f"{package} {number}" for package, number in report["versions"].items()))

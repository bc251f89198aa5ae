"""A report to read: lines of text, JSON, and an HTML page in one file that needs no network."""

import json
from collections.abc import Iterable

from jinja2 import Environment, PackageLoader

from arldm.evaluate.measures import Interval
from arldm.evaluate.survey.human import MARGINS, Attention, Report, Said
from arldm.evaluate.survey.study import MISSES, QUESTIONS


def percent(interval: Interval) -> str:
    """Such as 55 % [49, 61]."""
    return f"{100 * interval.value:.0f} % [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"


def written(report: Report) -> str:
    """report.json: docs/survey.md explains its fields."""
    return json.dumps(report.to_dict(), indent=1, ensure_ascii=False) + "\n"


def table(report: Report) -> str:
    """The report as lines of text."""
    lines = [f"{report.raters} raters, {report.stories} stories; 95 % intervals by raters and stories"]
    lines += _lines(report.said)
    if unchecked(report):
        lines.append(f"nobody answered more than {MISSES} attention check: nobody could fail")
    if report.without_failed:
        failed = ", ".join(f"rater {one.rater}" for one in failed_raters(report))
        lines.append(f"missed more than {MISSES} attention check: {failed}; without them")
        lines += _lines(report.without_failed)
    lines += [f"rater {one.rater} answered from {one.browsers} browsers: one person or two?" for one in doubled_raters(report)]
    return "\n".join(lines)


def _lines(said: Said) -> Iterable[str]:
    yield f"{'':14}{'':>24}{'votes':>7}" + "".join(f"{name:>18}" for name in ("win", "tie", "lose", "win - lose")) + f"{'alpha':>8}"
    for question, rows in said.comparisons.items():
        for one in rows:
            shares = "".join(f"{percent(share):>18}" for share in (one.win, one.tie, one.lose, one.margin))
            agreed = f"{one.alpha:>8.2f}" if one.alpha is not None else f"{'-':>8}"
            yield f"{question:14}{f'{one.method} / {one.against}':>24}{one.votes:>7}{shares}{agreed}"
    for question, strengths in said.ranking.items():
        ranks = ", ".join(f"{method} {one.value:+.2f} [{one.low:+.2f}, {one.high:+.2f}]" for method, one in strengths.items())
        yield f"Bradley-Terry, {question}: {ranks}"
    yield f"A was chosen in {percent(said.a_chosen)} of what was chosen, each rater's pairs counted alike"


def failed_raters(report: Report) -> list[Attention]:
    """Those who missed more attention checks than they may."""
    return [one for one in report.attention if one.failed]


def unchecked(report: Report) -> bool:
    """Did nobody answer so many attention checks that one could fail them?"""
    return all(one.checks <= MISSES for one in report.attention)


def doubled_raters(report: Report) -> list[Attention]:
    """Those whose link was answered from more than one browser."""
    return [one for one in report.attention if one.browsers > 1]


def page(report: Report) -> str:
    """The report as one HTML file."""
    room = Environment(loader=PackageLoader("arldm.evaluate.survey", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return room.get_template("report.html").render(
        report=report,
        questions=QUESTIONS,
        percent=percent,
        failed=failed_raters(report),
        unchecked=unchecked(report),
        doubled=doubled_raters(report),
        misses=MISSES,
        margins=MARGINS,
    )

"""From votes to a report: win, tie and lose of each question, agreement, a ranking, and who was not attentive."""

import statistics
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from arldm.evaluate.measures import Interval
from arldm.evaluate.survey.agreement import alpha
from arldm.evaluate.survey.crossed import Crossed, Variances
from arldm.evaluate.survey.power import raters_needed
from arldm.evaluate.survey.ranking import bradley_terry
from arldm.evaluate.survey.study import MISSES, QUESTIONS, Pair, Study
from arldm.evaluate.survey.votes import Vote

CHECKED = "relevance"  # the question that a shuffled story answers
MARGINS = (0.05, 0.1, 0.15, 0.2)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One method against another in one question. Shares of votes; the margin is win - lose; variances are those of the margin."""

    method: str
    against: str
    votes: int
    win: Interval
    tie: Interval
    lose: Interval
    margin: Interval
    variances: Variances
    alpha: float | None
    raters_for_margin: dict[float, int | None]  # that tell so small a margin from none with a power of 80 %, with these stories


@dataclass(frozen=True, slots=True)
class Attention:
    """How one rater did in the attention checks, and what else makes one look twice."""

    rater: int  # the number of the link, from 1
    answered: int
    of: int
    checks: int
    missed: int
    browsers: int  # two may be two people
    seconds: float  # median, for a pair

    @property
    def failed(self) -> bool:
        """Did this rater miss more checks than an attentive one may?"""
        return self.missed > MISSES


@dataclass(frozen=True, slots=True)
class _Seen:
    """A vote as the study sees it."""

    vote: Vote
    pair: Pair


@dataclass(frozen=True, slots=True)
class Said:
    """What some raters' votes say, attention checks apart."""

    comparisons: dict[str, list[Comparison]]  # by question
    ranking: dict[str, dict[str, Interval]]  # by question and method; empty for two methods
    # how often A was, whoever it was, of a pair's answers that chose, in the mean over raters' pairs; far from a half, sides count
    a_chosen: Interval


@dataclass(frozen=True, slots=True)
class Report:
    """What the votes say, once with all raters and once without those who failed."""

    study: str
    methods: tuple[str, ...]
    raters: int
    stories: int
    said: Said
    without_failed: Said | None  # None where nobody failed
    attention: list[Attention]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they stand in report.json."""
        return asdict(self) | {"attention": [asdict(one) | {"failed": one.failed} for one in self.attention]}


def judge(study: Study, votes: Sequence[Vote]) -> Report:
    """The report of a study's votes."""
    seen = [_Seen(vote, study.pairs[vote.pair]) for vote in votes]
    attention = [_attention(study, number, seen) for number in range(len(study.raters))]
    attention = [one for one in attention if one.answered]
    real = [one for one in seen if not one.pair.is_check]
    links = list(study.raters)
    failed = {links[one.rater - 1] for one in attention if one.failed}
    return Report(
        study=study.id,
        methods=study.methods,
        raters=len(attention),
        stories=len({one.pair.story for one in real}),
        said=_said(study, real),
        without_failed=_said(study, [one for one in real if one.vote.rater not in failed]) if failed else None,
        attention=attention,
    )


def _said(study: Study, seen: Sequence[_Seen]) -> Said:
    return Said(_comparisons(study, seen), _ranking(study, seen) if len(study.methods) > 2 else {}, _a_chosen(seen))


def _comparisons(study: Study, seen: Sequence[_Seen]) -> dict[str, list[Comparison]]:
    found: dict[str, list[Comparison]] = {}
    for question in QUESTIONS:
        asked = [one for one in seen if one.vote.question == question]
        groups = [(x, y, [one for one in asked if set(_sides(one)) == {x, y}]) for x, y in combinations(study.methods, 2)]
        found[question] = [_compare(x, y, votes) for x, y, votes in groups if votes]
    return found


def _preference(one: _Seen, method: str) -> int:
    """1 = this method's story was chosen, 0 = neither, -1 = the other one's."""
    chosen = {"a": 1, "tie": 0, "b": -1}[one.vote.answer]
    return chosen if one.pair.a.side.method == method else -chosen


def _compare(x: str, y: str, seen: Sequence[_Seen]) -> Comparison:
    preferred = np.array([_preference(one, x) for one in seen])
    raters, stories = numbered([one.vote.rater for one in seen]), numbered([one.pair.story for one in seen])
    win, tie, lose = (Crossed((preferred == value).astype(float), raters, stories).interval() for value in (1, 0, -1))
    crossed = Crossed(preferred.astype(float), raters, stories)
    units = defaultdict(list)
    for one, value in zip(seen, preferred, strict=True):
        units[one.pair.story].append(int(value) + 1)
    count, told = int(raters.max()) + 1, int(stories.max()) + 1
    variances = crossed.variances()
    # so few votes, or equal ones, say nothing of how others differ
    planned = MARGINS if min(count, told) > 1 and any(asdict(variances).values()) else ()
    needed = {margin: raters_needed(margin, variances, told, len(seen) / count) for margin in planned}
    return Comparison(x, y, len(seen), win, tie, lose, crossed.interval(-1, 1), variances, alpha(units.values()), needed)


def numbered(names: Sequence[str]) -> np.ndarray:
    """Each name as a number, without gaps."""
    return np.unique(names, return_inverse=True)[1]


def _ranking(study: Study, seen: Sequence[_Seen]) -> dict[str, dict[str, Interval]]:
    found = {}
    for question in QUESTIONS:
        asked = [one for one in seen if one.vote.question == question]
        if not asked:
            continue
        compared = {side for one in asked for side in _sides(one)}  # of others nothing is known yet
        place = {method: number for number, method in enumerate(method for method in study.methods if method in compared)}
        first, second = (np.array([place[side] for side in sides]) for sides in zip(*map(_sides, asked), strict=True))
        values = np.array([{"a": 1.0, "tie": 0.5, "b": 0.0}[one.vote.answer] for one in asked])
        clusters = [numbered([one.vote.rater for one in asked]), numbered([one.pair.story for one in asked])]
        strengths = bradley_terry(len(place), first, second, values, clusters)
        found[question] = dict(sorted(zip(place, strengths, strict=True), key=lambda entry: -entry[1].value))
    return found


def _sides(one: _Seen) -> tuple[str, str]:
    return one.pair.a.side.method, one.pair.b.side.method


def _attention(study: Study, number: int, seen: Collection[_Seen]) -> Attention:
    link, pairs = list(study.raters.items())[number]
    mine = [one for one in seen if one.vote.rater == link]
    checks = [one for one in mine if one.pair.is_check and one.vote.question == CHECKED]
    right = [one for one in checks if one.vote.answer == ("b" if one.pair.a.side.shuffled else "a")]
    seconds = {one.vote.pair: one.vote.seconds for one in mine}
    return Attention(
        rater=number + 1,
        answered=len(seconds),
        of=len(pairs),
        checks=len(checks),
        missed=len(checks) - len(right),
        browsers=len({one.vote.browser for one in mine}),
        seconds=statistics.median(seconds.values()) if seconds else 0.0,
    )


def _a_chosen(seen: Sequence[_Seen]) -> Interval:
    chosen: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for one in seen:
        if one.vote.answer != "tie":
            chosen[one.vote.rater, one.vote.pair].append(one.vote.answer == "a")
    if not chosen:
        return Interval(0.5, 0.0, 1.0)
    raters, pairs = zip(*chosen, strict=True)
    return Crossed(np.array([np.mean(answers) for answers in chosen.values()]), numbered(raters), numbered(pairs)).interval()

"""What votes say: intervals, agreement, ranking, inattentive raters, and the number of raters that a margin takes."""

import json
import math
import random
import sys
from itertools import permutations
from pathlib import Path

import choix
import numpy as np
import pytest

from arldm.cli import main
from arldm.evaluate.survey.agreement import alpha
from arldm.evaluate.survey.crossed import Crossed, Variances
from arldm.evaluate.survey.human import judge
from arldm.evaluate.survey.page import page, table
from arldm.evaluate.survey.power import assumed, power, raters_needed
from arldm.evaluate.survey.ranking import bradley_terry
from arldm.evaluate.survey.study import QUESTIONS, Design
from arldm.evaluate.survey.votes import Votes, read_votes
from surveys import all_vote, study

sys.path.append(str(Path(__file__).parents[1] / "runs"))
from simulated_raters import Preferences, Simulation

KRIPPENDORFF = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""


class TestAlpha:
    def test_is_the_published_one(self) -> None:
        rows = [line.split() for line in KRIPPENDORFF.split("\n") if line]
        units = [[int(row[unit]) - 1 for row in rows if row[unit] != "."] for unit in range(12)]
        assert alpha(units, levels=5) == pytest.approx(0.815, abs=5e-4)  # Krippendorff 2011, ordinal

    def test_ends(self) -> None:
        assert alpha([[0, 0, 0], [2, 2], [1]]) == 1
        assert alpha([[0, 2], [2, 0], [0, 2]]) < 0  # type: ignore[operator]
        assert alpha([[1], [0]]) is None
        assert alpha([[1, 1], [1, 1]]) is None
        dice = random.Random(1)
        assert alpha([[dice.randrange(3) for _ in range(10)] for _ in range(500)]) == pytest.approx(0, abs=0.02)


class TestCrossed:
    def test_variances_of_whole_tables_are_those_of_the_analysis_of_variance(self) -> None:
        dice = np.random.Generator(np.random.PCG64(3))
        raters, stories = 7, 9
        values = dice.normal(size=(raters, 1)) + 2 * dice.normal(size=(1, stories)) + dice.normal(size=(raters, stories))
        rest = values - values.mean(1, keepdims=True) - values.mean(0, keepdims=True) + values.mean()
        square = (rest**2).sum() / (raters - 1) / (stories - 1)
        found = Crossed(values.ravel(), *(part.ravel() for part in np.indices(values.shape))).variances()
        assert found.rest == pytest.approx(square)
        assert found.rater == pytest.approx(values.mean(1).var(ddof=1) - square / stories)
        assert found.story == pytest.approx(values.mean(0).var(ddof=1) - square / raters)

    def test_variances_are_found_where_votes_are_missing(self) -> None:
        dice = np.random.Generator(np.random.PCG64(5))
        whole = dice.normal(size=(300, 1)) * 0.5 + dice.normal(size=(1, 200)) * 0.8 + dice.normal(size=(300, 200))
        rater, story = np.nonzero(dice.random(whole.shape) < 0.3)
        found = Crossed(whole[rater, story], rater, story).variances()
        assert (found.rater, found.story, found.rest) == pytest.approx((0.25, 0.64, 1.0), rel=0.25)

    def test_votes_that_share_raters_or_stories_are_worth_less(self) -> None:
        rater, story = (part.ravel() for part in np.indices((10, 10)))
        alone = np.random.Generator(np.random.PCG64(1)).integers(0, 2, 100).astype(float)
        widths = []
        for values in (alone, (rater < 5).astype(float), (story < 5).astype(float)):
            interval = Crossed(values, rater, story).interval()
            assert interval.low < interval.value < interval.high
            widths.append(interval.high - interval.low)
        assert widths[0] < 0.25
        assert min(widths[1:]) > 0.5

    @pytest.mark.parametrize("value", [0.0, 1.0])
    def test_where_all_agree_the_interval_is_no_point(self, value: float) -> None:
        rater, story = (part.ravel() for part in np.indices((8, 12)))
        interval = Crossed(np.full(96, value), rater, story).interval()
        assert interval.value == value
        assert 0.2 < interval.high - interval.low < 0.6
        assert 0 <= interval.low < interval.high <= 1
        one = Crossed(np.array([value]), np.array([0]), np.array([0])).interval()
        assert one.high - one.low > 0.9

    @pytest.mark.parametrize(("raters", "stories"), [(1, 30), (30, 1)])
    def test_a_lone_rater_or_story_says_little_of_others(self, raters: int, stories: int) -> None:
        rater, story = (part.ravel() for part in np.indices((raters, stories)))
        interval = Crossed((np.arange(30) % 3 > 0).astype(float), rater, story).interval()
        assert interval.high - interval.low > 0.8

    def test_intervals_cover_the_truth(self) -> None:
        """`runs/survey_coverage.py` measures this with more studies."""
        truth = Preferences(rater=0.2, story=0.3, ties=0.5)
        simulation, generator = Simulation(truth, 15, 30, 20), np.random.Generator(np.random.PCG64(0))
        hits = 0
        for _ in range(200):
            interval = simulation.votes(generator).interval(-1, 1)
            hits += interval.low <= truth.margin <= interval.high
        assert 182 <= hits <= 198


class TestPower:
    def test_simulated_raters_have_the_preferences_asked_for(self) -> None:
        truth = Preferences(win=0.55, tie=0.2, rater=0.2, story=0.3, ties=0.5)
        votes = Simulation(truth, 200, 150, 75).votes(np.random.Generator(np.random.PCG64(2)))
        shares = [(votes.values == value).mean() for value in (1, 0, -1)]
        assert shares == pytest.approx([0.55, 0.2, 0.25], abs=0.05)
        found = votes.variances()
        assert (math.sqrt(found.rater), math.sqrt(found.story)) == pytest.approx((0.2, 0.3), rel=0.2)

    def test_more_of_anything_tells_more(self) -> None:
        variances = assumed(0.2, 0.2, 0.15, 0.25)
        assert variances.rater + variances.story + variances.rest == pytest.approx(1 - 0.2 - 0.04)
        usual = power(0.2, variances, 15, 40, 20)
        for more in (
            (0.3, variances, 15, 40, 20),
            (0.2, variances, 20, 40, 20),
            (0.2, variances, 15, 60, 20),
            (0.2, variances, 15, 40, 30),
        ):
            assert power(*more) > usual
        needed = raters_needed(0.2, variances, 40, 20)
        assert needed is not None
        assert power(0.2, variances, needed - 1, 40, 20) < 0.8 <= power(0.2, variances, needed, 40, 20)
        assert raters_needed(0.05, Variances(0.02, 0.1, 0.6), 10, 10) is None

    def test_stories_that_most_raters_never_see_cost_none(self) -> None:
        """Twice as many raters were asked for where each story had one vote or none, and a power that is no number was enough."""
        few, many, most = (raters_needed(0.2, assumed(0.2, 0.2, 0.2, 0.3), stories, 20) for stories in (200, 700, 2208))
        assert few is not None
        assert few >= (many or 0) >= (most or 0) > 10
        spread = assumed(0.05, 0.0, 0.1, 0.1)
        powers = [power(0.05, spread, raters, 1000, 5) for raters in range(150, 1000, 25)]
        assert powers == sorted(powers)
        needed = raters_needed(0.05, spread, 1000, 5)
        assert needed is not None
        assert power(0.05, spread, needed, 1000, 5) == pytest.approx(0.8, abs=0.01)

    def test_few_pairs_by_each_cost_no_power(self) -> None:
        """Where votes were as many as raters and stories, power fell from 0.84 to 0.28, and intervals had one degree of freedom."""
        spread = assumed(0.15, 0.2, 0.2, 0.3)
        powers = [power(0.15, spread, raters, 200, 2) for raters in range(100, 260, 4)]
        assert powers == sorted(powers)
        few, many = (raters_needed(0.15, spread, stories, 2) for stories in (100, 200))
        assert few is not None
        assert many is not None
        assert many <= few

    @pytest.mark.parametrize("stories", [40, 1000])
    def test_a_planned_study_has_its_power(self, stories: int) -> None:
        variances = assumed(0.3, 0.2, 0.2, 0.3)
        raters = raters_needed(0.3, variances, stories, 20)
        assert raters is not None
        simulation = Simulation(Preferences(0.55, 0.2, 0.2, 0.3), raters, stories, 20)
        generator = np.random.Generator(np.random.PCG64(7))
        told = sum(simulation.votes(generator).interval(-1, 1).low > 0 for _ in range(400)) / 400
        assert told == pytest.approx(0.8, abs=0.06)


def test_bradley_terry_is_that_of_choix_and_finds_the_order() -> None:
    dice = np.random.Generator(np.random.PCG64(4))
    truth = np.array([0.8, 0.0, -0.8])
    first, second = (np.array(part) for part in zip(*[(0, 1), (1, 2), (2, 0)] * 200, strict=True))
    values = (dice.random(600) < 1 / (1 + np.exp(truth[second] - truth[first]))).astype(float)
    clusters = [np.arange(600) % 20, np.arange(600) // 20]
    found = bradley_terry(3, first, second, values, clusters)
    pairs = [(a, b) if value else (b, a) for a, b, value in zip(first, second, values, strict=True)]
    expected = choix.opt_pairwise(3, 2 * pairs + [*permutations(range(3), 2)])  # twice all, as PRIOR is half a vote
    assert [one.value for one in found] == pytest.approx(list(expected - expected.mean()), abs=1e-6)
    assert all(one.low < true < one.high for one, true in zip(found, truth, strict=True))
    assert all(0.1 < one.high - one.low < 0.8 for one in found)
    once = bradley_terry(3, first, second, values, clusters)
    doubled = (np.repeat(part, 2) for part in (first, second, values))
    twice = bradley_terry(3, next(doubled), next(doubled), next(doubled), [np.repeat(part, 2) for part in clusters])
    for one, two in zip(once, twice, strict=True):  # votes that a rater gives on a story again tell nothing new
        assert two.high - two.low == pytest.approx(one.high - one.low, rel=0.1)


@pytest.mark.parametrize(("votes", "told"), [(2, False), (5, False), (9, True), (40, True)])
def test_a_method_that_never_lost_is_as_sure_to_be_better_as_its_votes_are_many(votes: int, told: bool) -> None:
    first = np.zeros(votes, int)
    better, worse = bradley_terry(2, first, first + 1, np.ones(votes), [np.arange(votes), np.arange(votes)])
    assert (better.low > 0 > worse.high) == told
    assert math.isfinite(better.high)


class TestReport:
    def test_says_what_was_voted(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        made = study(tmp_path, Design(raters=12, pairs=10, checks=3, seed=1))
        folder = tmp_path / "study"
        all_vote(made, folder, careless=4)
        votes = read_votes(folder, made)
        report = judge(made, votes)
        assert (report.raters, report.stories) == (12, 12)
        assert report.without_failed is not None
        for question in QUESTIONS:
            (one,) = report.said.comparisons[question]
            real = [(vote.answer, made.pairs[vote.pair]) for vote in votes if vote.question == question]
            real = [(answer, pair) for answer, pair in real if not pair.is_check]
            won = sum(answer == ("a" if pair.a.side.method == "ours" else "b") for answer, pair in real)
            tied = sum(answer == "tie" for answer, _ in real)
            assert (one.method, one.against, one.votes) == ("ours", "theirs", len(real))
            assert (one.win.value, one.tie.value) == pytest.approx((won / len(real), tied / len(real)))
            assert one.margin.value == pytest.approx(one.win.value - one.lose.value)
            assert one.win.low < 0.6 < one.win.high
            assert len(one.raters_for_margin) == 4
            assert report.without_failed.comparisons[question][0].votes == len(real) - 10
        assert [one.rater for one in report.attention if one.failed] == [5]
        assert report.attention[4].missed == 3
        assert report.said.a_chosen.low < 0.5 < report.said.a_chosen.high
        assert report.said.ranking == {}
        capfd.readouterr()
        assert main(["survey", "report", str(folder)]) == 0
        said = capfd.readouterr().out
        assert said.startswith(table(report))
        assert "missed more than 1 attention check: rater 5; without them" in said
        assert "nobody could" not in said
        assert json.loads((folder / "report.json").read_text()) == json.loads(json.dumps(report.to_dict()))
        shown = (folder / "report.html").read_text()
        assert "1 of 12 raters missed more than 1 attention check" in shown
        assert "src=" not in shown
        assert "http" not in shown

    def test_three_methods_have_an_order(self, tmp_path: Path) -> None:
        made = study(tmp_path, Design(raters=8, pairs=9, checks=2), 6, ("ours", "theirs", "<b>others</b>"))
        all_vote(made, tmp_path / "study")
        report = judge(made, read_votes(tmp_path / "study", made))
        assert all(len(rows) == 3 for rows in report.said.comparisons.values())
        assert list(report.said.ranking) == list(QUESTIONS)
        assert all(set(ranks) == set(made.methods) for ranks in report.said.ranking.values())
        assert "Bradley-Terry, quality: " in table(report)
        assert "<b>others" not in page(report)

    def test_raters_who_failed_are_left_out_of_all_that_is_said(self, tmp_path: Path) -> None:
        made = study(tmp_path, Design(raters=6, pairs=9, checks=2), 6, ("ours", "theirs", "others"))
        all_vote(made, tmp_path / "study", careless=2)
        votes = read_votes(tmp_path / "study", made)
        report = judge(made, votes)
        assert report.without_failed == judge(made, [vote for vote in votes if vote.rater != list(made.raters)[2]]).said
        assert report.without_failed != report.said
        assert table(report).count("Bradley-Terry, quality: ") == table(report).count("A was chosen in ") == 2
        assert page(report).count("(Bradley-Terry)") == page(report).count("A was chosen in ") == 2

    def test_a_method_that_nobody_saw_has_no_place(self, tmp_path: Path) -> None:
        made = study(tmp_path, Design(raters=1, pairs=6, checks=0), 6, ("ours", "theirs", "others"))
        all_vote(made, tmp_path / "study")
        votes = read_votes(tmp_path / "study", made)
        two = [vote for vote in votes if "others" not in {made.pairs[vote.pair].a.side.method, made.pairs[vote.pair].b.side.method}]
        assert set(judge(made, two).said.ranking["quality"]) == {"ours", "theirs"}

    def test_nothing_is_planned_from_one_rater(self, tmp_path: Path) -> None:
        made = study(tmp_path, Design(raters=1, pairs=6, checks=0), 6)
        all_vote(made, tmp_path / "study")
        report = judge(made, read_votes(tmp_path / "study", made))
        assert report.said.comparisons["quality"][0].raters_for_margin == {}
        assert "<td>-</td>" in page(report)

    def test_few_or_no_votes(self, tmp_path: Path) -> None:
        made = study(tmp_path, Design(raters=3, pairs=4, checks=1), 4)
        votes = Votes(tmp_path / "study", made)
        empty = judge(made, read_votes(tmp_path / "study", made))
        assert "0 raters" in table(empty)
        assert "0 of 0 raters" in page(empty)
        rater, pairs = next(iter(made.raters.items()))
        pair = next(pair for pair in pairs if not made.pairs[pair].is_check)
        votes.put(rater, pair, dict.fromkeys(QUESTIONS, "a"), "one")
        votes.put(rater, next(other for other in pairs if other != pair), dict.fromkeys(QUESTIONS, "a"), "two")
        report = judge(made, read_votes(tmp_path / "study", made))
        assert page(report)
        assert "rater 1 answered from 2 browsers" in table(report)
        assert "nobody could fail" in table(report)
        assert "nobody answered more, so nobody could" in page(report)
        assert report.said.comparisons["quality"][0].alpha is None
        votes.close()

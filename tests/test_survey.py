"""A human study: who sees what, what is kept of the votes, and how it is made and served."""

import json
import random
import re
import shutil
import socket
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from arldm.cli import main
from arldm.errors import ArldmError, ConfigError, OutputError, PictureError, SurveyError
from arldm.evaluate.survey.methods import captions_in_common, told_by_method
from arldm.evaluate.survey.pairing import deal, deranged
from arldm.evaluate.survey.study import PICTURES, QUESTIONS, STUDY, Design, Study, links, new_study, read_study, shown
from arldm.evaluate.survey.votes import VOTES, Votes, read_votes
from arldm.story_files import STORY
from arldm.web.survey import survey_app
from conftest import picture
from surveys import METHODS, answer, study, tell

DESIGN = Design(raters=6, pairs=10, checks=2, seed=4)
Refused = Callable[..., None]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Path]:
    """A study that nobody has voted in; what votes needs a copy."""
    folder = tmp_path_factory.mktemp("made")
    return study(folder, DESIGN), folder / "study"


@pytest.fixture
def own(made: tuple[Study, Path], tmp_path: Path) -> tuple[Study, Path]:
    shutil.copytree(made[1], tmp_path / "own")
    return made[0], tmp_path / "own"


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Refused:
    """Was it refused with exit code 2 and one line that says this?"""

    def check(arguments: list[str], *said: str) -> None:
        capfd.readouterr()
        assert main(arguments) == 2
        shown = capfd.readouterr().err
        assert shown.startswith("arldm: ")
        assert shown.count("\n") == 1, shown
        for part in said:
            assert part in shown

    return check


class TestDealing:
    @pytest.mark.parametrize(
        ("stories", "methods", "pairs"), [(12, 2, 10), (12, 2, 12), (30, 2, 7), (8, 3, 6), (5, 4, 20), (7, 3, 5)]
    )
    def test_all_is_shown_equally_often_and_on_either_side(self, stories: int, methods: int, pairs: int) -> None:
        names = "wxyz"[:methods]
        hands = deal([str(n) for n in range(stories)], names, 24, pairs, 0, random.Random(1))
        assert len(hands) == 24
        assert all(len({frozenset(pair) for pair in hand}) == pairs for hand in hands)
        for raters in range(1, 25):
            times = Counter(frozenset(pair) for hand in hands[:raters] for pair in hand)
            least = min(times.values()) if len(times) == stories * methods * (methods - 1) // 2 else 0
            assert max(times.values()) - least <= 1
        met = Counter(frozenset((a.method, b.method)) for hand in hands for a, b in hand)
        assert max(met.values()) - min(met.values()) <= 2
        first = Counter(pair for hand in hands for pair in hand)
        assert all(abs(first[a, b] - first[b, a]) <= 1 for a, b in first)
        for hand in hands:
            seen = Counter(a.story for a, _ in hand)
            assert max(seen.values()) - min(seen.values()) <= 1
        left = Counter(a.method for hand in hands for a, _ in hand)
        assert max(left.values()) - min(left.values()) <= stories

    def test_order_and_sides_follow_the_seed_and_no_rule(self) -> None:
        stories = [str(n) for n in range(20)]
        one, again, other = (deal(stories, "xy", 8, 20, 3, random.Random(seed)) for seed in (1, 1, 2))
        assert one == again != other
        assert len({tuple(a.story for a, _ in hand) for hand in one}) == 8
        assert {hand[0][0].method for hand in one} == {"x", "y"}

    def test_links_that_are_never_used_leave_it_balanced(self) -> None:
        few, many = (deal([str(n) for n in range(9)], "xyz", raters, 6, 2, random.Random(3)) for raters in (5, 40))
        assert many[:5] == few

    def test_checks_are_a_story_against_its_shuffled_self(self) -> None:
        for hand in deal([str(n) for n in range(9)], "xy", 10, 6, 3, random.Random(3)):
            checks = [pair for pair in hand if pair[0].method == pair[1].method]
            assert len(checks) == 3
            assert all(a.story == b.story and a.shuffled != b.shuffled for a, b in checks)
            assert {a.method for a, _ in checks} == {"x"}
            assert {a.shuffled for a, _ in checks} == {True, False}
            assert not {a.story for a, _ in checks} & {a.story for a, b in hand if a.method != b.method}
        assert all(at != number for seed in range(9) for at, number in enumerate(deranged(4, random.Random(seed))))

    @pytest.mark.parametrize(("raters", "pairs", "checks"), [(0, 3, 0), (3, 0, 0), (3, 5, 0), (3, 3, 5), (3, 3, -1)])
    def test_what_cannot_be_dealt(self, raters: int, pairs: int, checks: int) -> None:
        with pytest.raises(ConfigError, match=r"expected 1 or more raters, 1 to 4 pairs and 0 to 4 checks each from 4 stories"):
            deal("1234", "xy", raters, pairs, checks, random.Random(0))


class TestFolder:
    def test_is_read_as_it_was_made_wherever_it_lies(self, own: tuple[Study, Path]) -> None:
        assert read_study(own[1]) == own[0]
        assert sorted(path.name for path in own[1].iterdir()) == [PICTURES, STUDY]
        assert len(set(links(own[0], "http://x/"))) == DESIGN.raters

    def test_pictures_are_bare_copies_in_order(self, made: tuple[Study, Path]) -> None:
        study, folder = made
        names = shown(study.pairs.values())
        assert names == {path.name for path in (folder / PICTURES).iterdir()}
        strip = next(s for p in study.pairs.values() for s in (p.a, p.b) if s.side.method == "theirs")
        number = int(strip.side.story[-6:])
        for t, name in enumerate(strip.pictures):
            with Image.open(folder / PICTURES / name) as image:
                assert image.info == {}
                assert image.tobytes() == picture(1000 + 10 * number + t, 16).tobytes()

    def test_what_is_taken_or_cannot_be_leaves_nothing(self, tmp_path: Path) -> None:
        tell(tmp_path / "ours", 2, 0)
        ours = told_by_method(tmp_path / "ours")
        with pytest.raises(ConfigError, match="got 1; expected two or more"):
            new_study({"ours": ours}, DESIGN, tmp_path / "study")
        (tmp_path / "ours" / "00001-test" / "002.png").write_bytes(b"no picture")
        with pytest.raises(ArldmError, match="is not a picture"):
            new_study({"ours": ours, "again": ours}, Design(2, 2, 0), tmp_path / "study")
        with pytest.raises(OutputError, match="is there already"):
            new_study({"ours": ours, "again": ours}, Design(2, 2, 0), tmp_path / "ours")
        assert [path.name for path in tmp_path.iterdir()] == ["ours"]

    def test_pictures_that_could_be_shown_in_several_ways_are_refused(self, tmp_path: Path) -> None:
        tell(tmp_path / "ours", 1, 0)
        ours, path = told_by_method(tmp_path / "ours"), tmp_path / "ours" / "00000-test" / "001.png"
        for image, more, said in (
            (Image.new("I;16", (16, 16), 900), {}, "is of 16 bits"),
            (Image.new("RGBA", (16, 16), (255, 0, 0, 0)), {}, "is transparent in places"),
            (picture(1), {"save_all": True, "append_images": [picture(2)]}, "holds 2 pictures"),
        ):
            image.save(path, **more)
            with pytest.raises(PictureError, match=f"001.png: {said}"):
                new_study({"ours": ours, "again": ours}, Design(1, 1, 0), tmp_path / "study")
        assert not (tmp_path / "study").exists()

    def test_one_that_is_broken_is_named(self, own: tuple[Study, Path]) -> None:
        study, folder = own
        lost = min(shown(study.pairs.values()))
        (folder / PICTURES / lost).unlink()
        with pytest.raises(SurveyError, match=f"1 pictures are lost .{lost}"):
            read_study(folder)
        held = json.loads((folder / STUDY).read_text())
        held["raters"][next(iter(held["raters"]))][0] = "nothing"
        for text, said in ((json.dumps(held), "pair nothing, which it lacks"), ("{}", "is not a study"), ("[", "is not a study")):
            (folder / STUDY).write_text(text)
            with pytest.raises(SurveyError, match=said):
                read_study(folder)
        with pytest.raises(SurveyError, match="not there; expected a study's folder"):
            read_study(folder / "none")


class TestMethods:
    def test_stories_that_one_lacks_are_named(self, tmp_path: Path) -> None:
        tell(tmp_path / "ours", 4, 0)
        tell(tmp_path / "theirs", 2, 1)
        methods = {name: told_by_method(tmp_path / name) for name in METHODS}
        with pytest.raises(SurveyError, match=r"theirs: lacks 2 of 4 stories \(test-000002, test-000003\); expected the same"):
            captions_in_common(methods)

    def test_a_folder_a_story_takes_its_captions_from_the_other_method(self, tmp_path: Path) -> None:
        tell(tmp_path / "ours", 2, 0)
        for number in range(2):
            for t in range(3):
                path = tmp_path / "theirs" / f"test-{number:06d}" / f"{t}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                picture(t).save(path)
        ours, theirs = (told_by_method(tmp_path / name) for name in METHODS)
        assert captions_in_common({"o": ours, "t": theirs}) == {id: story.captions for id, story in ours.items()}
        with pytest.raises(SurveyError, match="no method's folder has its captions"):
            captions_in_common({"t": theirs})
        (tmp_path / "theirs" / "test-000001" / "2.jpg").unlink()
        with pytest.raises(SurveyError, match="story test-000001: t has 2 pictures; expected 3"):
            captions_in_common({"o": ours, "t": told_by_method(tmp_path / "theirs")})

    def test_other_captions_and_unfinished_stories(self, tmp_path: Path) -> None:
        tell(tmp_path / "ours", 1, 0)
        shutil.copytree(tmp_path / "ours", tmp_path / "theirs")
        held = tmp_path / "theirs" / "00000-test" / STORY
        held.write_text(held.read_text().replace("kite", "cow"))
        with pytest.raises(SurveyError, match="has other captions in o than in t"):
            captions_in_common({"o": told_by_method(tmp_path / "ours"), "t": told_by_method(tmp_path / "theirs")})
        (tmp_path / "theirs" / "00000-test" / "001.png").unlink()
        with pytest.raises(SurveyError, match="has 2 pictures; expected 3, one a caption, tell it to its end"):
            told_by_method(tmp_path / "theirs")
        shutil.rmtree(tmp_path / "theirs" / "00000-test")
        for name in ("theirs", "empty"):
            (tmp_path / name).mkdir(exist_ok=True)
            with pytest.raises(PictureError, match=f"{name}: holds no pictures"):
                told_by_method(tmp_path / name)

    def test_any_layout_of_pictures(self, tmp_path: Path) -> None:
        for t in range(3):
            picture(t).save(tmp_path / f"gen_sample_0_{t}.png")
        assert len(told_by_method(tmp_path)["0"].pictures) == 3


def vote_once(study: Study, folder: Path) -> None:
    """The first rater's first pair, a row for each question."""
    votes = Votes(folder, study)
    rater, pairs = next(iter(study.raters.items()))
    votes.put(rater, pairs[0], dict.fromkeys(QUESTIONS, "a"))
    votes.close()


class TestVotes:
    def test_the_first_answers_count(self, own: tuple[Study, Path]) -> None:
        study, folder = own
        votes = Votes(folder, study)
        rater, pairs = next(iter(study.raters.items()))
        assert votes.put(rater, pairs[0], dict.fromkeys(QUESTIONS, "a"), "x", 3.5) == "new"
        assert votes.put(rater, pairs[0], dict.fromkeys(QUESTIONS, "a"), "x", 9.0) == "same"
        assert votes.put(rater, pairs[0], dict.fromkeys(QUESTIONS, "b"), "y", 1.0) == "other"
        assert votes.answers(rater) == {pairs[0]: dict.fromkeys(QUESTIONS, "a")}
        votes.close()
        found = read_votes(folder, study)
        assert [(vote.question, vote.answer, vote.browser, vote.seconds) for vote in found] == [
            (q, "a", "x", 3.5) for q in QUESTIONS
        ]

    def test_what_was_not_asked_is_refused_whole(self, own: tuple[Study, Path]) -> None:
        study, folder = own
        votes = Votes(folder, study)
        (rater, pairs), (_, others) = list(study.raters.items())[:2]
        foreign = next(pair for pair in others if pair not in pairs)
        for who, pair, answers in (
            ("nobody", pairs[0], dict.fromkeys(QUESTIONS, "a")),
            (rater, foreign, dict.fromkeys(QUESTIONS, "a")),
            (rater, pairs[0], {"quality": "a"}),
            (rater, pairs[0], dict.fromkeys(QUESTIONS, "ours")),
        ):
            with pytest.raises(SurveyError):
                votes.put(who, pair, answers)
        votes.close()
        assert read_votes(folder, study) == []

    def test_are_neither_changed_nor_removed(self, own: tuple[Study, Path]) -> None:
        study, folder = own
        vote_once(study, folder)
        file = sqlite3.connect(folder / VOTES)
        kept = [name for _, name, *_ in file.execute("pragma table_info(votes)")]
        assert kept == ["rater", "pair", "question", "answer", "browser", "seconds"]  # as raters are told: nothing else
        for change in ("update votes set answer = 'b'", "delete from votes"):
            with pytest.raises(sqlite3.IntegrityError, match="votes are not"):
                file.execute(change)
        file.close()

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ("insert into votes values ('nobody', 'p', 'quality', 'a', '', 0)", r"row 4 \(rater nobody, pair p, quality: a\)"),
            ("insert into votes select rater, pair, 'beauty', 'a', '', 0 from votes limit 1", "row 4 .* is no answer"),
            ("insert into votes select * from votes limit 1", "row 4 answers quality of pair .* again; fetch"),
            ("update study set id = 'other'", "holds votes of study other, this one is"),
            ("drop table votes", "cannot be read .* expected a study's votes"),
        ],
    )
    def test_rows_that_do_not_belong_are_named(self, own: tuple[Study, Path], change: str, said: str) -> None:
        study, folder = own
        vote_once(study, folder)
        file = sqlite3.connect(folder / VOTES, isolation_level=None)  # as somebody's script may have written it, without our rules
        file.executescript(
            "create table other as select * from votes; drop table votes; alter table other rename to votes;" + change
        )
        file.close()
        with pytest.raises(SurveyError, match=said):
            read_votes(folder, study)

    def test_rows_that_do_not_belong_can_be_taken_out_as_it_is_said(self, own: tuple[Study, Path]) -> None:
        study, folder = own
        vote_once(study, folder)
        with closing(sqlite3.connect(folder / VOTES, isolation_level=None)) as file:
            for foreign in ("nobody", "else"):
                file.execute("insert into votes values (?, 'p', 'quality', 'a', '', 0)", (foreign,))
            with pytest.raises(SurveyError, match=r"row 4 .* take out") as refusal:
                Votes(folder, study)
            file.executescript(str(refusal.value).split('"')[1])
            assert len(read_votes(folder, study)) == len(QUESTIONS)
            Votes(folder, study).close()
            with pytest.raises(sqlite3.IntegrityError, match="votes are not removed"):  # served again, the rule is there again
                file.execute("delete from votes")
        file.close()

    def test_a_file_that_is_none(self, own: tuple[Study, Path]) -> None:
        study, folder = own
        with pytest.raises(SurveyError, match="not there; expected votes, run `arldm survey serve"):
            read_votes(folder, study)
        (folder / VOTES).write_bytes(b"x" * 5000)
        for use in (read_votes, Votes):
            with pytest.raises(SurveyError, match=r"votes.sqlite: cannot be"):
                use(folder, study)

    def test_many_at_once(self, own: tuple[Study, Path]) -> None:
        """Every rater's every pair, each sent by two threads at the same time: one is new, the other the same."""
        study, folder = own
        votes, kept = Votes(folder, study), []
        asked = [(rater, pair) for rater, pairs in study.raters.items() for pair in pairs] * 2

        def send(part: list[tuple[str, str]]) -> None:
            kept.extend(votes.put(rater, pair, dict.fromkeys(QUESTIONS, "tie")) for rater, pair in part)

        threads = [threading.Thread(target=send, args=(asked[start::8],)) for start in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        votes.close()
        assert Counter(kept) == {"new": len(asked) // 2, "same": len(asked) // 2}
        assert len(read_votes(folder, study)) == len(asked) // 2 * len(QUESTIONS)


class TestPages:
    @pytest.fixture
    def client(self, own: tuple[Study, Path]):
        votes = Votes(own[1], own[0])
        with TestClient(survey_app(*own, votes), follow_redirects=False) as client:
            yield client
        votes.close()

    def test_a_rater_goes_through_back_and_on(self, own: tuple[Study, Path], client: TestClient) -> None:
        study, _ = own
        rater, pairs = next(iter(study.raters.items()))
        assert "Start" in client.get(f"/r/{rater}").text
        for number, pair in enumerate(pairs, 1):
            assert client.get(f"/r/{rater}/{number + 1}").headers["location"] == f"/r/{rater}/{number}"  # none is left out
            assert f"Pair <b>{number}</b> of {len(pairs)}" in client.get(f"/r/{rater}/{number}").text
            ballot = {"answers": answer(study.pairs[pair], "ours"), "seconds": 4.0}
            assert client.post(f"/r/{rater}/{number}", json=ballot).json() == {"kept": "new"}
        back = client.get(f"/r/{rater}/1").text
        assert "cannot be changed" in back
        assert back.count("checked") == len(QUESTIONS)
        other = {"answers": dict.fromkeys(QUESTIONS, "tie"), "seconds": 1.0}
        assert client.post(f"/r/{rater}/1", json=other).status_code == 409
        assert "Thank you" in client.get(f"/r/{rater}/{len(pairs) + 1}").text
        assert "All is answered" in client.get(f"/r/{rater}").text

    def test_a_disk_that_takes_no_more_is_no_refusal(self, own: tuple[Study, Path], capfd: pytest.CaptureFixture[str]) -> None:
        study, folder = own
        rater, pairs = next(iter(study.raters.items()))
        votes = Votes(folder, study)
        votes._file.execute("pragma query_only = 1")  # nothing more can be written
        with pytest.raises(OutputError, match="the vote cannot be kept"):
            votes.put(rater, pairs[0], dict.fromkeys(QUESTIONS, "a"))
        ballot = {"answers": dict.fromkeys(QUESTIONS, "a"), "seconds": 1.0}
        assert TestClient(survey_app(study, folder, votes)).post(f"/r/{rater}/1", json=ballot).status_code == 503
        assert "cannot be kept" in capfd.readouterr().err

    def test_only_pages_know_a_browser_again(self, own: tuple[Study, Path], client: TestClient) -> None:
        name = next(iter(shown(own[0].pairs.values())))
        assert "set-cookie" not in client.get(f"/p/{name}").headers
        assert "set-cookie" in client.get("/").headers

    def test_what_is_not_there(self, own: tuple[Study, Path], client: TestClient) -> None:
        rater = next(iter(own[0].raters))
        ballot = {"answers": dict.fromkeys(QUESTIONS, "a"), "seconds": 1.0}
        for path in (
            "/r/nobody",
            "/r/nobody/1",
            "/p/study.json",
            "/p/..%2Fstudy.json",
            "/static/../survey.py",
            "/docs",
            "/openapi.json",
        ):
            assert client.get(path).status_code == 404, path
        assert client.get("/").status_code == 200
        assert client.post("/r/nobody/1", json=ballot).status_code == 404
        assert client.post(f"/r/{rater}/99", json=ballot).status_code == 404
        assert client.post(f"/r/{rater}/1", json={"answers": {"quality": "a"}, "seconds": 1.0}).status_code == 400
        for bad in ({}, {"answers": {}, "seconds": -1}, {"answers": {str(n): "a" for n in range(99)}, "seconds": 1}):
            assert client.post(f"/r/{rater}/1", json=bad).status_code == 400
        for seconds in ("NaN", "Infinity"):  # which no answer in JSON can repeat
            assert client.post(f"/r/{rater}/1", content=f'{{"answers": {{}}, "seconds": {seconds}}}').status_code == 400
        for path in (f"/r/{rater}/1", "/r/nobody/1"):
            assert client.post(path, content=b" " * 20_000).status_code == 413

    def test_nothing_tells_the_method(self, own: tuple[Study, Path], client: TestClient) -> None:
        """Not the page, a file's name, bytes or date, an order, or a header; and a check looks like any other pair."""
        study, _ = own
        seen: dict[str, list[str]] = {}
        shapes = set()
        for rater, pairs in study.raters.items():
            for number, id in enumerate(pairs, 1):
                pair = study.pairs[id]
                reply = client.get(f"/r/{rater}/{number}")
                for word in (*METHODS, "method", "shuffle", "check_", pair.story, id, study.id):
                    assert word not in reply.text.lower().replace("checked", "")
                assert not {"etag", "last-modified", "server"} & set(reply.headers)
                head, page = reply.text.split("</head>")
                frames = len(study.captions[pair.story])
                assert len(set(re.findall(r"/p/[0-9a-f]{16}", page))) == 2 * frames  # a check's sides share no names
                assert head.count("prefetch") == (2 * frames if number < len(pairs) else 0)
                for caption in study.captions[pair.story]:
                    page = page.replace(caption, "caption")
                page = page.replace('<a href="/r/' + rater + f'/{number - 1}">Look back</a>\n', "")
                shapes.add(re.sub(rf"/r/{rater}(/\d+)?|<b>\d+</b>|value=\"\d+\"|/p/[0-9a-f]{{16}}\.png", "", page))
                for strip in (pair.a, pair.b):
                    seen.setdefault(strip.side.method, []).extend(strip.pictures)
                client.post(f"/r/{rater}/{number}", json={"answers": answer(pair, "ours"), "seconds": 1.0})
        assert len(shapes) == 1, sorted(shapes)[:2]
        headers = {name: client.get(f"/p/{name}").headers for names in seen.values() for name in set(names)}
        assert {tuple(sorted(set(one))) for one in headers.values()} == {tuple(sorted(set(next(iter(headers.values())))))}
        assert len({one["cache-control"] + one["content-type"] for one in headers.values()}) == 1
        assert not {"etag", "last-modified"} & {name for one in headers.values() for name in one}  # files may be written in turn
        both = sorted(headers)
        switches = sum((a in seen["ours"]) != (b in seen["ours"]) for a, b in pairwise(both))
        assert switches > len(both) / 5  # names in order do not part the methods


class TestCommand:
    def test_new_and_plan(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        for number, name in enumerate(METHODS):
            tell(tmp_path / name, 6, number)
        methods = ["--methods", *(f"{name}={tmp_path / name}" for name in METHODS)]
        small = ["--raters", "3", "--pairs", "3", "--checks", "1", "--stories", "4"]
        assert main(["survey", "new", *methods, *small, "--out", str(tmp_path / "study")]) == 0
        assert "4 stories of ours, theirs; 3 raters, 3 pairs and 1 checks each\nnote: nobody can fail" in capfd.readouterr().out
        assert set(read_study(tmp_path / "study").captions) == {f"test-{n:06d}" for n in range(4)}
        assert main(["survey", "new", *methods, "--pairs", "6", "--plan"]) == 0
        assert "6 stories, 6 pairs a rater" in capfd.readouterr().out
        assert main(["survey", "new", "--stories", "60", "--plan"]) == 0
        said = capfd.readouterr().out
        assert "take more stories" in said
        assert "30%" in said
        assert main(["survey", "new", "--stories", "60", "--plan", "--ties", "0.8"]) == 0
        assert "30%  cannot be with so many ties" in capfd.readouterr().out

    def test_what_is_refused(self, own: tuple[Study, Path], tmp_path: Path, refused: Refused) -> None:
        out = ["--out", str(tmp_path / "out")]
        refused(["survey", "new"], "--out: not given")
        refused(["survey", "new", "--methods", "x", *out], "got 'x'; expected NAME=FOLDER")
        refused(["survey", "new", "--methods", f"x={tmp_path}", f"x={tmp_path}", *out], "each name once")
        refused(["survey", "new", "--methods", f"x={tmp_path / 'none'}", *out], "is no folder")
        refused(["survey", "new", "--stories", "-1", *out], "--stories: got -1")
        refused(["survey", "new", "--plan"], "--plan: got 0 stories")
        refused(["survey", "new", "--plan", "--stories", "5", "--pairs", "6"], "--pairs: got 6; expected 1 to 5")
        refused(["survey", "serve", str(tmp_path)], "study.json: not there")
        refused(["survey", "serve", str(own[1]), "--port", "99999"], "--port: got 99999")
        refused(["survey", "report", str(own[1])], "votes.sqlite: not there")
        assert not (tmp_path / "out").exists()

    def test_a_port_that_is_taken(self, own: tuple[Study, Path], refused: Refused) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            refused(["survey", "serve", str(own[1]), "--port", str(port)], f"127.0.0.1:{port} cannot be served", "another --port")
        assert not (own[1] / VOTES).exists()

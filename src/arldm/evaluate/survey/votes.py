"""Votes in a SQLite file: only ever appended, each (rater, pair, question) once, none lost once it was acknowledged. No torch."""

import sqlite3
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal

from arldm.errors import OutputError, SurveyError
from arldm.evaluate.survey.study import ANSWERS, QUESTIONS, Study

VOTES = "votes.sqlite"
Kept = Literal["new", "same", "other"]
_SCHEMA = """
create table if not exists study (id text primary key) strict;
create table if not exists votes (
    rater text not null, pair text not null, question text not null, answer text not null,
    browser text not null, seconds real not null,
    primary key (rater, pair, question)
) strict;
create trigger if not exists votes_stay before update on votes begin select raise(abort, 'votes are not changed'); end;
create trigger if not exists votes_are_kept before delete on votes begin select raise(abort, 'votes are not removed'); end;
"""


@dataclass(frozen=True, slots=True)
class Vote:
    """One rater's answer to one question about a pair: "a", "tie" or "b"; the seconds that the pair took, and in which browser."""

    rater: str
    pair: str
    question: str
    answer: str
    browser: str
    seconds: float


class Votes:
    """The votes of a study while it is being served; may be called from several threads. Raises SurveyError."""

    def __init__(self, folder: Path, study: Study) -> None:
        self._study, self._lock = study, Lock()
        path = folder / VOTES
        try:
            with ExitStack() as unless_sound:
                file = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
                unless_sound.callback(file.close)
                file.execute("pragma journal_mode = wal")
                file.execute("pragma synchronous = full")  # acknowledged means on the disk, were the power to fail
                file.executescript(_SCHEMA)
                file.execute("insert or ignore into study select ? where not exists (select * from study)", (study.id,))
                check(file, study, path)
                unless_sound.pop_all()
            self._file = file
        except sqlite3.Error as error:
            raise SurveyError(
                f"{path}: cannot be used ({error}); expected the study's votes or none, on a disk with room"
            ) from error

    def answers(self, rater: str) -> dict[str, dict[str, str]]:
        """What a rater has answered so far: pair -> question -> answer."""
        with self._lock:
            rows = self._file.execute("select pair, question, answer from votes where rater = ?", (rater,)).fetchall()
        found: dict[str, dict[str, str]] = {}
        for pair, question, answer in rows:
            found.setdefault(pair, {})[question] = answer
        return found

    def put(self, rater: str, pair: str, answers: Mapping[str, str], browser: str = "", seconds: float = 0.0) -> Kept:
        """Keep a rater's answers about a pair, all of them or none; the first ones count.

        "new": they are on the disk. "same": they were there already, as when a browser asks twice. "other": others were, and stay.
        Raises SurveyError for answers that the study did not ask for, and OutputError where the disk takes no more.
        """
        if pair not in self._study.raters.get(rater, ()):
            raise SurveyError(f"rater {rater!r}: has no pair {pair!r} in this study; open the link again")
        if set(answers) != set(QUESTIONS) or not set(answers.values()) <= set(ANSWERS):
            raise SurveyError(f"answers: got {dict(answers)}; expected {', '.join(QUESTIONS)}, each {', '.join(ANSWERS)}")
        rows = [(rater, pair, question, answers[question], browser, seconds) for question in QUESTIONS]
        insert = "insert into votes (rater, pair, question, answer, browser, seconds) values (?, ?, ?, ?, ?, ?)"
        with self._lock:
            try:
                self._file.execute("begin immediate")
                self._file.executemany(insert, rows)
                self._file.execute("commit")
                return "new"
            except sqlite3.IntegrityError:
                self._file.execute("rollback")
            except sqlite3.Error as error:
                if self._file.in_transaction:
                    self._file.execute("rollback")
                raise OutputError(f"{VOTES}: the vote cannot be kept ({error}); free some space and send it again") from error
        return "same" if self.answers(rater).get(pair) == dict(answers) else "other"

    def close(self) -> None:
        """Bring all into the one file, so that it can be copied alone."""
        with self._lock:
            self._file.close()


def read_votes(folder: Path, study: Study) -> list[Vote]:
    """All votes of a study, in the order in which they came; it may be served meanwhile. Raises SurveyError for a foreign row."""
    path = folder / VOTES
    if not path.exists():
        raise SurveyError(f"{path}: not there; expected votes, run `arldm survey serve {folder}` and hand out the links first")
    try:
        with closing(sqlite3.connect(path, timeout=30)) as file:
            check(file, study, path)
            rows = file.execute("select rater, pair, question, answer, browser, seconds from votes order by rowid").fetchall()
    except sqlite3.Error as error:
        raise SurveyError(f"{path}: cannot be read ({error}); expected a study's votes, fetch the file again") from error
    return [Vote(*row) for row in rows]


def check(file: sqlite3.Connection, study: Study, path: Path) -> None:
    """Raises SurveyError for votes of another study, of nobody, on nothing, or counted twice; it says how to take such rows out."""
    if (found := [id for (id,) in file.execute("select id from study")]) != [study.id]:
        raise SurveyError(f"{path}: holds votes of study {', '.join(found) or '?'}, this one is {study.id}; put its own file there")
    asked = {(rater, pair) for rater, pairs in study.raters.items() for pair in pairs}
    seen: set[tuple[str, str, str]] = set()
    wrong: dict[int, str] = {}
    for row, rater, pair, question, answer in file.execute("select rowid, rater, pair, question, answer from votes order by rowid"):
        if (rater, pair) not in asked or question not in QUESTIONS or answer not in ANSWERS:
            wrong[row] = f"(rater {rater}, pair {pair}, {question}: {answer}) is no answer to what this study asks"
        elif (rater, pair, question) in seen:
            wrong[row] = f"answers {question} of pair {pair} by rater {rater} again"
        seen.add((rater, pair, question))
    if wrong:
        row, got = next(iter(wrong.items()))
        rows = ", ".join(map(str, wrong))
        take_out = f'sqlite3 {path} "drop trigger if exists votes_are_kept; delete from votes where rowid in ({rows})"'
        raise SurveyError(f"{path}: row {row} {got}; fetch the file again or take out what does not belong there: {take_out}")

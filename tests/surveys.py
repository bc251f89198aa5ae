"""Small studies for tests: real pictures, real votes, a real server."""

import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arldm.evaluate.survey.methods import told_by_method
from arldm.evaluate.survey.study import QUESTIONS, Design, Pair, Study, new_study
from arldm.evaluate.survey.votes import Votes
from arldm.story import Frame, Story
from arldm.story_files import StoryFolder
from conftest import CAPTIONS, picture

METHODS = ("ours", "theirs")


def tell(folder: Path, stories: int, number: int, frames: int = 3) -> None:
    """What `arldm sample` would leave of a method: a folder a story, with metadata in its pictures."""
    for index in range(stories):
        captions = [f"{CAPTIONS[t]} ({index})" for t in range(frames)]
        story = Story(f"test-{index:06d}", tuple(Frame(caption) for caption in captions))
        told = StoryFolder(folder / f"{index:05}-test", story)
        told.begin(story)
        pictures = [picture(1000 * number + 10 * index + t, 16) for t in range(frames)]
        for t, one in enumerate(pictures):
            told.keep(t, one, {"arldm": f"drawn by method {number}"})
        told.finish(pictures)


def study(folder: Path, design: Design, stories: int = 12, methods: tuple[str, ...] = METHODS) -> Study:
    """A study in `folder / "study"` of methods that are told beside it."""
    for number, name in enumerate(methods):
        tell(folder / name, stories, number)
    return new_study({name: told_by_method(folder / name) for name in methods}, design, folder / "study")


def answer(pair: Pair, better: str, attentive: bool = True) -> dict[str, str]:
    """One rater's answers: a method always wins, and a shuffled story is seen or taken for the better one."""
    side = "a" if (pair.b.side.shuffled == attentive if pair.is_check else pair.a.side.method == better) else "b"
    return dict.fromkeys(QUESTIONS, side)


def all_vote(study: Study, folder: Path, seed: int = 0, careless: int = -1, win: float = 0.6) -> None:
    """Every rater answers everything; the first method wins, ties or loses at random, the careless one fails every check."""
    dice, votes = random.Random(seed), Votes(folder, study)
    for number, (rater, pairs) in enumerate(study.raters.items()):
        for id in pairs:
            pair = study.pairs[id]
            better = dice.choices((*study.methods[:2], ""), (win, 0.8 - win, 0.2))[0]
            tied = not better and not pair.is_check
            votes.put(rater, id, dict.fromkeys(QUESTIONS, "tie") if tied else answer(pair, better, number != careless), "", 5.0)
    votes.close()


@contextmanager
def served(folder: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, warnings being errors, and its address."""
    command = [sys.executable, "-W", "error", "-m", "arldm", "survey", "serve", str(folder), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.match(r"(http://[\d.:]+): ", said)
        assert found, said + process.stdout.read()
        yield process, found[1]
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()

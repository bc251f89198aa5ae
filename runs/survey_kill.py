"""Kills the survey's server at random moments while many vote: is every acknowledged vote there, once?

`python runs/survey_kill.py [KILLS] [CLIENTS]`; then 1,000 votes are sent at once to one that nobody kills.
"""

import asyncio
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from PIL import Image

from arldm.evaluate.survey.methods import ToldStory
from arldm.evaluate.survey.study import QUESTIONS, Design, Study, new_study
from arldm.evaluate.survey.votes import VOTES, read_votes

PORT = 8321
BODY = b'{"answers": {"quality": "a", "relevance": "tie", "consistency": "b"}, "seconds": 1}'
Sent = tuple[str, int]


def made(folder: Path, raters: int, pairs: int) -> Study:
    """A study of grey pictures."""
    pictures = [folder / f"{shade}.png" for shade in range(2)]
    for shade, path in enumerate(pictures):
        Image.new("L", (8, 8), 255 * shade).save(path)
    told = {f"{number:03}": ToldStory(tuple(pictures), ("black", "white")) for number in range(pairs)}
    return new_study({"x": told, "y": told}, Design(raters, pairs, checks=0), folder / "study")


def started(folder: Path) -> subprocess.Popen[bytes]:
    """A server, as soon as it answers."""
    command = [sys.executable, "-m", "arldm", "survey", "serve", str(folder), "--port", str(PORT)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    if not process.stdout.readline():
        raise SystemExit("the server does not start")
    return process


async def sent(rater: str, number: int) -> int:
    """The status of one vote; 0 = nobody answered."""
    head = f"POST /r/{rater}/{number} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        writer.write(f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
        line = await reader.readline()
        writer.close()
    except OSError:
        return 0
    return int(line.split()[1]) if line else 0


async def vote(rater: str, pairs: int, acknowledged: Counter[Sent], unsure: set[Sent], end: asyncio.Event) -> None:
    """One client: pair after pair, each until it is acknowledged."""
    for number in range(1, pairs + 1):
        while not acknowledged[rater, number]:
            if end.is_set():
                return
            status = await sent(rater, number)
            if status == 200:
                acknowledged[rater, number] += 1
            elif status:
                raise SystemExit(f"got {status} for pair {number} of {rater}")
            else:
                unsure.add((rater, number))
                await asyncio.sleep(0.05)


async def killed(study: Study, folder: Path, kills: int, clients: int) -> tuple[Counter[Sent], set[Sent]]:
    """Votes under fire: what was acknowledged, and what was sent and not answered at least once."""
    acknowledged: Counter[Sent] = Counter()
    unsure: set[Sent] = set()
    end, dice = asyncio.Event(), random.Random(0)
    process = await asyncio.to_thread(started, folder)
    pairs = len(next(iter(study.raters.values())))
    voting = [asyncio.create_task(vote(rater, pairs, acknowledged, unsure, end)) for rater in list(study.raters)[:clients]]
    for kill in range(1, kills + 1):
        before = len(acknowledged)
        until = before + dice.randrange(20, 120)
        while len(acknowledged) < until and not all(task.done() for task in voting):
            await asyncio.sleep(0.002)
        process.kill()
        process.wait()
        print(f"kill {kill:2}: {len(acknowledged)} votes acknowledged", flush=True)
        process = await asyncio.to_thread(started, folder)
    end.set()
    await asyncio.gather(*voting)
    process.kill()
    process.wait()
    return acknowledged, unsure


async def at_once(study: Study, folder: Path, count: int) -> tuple[int, float]:
    """How many of so many votes that are sent at the same moment are acknowledged, and the seconds that it took."""
    process = await asyncio.to_thread(started, folder)
    asked = [(rater, number) for rater, pairs in study.raters.items() for number in range(1, len(pairs) + 1)][:count]
    start = time.monotonic()
    statuses = await asyncio.gather(*(sent(*one) for one in asked))
    seconds = time.monotonic() - start
    process.terminate()
    process.wait()
    return statuses.count(200), seconds


def compared(study: Study, folder: Path, acknowledged: set[Sent], unsure: set[Sent]) -> bool:
    """Say what is there; True = all that was acknowledged, each once, and nothing that was not sent."""
    found = Counter((vote.rater, study.raters[vote.rater].index(vote.pair) + 1) for vote in read_votes(folder, study))
    with closing(sqlite3.connect(folder / VOTES)) as file:
        whole = file.execute("pragma integrity_check").fetchone() == ("ok",)
    lost = [one for one in acknowledged if found[one] != len(QUESTIONS)]
    halves = [one for one, answers in found.items() if answers != len(QUESTIONS)]
    foreign = set(found) - acknowledged - unsure
    bad = f"{len(lost)} lost, {len(halves)} half or doubled, {len(foreign)} foreign"
    print(f"{len(acknowledged)} acknowledged, {len(found)} there: {bad}")
    print("the file is whole" if whole else "THE FILE IS BROKEN")
    return whole and not lost and not halves and not foreign


def main(kills: int, clients: int) -> int:
    """The exit status says whether all is there."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = made(folder, max(clients, 64), 60)
        acknowledged, unsure = asyncio.run(killed(study, folder / "study", kills, clients))
        good = compared(study, folder / "study", set(acknowledged), unsure)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = made(folder, 50, 20)
        kept, seconds = asyncio.run(at_once(study, folder / "study", 1_000))
        print(f"1,000 votes at once: {kept} acknowledged in {seconds:.1f} s")
        good &= compared(study, folder / "study", {(r, n) for r, p in study.raters.items() for n in range(1, len(p) + 1)}, set())
    return int(not good)


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if sys.argv[1:] else 20, int(sys.argv[2]) if sys.argv[2:] else 64))

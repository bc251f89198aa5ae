"""A human study in a real browser, and under kill -9. Needs Debian's chromium, or the one that CHROMIUM names."""

import os
import sqlite3
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPException
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from arldm.evaluate.survey.study import QUESTIONS, Design, Study
from arldm.evaluate.survey.votes import VOTES, read_votes
from surveys import answer, served, study

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
ANSWER_AT = {"a": "1", "tie": "2", "b": "3"}
PATIENT = 60_000  # milliseconds; the machine may be busy
needs_browser = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed; apt-get install chromium")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Path]:
    folder = tmp_path_factory.mktemp("browser")
    return study(folder, Design(raters=4, pairs=10, checks=2)), folder / "study"


@pytest.fixture(scope="module")
def address(made: tuple[Study, Path]) -> Iterator[str]:
    with served(made[1]) as (_, address):
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        yield browser
        browser.close()


def click(page: Page, answers: dict[str, str]) -> None:
    """Answer as one does with a mouse."""
    for question, chosen in answers.items():
        page.locator(f"input[name={question}][value={chosen}]").click()
    page.get_by_role("button", name="Send").click()


def touch(page: Page, answers: dict[str, str]) -> None:
    """Answer as one does on a phone."""
    for question, chosen in answers.items():
        page.locator(f"input[name={question}][value={chosen}]").tap()
    page.get_by_role("button", name="Send").tap()


def type_keys(page: Page, answers: dict[str, str]) -> None:
    """Answer with the keyboard alone, a mistake mended in between."""
    page.keyboard.press("2")
    page.keyboard.press("Backspace")
    for chosen in answers.values():
        page.keyboard.press(ANSWER_AT[chosen])
    page.keyboard.press("Enter")


@needs_browser
@pytest.mark.parametrize("how", ["mouse", "keyboard", "phone"])
def test_twelve_pairs_reloaded_in_the_middle(made: tuple[Study, Path], address: str, browser: Browser, how: str) -> None:
    study, folder = made
    place = ["mouse", "keyboard", "phone"].index(how)
    rater, pairs = list(study.raters.items())[place]
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    context = browser.new_context(**(phone if how == "phone" else {"viewport": {"width": 1366, "height": 768}}))  # type: ignore[arg-type]
    context.set_default_timeout(PATIENT)
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{address}/r/{rater}")
    if how == "keyboard":
        page.locator("a.button:focus").wait_for()  # Start is where one begins
        page.keyboard.press("Enter")
    else:
        page.get_by_role("link", name="Start").click()
    for number, pair in enumerate(pairs, 1):
        page.wait_for_url(f"**/r/{rater}/{number}")
        if number == 6:
            page.locator("input[value=a]").first.click()
            page.reload()
            assert page.locator("input:checked").count() == 0
        if number == 8:  # another day, from the link
            page.goto(f"{address}/r/{rater}")
            page.get_by_role("link", name=f"Go on with pair {number} of {len(pairs)}").click()
            page.wait_for_url(f"**/r/{rater}/{number}")
        assert page.get_by_role("button", name="Send").is_disabled()
        assert all(page.locator("img").evaluate_all("all => all.slice(0, -1).map(one => one.complete && one.naturalWidth > 0)"))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        {"mouse": click, "keyboard": type_keys, "phone": touch}[how](page, answer(study.pairs[pair], "ours"))
    page.get_by_text("Thank you!").wait_for()
    page.go_back()
    page.get_by_text("cannot be changed").wait_for()
    assert said == []
    found = {(vote.pair, vote.question): vote for vote in read_votes(folder, study) if vote.rater == rater}
    expected = {(pair, question): chosen for pair in pairs for question, chosen in answer(study.pairs[pair], "ours").items()}
    assert {key: vote.answer for key, vote in found.items()} == expected
    assert len({vote.browser for vote in found.values()} - {""}) == 1
    assert all(vote.seconds > 0 for vote in found.values())
    context.close()


@needs_browser
def test_a_picture_is_enlarged_and_a_lost_server_waited_for(made: tuple[Study, Path], browser: Browser) -> None:
    study, folder = made
    rater, pairs = list(study.raters.items())[3]
    context = browser.new_context()
    context.set_default_timeout(PATIENT)
    page = context.new_page()
    with served(folder) as (_, address):
        page.goto(f"{address}/r/{rater}/1")
        page.locator(".picture.b").nth(1).click()
        assert page.locator("dialog p").inner_text() == study.captions[study.pairs[pairs[0]].story][1]
        page.keyboard.press("Escape")
    given = answer(study.pairs[pairs[0]], "theirs")
    type_keys(page, given)
    page.get_by_text("They are kept here").wait_for()
    for key in ("Backspace", "1"):  # what is being sent is what counts: it stays what is seen
        page.keyboard.press(key)
    assert page.locator("input:checked").evaluate_all("all => all.map(one => one.value)") == list(given.values())
    assert page.locator("fieldset:disabled").count() == len(QUESTIONS)
    with served(folder, port=int(address.rpartition(":")[2])):
        page.wait_for_url(f"**/r/{rater}/2")
    assert sum(vote.rater == rater for vote in read_votes(folder, study)) == len(QUESTIONS)
    context.close()


@needs_browser
def test_a_page_that_the_browser_kept_and_a_refusal_by_a_proxy(tmp_path: Path, browser: Browser) -> None:
    made, folder = study(tmp_path, Design(raters=1, pairs=3, checks=0), 3), tmp_path / "study"
    rater, pairs = next(iter(made.raters.items()))
    answers = answer(made.pairs[pairs[0]], "ours")
    context = browser.new_context()
    context.set_default_timeout(PATIENT)
    kept, other = context.new_page(), context.new_page()
    with served(folder) as (_, address):
        for page in (kept, other):
            page.goto(f"{address}/r/{rater}/1")
        other.route("**/1", lambda route: route.fulfill(status=413, body="<h1>Too large</h1>"))
        click(other, answers)
        other.get_by_text("The answers were refused").wait_for()
        other.unroute("**/1")
        other.get_by_role("button", name="Send").click()
        other.wait_for_url(f"**/r/{rater}/2")
        kept.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")  # as on the way back
        kept.get_by_text("cannot be changed").wait_for()
    context.close()


def test_what_was_acknowledged_survives_kill_nine(tmp_path: Path) -> None:
    """`runs/survey_kill.py` kills twenty times while 64 vote."""
    made, folder = study(tmp_path, Design(raters=8, pairs=10, checks=0)), tmp_path / "study"
    acknowledged: set[tuple[str, str]] = set()

    def vote(address: str, rater: str, pairs: tuple[str, ...]) -> None:
        for number, pair in enumerate(pairs, 1):
            if (rater, pair) in acknowledged:
                continue
            body = b'{"answers": {"quality": "a", "relevance": "tie", "consistency": "b"}, "seconds": 1}'
            request = urllib.request.Request(f"{address}/r/{rater}/{number}", body, {"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=20) as reply:
                    reply.read()
            except (OSError, HTTPException):  # the server was killed
                return
            acknowledged.add((rater, pair))

    for kill in (True, True, False):
        with served(folder) as (process, address):
            threads = [threading.Thread(target=vote, args=(address, *one)) for one in made.raters.items()]
            before = len(acknowledged)
            for thread in threads:
                thread.start()
            while kill and len(acknowledged) < before + 10:
                assert any(thread.is_alive() for thread in threads)
                time.sleep(0.005)
            if kill:
                process.kill()
            for thread in threads:
                thread.join()
    votes = read_votes(folder, made)
    assert len(votes) == len(QUESTIONS) * len(acknowledged) == len(QUESTIONS) * 80
    assert {(vote.rater, vote.pair) for vote in votes} == acknowledged
    with closing(sqlite3.connect(folder / VOTES)) as file:
        assert file.execute("pragma integrity_check").fetchone() == ("ok",)

"""`arldm survey new|serve|report`."""

import socket
from pathlib import Path
from typing import TYPE_CHECKING

from arldm.cli.preparing import check_installed
from arldm.errors import ConfigError, OutputError
from arldm.evaluate.survey.methods import ToldStory, captions_in_common, told_by_method
from arldm.writing import put_text

if TYPE_CHECKING:
    from arldm.cli.people import SurveyNew, SurveyServe

LINKS = "links.txt"
PLANNED = (0.05, 0.1, 0.15, 0.2, 0.3)


def new(options: "SurveyNew") -> int:
    """Make a study, or plan one."""
    if options.stories < 0:
        raise ConfigError(f"--stories: got {options.stories}; expected 0 for all, or more")
    methods = {name: told_by_method(folder) for name, folder in _named(options.methods).items()}
    if options.plan:
        return _plan(options, methods)
    if options.out is None:
        raise ConfigError("--out: not given; expected a new folder for the study, or --plan")
    from arldm.evaluate.survey.study import MISSES, Design, new_study

    captions = captions_in_common(methods) if options.stories and methods else {}
    chosen = list(captions)[: options.stories]
    if chosen:
        methods = {name: {id: told[id] for id in chosen} for name, told in methods.items()}
    study = new_study(methods, Design(options.raters, options.pairs, options.checks, options.seed), options.out)
    sizes = f"{len(study.raters)} raters, {options.pairs} pairs and {options.checks} checks each"
    print(f"{options.out}: {len(study.captions)} stories of {', '.join(study.methods)}; {sizes}")
    if options.checks <= MISSES:
        print(f"note: nobody can fail the checks, as {MISSES} may be missed; --checks {MISSES + 1} or more tell who does not look")
    print(f"next: arldm survey serve {options.out}")
    return 0


def _named(methods: tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for given in methods:
        name, equals, folder = given.partition("=")
        if not (name and equals and folder) or name in found:
            raise ConfigError(f"--methods: got {given!r}; expected NAME=FOLDER, each name once")
        found[name] = Path(folder)
    return found


def _plan(options: "SurveyNew", methods: dict[str, dict[str, ToldStory]]) -> int:
    from arldm.evaluate.survey.power import assumed, raters_needed

    stories = len(captions_in_common(methods)) if methods else 0
    stories = min(stories, options.stories) if stories and options.stories else stories or options.stories
    each = len(methods) * (len(methods) - 1) // 2 or 1
    spreads = options.rater_spread, options.story_spread
    if not stories or not 0 < options.power < 1 or not 0 <= options.ties < 1 or not all(0 <= one < 1 for one in spreads):
        got = f"{stories} stories, --power {options.power} --ties {options.ties}, spreads {spreads[0]} and {spreads[1]}"
        raise ConfigError(f"--plan: got {got}; expected --stories or --methods, and shares between 0 and 1")
    if not 1 <= options.pairs <= stories * each:
        raise ConfigError(f"--pairs: got {options.pairs}; expected 1 to {stories * each}, each rater sees a pair once")
    pairs = options.pairs / each
    print(f"{stories} stories, {options.pairs} pairs a rater, {options.ties:.0%} ties, power {options.power:.0%} at 95 %")
    print(f"margins vary between raters by {spreads[0]}, between stories by {spreads[1]} (standard deviations; assumed)")
    print(f"{'margin (win - lose)':>20}{'raters':>8}{'votes':>8}")
    for margin in PLANNED:
        variances = assumed(margin, options.ties, *spreads)
        if margin > 1 - options.ties or variances.rest < 0:
            cells = "  cannot be with so many ties and margins so different"
        else:
            needed = raters_needed(margin, variances, stories, pairs, options.power)
            cells = f"{needed:>8}{needed * options.pairs:>8}" if needed else "  no number of raters is enough: take more stories"
        print(f"{margin:>20.0%}{cells}")
    return 0


def serve(options: "SurveyServe") -> int:
    """Answer browsers until Ctrl-C."""
    check_installed("survey")
    import uvicorn

    from arldm.evaluate.survey.study import links, read_study
    from arldm.evaluate.survey.votes import Votes
    from arldm.web.survey import survey_app

    study = read_study(options.study)
    with _listening(options.host, options.port) as listener:
        reached = socket.gethostname() if options.host in ("0.0.0.0", "::") else options.host
        reached = f"[{reached}]" if ":" in reached else reached
        address = options.address or f"http://{reached}:{listener.getsockname()[1]}"
        votes = Votes(options.study, study)
        try:
            put_text(options.study / LINKS, "".join(f"{link}\n" for link in links(study, address)))
            print(f"{address}: {len(study.raters)} raters' links are in {options.study / LINKS}; Ctrl-C ends", flush=True)
            app = survey_app(study, options.study, votes)
            uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False)).run(sockets=[listener])
        finally:
            votes.close()
    return 0


def _listening(host: str, port: int) -> socket.socket:
    """A socket that nobody else listens on. Raises ConfigError, OutputError."""
    if not 0 <= port < 65536:
        raise ConfigError(f"--port: got {port}; expected 1 to 65535, or 0 for any that is free")
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048)
    except (OSError, TypeError, ValueError) as error:  # the latter of names that can be none
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"--port: {host}:{port} cannot be served ({reason}); choose another --port or --host") from error


def report(folder: Path) -> int:
    """Judge, print, write."""
    check_installed("survey")
    from arldm.evaluate.survey.human import judge
    from arldm.evaluate.survey.page import page, table, written
    from arldm.evaluate.survey.study import read_study
    from arldm.evaluate.survey.votes import read_votes

    study = read_study(folder)
    judged = judge(study, read_votes(folder, study))
    print(table(judged))
    for name, data in (("report.json", written(judged)), ("report.html", page(judged))):
        put_text(folder / name, data)
        print(folder / name)
    return 0

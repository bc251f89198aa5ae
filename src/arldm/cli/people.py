"""The commands of a human study, each a record of its options that can be called."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg, subcommand


@dataclass(frozen=True)
class SurveyNew:
    """Make a study's folder from stories that two or more methods told to the same captions."""

    methods: tuple[str, ...] = ()
    """NAME=FOLDER of each, e.g. ours=told/a theirs=told/b; raters never learn the names. Checks are made of the first one's."""
    out: Path | None = None
    """The study's folder."""
    stories: int = 0
    """The first ones alone; 0 = all."""
    raters: int = 20
    """Links to hand out, the first ones first; a study stays balanced if the last ones are never used."""
    pairs: int = 20
    """That each rater compares."""
    checks: int = 3
    """Attention checks for each rater, beside the pairs: a story against itself with its pictures in a wrong order."""
    seed: int = 0
    """Of who sees what, in which order, on which side."""
    plan: bool = False
    """Write nothing; say how many raters each margin takes."""
    power: float = 0.8
    """Of a planned study: the probability that its 95 % interval leaves out 0."""
    ties: float = 0.2
    """Of a planned study: the share of ties to expect."""
    rater_spread: float = 0.15
    """Of a planned study: the standard deviation of raters' own margins (win - lose). A pilot's report tells both spreads."""
    story_spread: float = 0.25
    """Of a planned study: the standard deviation of stories' own margins."""

    def __call__(self) -> int:
        from arldm.cli.surveying import new

        return new(self)


@dataclass(frozen=True)
class SurveyServe:
    """Serve a study to raters' browsers, until Ctrl-C; votes are kept, and the same command goes on."""

    study: Annotated[Positional[Path], arg(metavar="STUDY")]
    """A study's folder."""
    host: str = "127.0.0.1"
    """Who is answered: this machine alone, or 0.0.0.0 for all that reach it."""
    port: int = 8000
    """0 = any that is free."""
    address: str = ""
    """How raters reach the server, for their links; e.g. https://survey.example.org behind a proxy."""

    def __call__(self) -> int:
        from arldm.cli.surveying import serve

        return serve(self)


@dataclass(frozen=True)
class SurveyReport:
    """Print what the votes say, and write it to report.json and report.html in the study's folder."""

    study: Annotated[Positional[Path], arg(metavar="STUDY")]
    """A study's folder; it may be served meanwhile."""

    def __call__(self) -> int:
        from arldm.cli.surveying import report

        return report(self.study)


@dataclass(frozen=True)
class Survey:
    """Ask people: blind pairs of told stories, judged in a browser."""

    do: Annotated[
        Annotated[SurveyNew, subcommand("new")]
        | Annotated[SurveyServe, subcommand("serve")]
        | Annotated[SurveyReport, subcommand("report")],
        arg(name=""),
    ]

    def __call__(self) -> int:
        return self.do()

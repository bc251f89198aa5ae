"""A human study as data: which rater sees which pairs of told stories, in which order and on which side. No torch.

A study is one folder that can be moved anywhere: `study.json`, `pictures/` under names that tell nothing, `votes.sqlite`.
"""

import json
import random
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from arldm.config import from_dict
from arldm.errors import BROKEN, ArldmError, ConfigError, OutputError, SurveyError
from arldm.evaluate.pictures import opened
from arldm.evaluate.survey.methods import ToldStory, captions_in_common
from arldm.evaluate.survey.pairing import Side, deal, deranged
from arldm.pictures import encoded
from arldm.writing import put, put_json, replacing_folder

STUDY, PICTURES = "study.json", "pictures"
QUESTIONS = {
    "quality": "Which story's pictures look better?",
    "relevance": "Which story's pictures show better what the texts say?",
    "consistency": "In which story do people and places stay the same better?",
}
"""The paper's three aspects, as raters are asked for them."""
ANSWERS = ("a", "tie", "b")
MISSES = 1  # attention checks that an attentive rater may miss


@dataclass(frozen=True, slots=True)
class Strip:
    """One method's pictures of a story as they are shown: names of files in `pictures/`."""

    side: Side
    pictures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two strips of one story, shown as A and as B."""

    a: Strip
    b: Strip

    @property
    def story(self) -> str:
        """The id of the story that both tell."""
        return self.a.side.story

    @property
    def is_check(self) -> bool:
        """Is it a story against its shuffled self, where an attentive rater knows the answer?"""
        return self.a.side.method == self.b.side.method


@dataclass(frozen=True, slots=True)
class Study:
    """A whole study. `raters` maps the secret of each rater's link to ids of `pairs`, in the order in which they are shown."""

    id: str
    seed: int
    methods: tuple[str, ...]
    captions: Mapping[str, tuple[str, ...]]
    pairs: Mapping[str, Pair]
    raters: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Design:
    """How large a study is, and the seed of what is random in it."""

    raters: int = 20
    pairs: int = 20  # for each rater, without checks
    checks: int = 3  # for each rater
    seed: int = 0


def new_study(methods: Mapping[str, Mapping[str, ToldStory]], design: Design, out: Path) -> Study:
    """Deal the methods' stories to raters and write the study's folder, whole or not at all.

    The seed decides who sees what; links and names of files are drawn by the system, for they must not be guessed.
    Raises SurveyError, PictureError, OutputError, ConfigError.
    """
    if out.exists():
        raise OutputError(f"{out}: is there already; expected a new folder, choose another --out")
    if len(methods) < 2:
        raise ConfigError(f"--methods: got {len(methods)}; expected two or more, each as NAME=FOLDER")
    captions = captions_in_common(methods)
    if short := [id for id, said in captions.items() if len(said) < 2]:
        raise SurveyError(f"story {short[0]}: has one picture; expected stories of two or more")
    dice = random.Random(design.seed)
    hands = deal(tuple(captions), tuple(methods), design.raters, design.pairs, design.checks, dice)
    with replacing_folder(out) as begun:
        strips = _strips({side for hand in hands for pair in hand for side in pair}, methods, begun / PICTURES, dice)
        ids = {pair: secrets.token_hex(8) for pair in sorted({pair for hand in hands for pair in hand}, key=repr)}
        study = Study(
            id=secrets.token_hex(8),
            seed=design.seed,
            methods=tuple(methods),
            captions={story: captions[story] for story in captions if any(a.story == story for a, _ in ids)},
            pairs={id: Pair(strips[a], strips[b]) for (a, b), id in ids.items()},
            raters={secrets.token_urlsafe(9): tuple(ids[pair] for pair in hand) for hand in hands},
        )
        put_json(begun / STUDY, asdict(study), ensure_ascii=False)
    return study


def _strips(
    sides: Iterable[Side], methods: Mapping[str, Mapping[str, ToldStory]], folder: Path, dice: random.Random
) -> dict[Side, Strip]:
    """Copies of all pictures that are shown, as bare pixels: what they were made by may stand in their files."""
    strips: dict[Side, Strip] = {}
    for side in sorted(sides, key=lambda side: (side.shuffled, side.story, side.method)):
        paths = methods[side.method][side.story].pictures
        if side.shuffled:  # under names of its own, or a check would be the pair whose sides share them
            paths = tuple(paths[number] for number in deranged(len(paths), dice))
        strips[side] = Strip(side, tuple(_copied(path, folder) for path in paths))
    return strips


def _copied(path: Path, folder: Path) -> str:
    picture = opened(path)
    picture.info.clear()
    name = f"{secrets.token_hex(8)}.png"
    put(folder / name, encoded(picture))
    return name


def read_study(folder: Path) -> Study:
    """The study of a folder. Raises SurveyError where it is none or has lost something."""
    path = folder / STUDY
    try:
        held = json.loads(path.read_bytes())
        study = Study(
            id=str(held["id"]),
            seed=int(held["seed"]),
            methods=tuple(held["methods"]),
            captions={story: tuple(said) for story, said in held["captions"].items()},
            pairs={id: from_dict(Pair, pair) for id, pair in held["pairs"].items()},
            raters={link: tuple(pairs) for link, pairs in held["raters"].items()},
        )
        unknown = {pair for pairs in study.raters.values() for pair in pairs} - set(study.pairs)
    except FileNotFoundError as error:
        raise SurveyError(f"{path}: not there; expected a study's folder, made by `arldm survey new`") from error
    except (*BROKEN, ArldmError) as error:
        raise SurveyError(f"{path}: is not a study ({error}); expected what `arldm survey new` wrote, fetch it again") from error
    if unknown:
        raise SurveyError(f"{path}: raters see the pair {min(unknown)}, which it lacks; fetch what `arldm survey new` wrote again")
    if lost := sorted(name for name in shown(study.pairs.values()) if not (folder / PICTURES / name).is_file()):
        raise SurveyError(f"{folder}: {len(lost)} pictures are lost ({lost[0]}, ...); copy the study's folder again, all of it")
    return study


def shown(pairs: Iterable[Pair]) -> set[str]:
    """The names of all pictures in these pairs."""
    return {name for pair in pairs for strip in (pair.a, pair.b) for name in strip.pictures}


def links(study: Study, address: str) -> Sequence[str]:
    """Every rater's link at a server's address, those to be handed out first first."""
    return [f"{address.rstrip('/')}/r/{link}" for link in study.raters]

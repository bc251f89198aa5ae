"""Several methods' pictures against one reference: every protocol's FID and KID with intervals, as one table and one report."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from arldm.evaluate import fid, measures
from arldm.evaluate.features import Features, Hashed, Network
from arldm.evaluate.fid import BLOCK, BLOCKS, FEW, frechet, kernel_distance
from arldm.evaluate.judged import Judge, check_names, tallied
from arldm.evaluate.measures import RESAMPLES, Interval, Measure, Tally, by_attribute, by_story, measure
from arldm.evaluate.pictures import LOOSE, Pictures
from arldm.story import Story
from arldm.writing import put

SCHEMA = 5  # of the report; also names how figures were made, so that kept ones of another way are not taken
PER_MILLE = {"fid": 1, "kid": 1000}  # KID is small; the field writes it times a thousand


@dataclass(frozen=True, slots=True)
class Measured:
    """One method by one protocol. `pulls`: by how much the FID grows for each part of the set that is more of this story."""

    fid: Interval
    kid: Interval
    pulls: dict[str, float]


@dataclass(frozen=True, slots=True)
class Row:
    """A set of pictures and, but for the reference, its figures by protocol. `sizes` counts pictures by "width x height".

    Of its stories, `groups` share no picture with others: intervals are over these.
    """

    name: str
    layout: str
    stories: int
    groups: int
    pictures: int
    sizes: dict[str, int]
    hash: str
    measured: dict[str, Measured]
    judged: dict[str, Measure]  # characters and similarity, of which more is better
    by_story: dict[str, dict[str, float]]  # the same of each story
    by_attribute: dict[str, dict[str, Measure]]  # the same of each character, or of what else was asked, the worst first


@dataclass(frozen=True, slots=True)
class Comparison:
    """A table: methods against a reference, and what must be known to read it."""

    reference: Row
    methods: list[Row]
    given: int
    paired: bool
    protocols: dict[str, str]  # all that each depends on
    judges: dict[str, str]  # the same of what judged single frames, by name

    @property
    def notes(self) -> list[str]:
        """What a reader must know before comparing."""
        return list(_notes(self))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they stand in report.json (docs/evaluation.md)."""
        packages = ("arldm", "torch", "numpy", "pillow", "scipy", "transformers")
        return {
            "schema": SCHEMA,
            **asdict(self),
            "notes": self.notes,
            "intervals": {
                "judged": f"bootstrap over stories, {RESAMPLES} resamples, seed {measures.SEED}",
                "fid": "infinitesimal jackknife over stories",
                "kid": f"blocks of whole stories, {BLOCKS} where there are as many pairs, or of {BLOCK} pictures, seed {fid.SEED}",
                "stories": "those that share pictures count as one",
            },
            "versions": {package: version(package) for package in packages},
        }


@dataclass(frozen=True, slots=True)
class _Set:
    """A set of pictures with its features by protocol."""

    row: Row
    hashed: Hashed
    features: dict[str, Features]
    groups: np.ndarray  # (story)

    @property
    def owners(self) -> np.ndarray:
        """To which group of stories each picture belongs."""
        return self.groups[self.hashed.pictures.owners]


def compare(
    methods: Sequence[Pictures],
    reference: Pictures,
    networks: Mapping[str, Network],
    cache: Path,
    given: int = 0,
    paired: bool = True,
    judges: Sequence[Judge] = (),
    known: Sequence[Story] = (),
) -> Comparison:
    """Look at every picture once and measure each method. Sets that are `paired` have the same stories in the same order.

    The methods' stories begin after the `given` frames, the reference's before. `judges` look at single frames, of which it is
    `known` what should be in them. Raises PictureError, ModelError, OutputError, ConfigError.
    """
    check_names(judges)
    truth = _looked_at(reference.after(given), networks, cache)
    whole = Hashed.of(reference) if judges and given else truth.hashed
    rows = []
    for method in methods:
        drawn = _looked_at(method, networks, cache, truth.groups if paired else None)
        for protocol, network in networks.items():
            drawn.row.measured[protocol] = _kept(drawn, truth, protocol, network, cache, paired)
        for judge in judges:
            for name, tallies in _tallies(judge, drawn.hashed, whole, known, given, cache).items():
                _note(drawn.row, name, tallies, list(method.stories), truth.groups)
        rows.append(drawn.row)
    told = {protocol: network.identity for protocol, network in networks.items()}
    return Comparison(truth.row, rows, given, paired, told, {one.name: one.identity for one in judges})


def _tallies(judge: Judge, drawn: Hashed, whole: Hashed, known: Sequence[Story], given: int, cache: Path) -> dict[str, list[Tally]]:
    """What a judge says of a method, by figure, story after story; the given frames are those of the truth."""
    looked = zip(known, drawn.stories_by(judge, cache), whole.stories_by(judge, cache), strict=True)
    return tallied(judge, ((story, np.concatenate([true[:given], own]), true) for story, own, true in looked), given)


def _note(row: Row, figure: str, tallies: Sequence[Tally], stories: Sequence[str], groups: np.ndarray) -> None:
    """Write down what is told of a method, as a whole and in parts; intervals are over groups (story)."""
    row.by_story[figure] = {stories[number]: share for number, share in by_story(tallies).items()}
    grouped = [replace(one, story=int(groups[one.story])) for one in tallies]
    row.judged[figure] = measure(grouped)
    if len(parts := by_attribute(grouped)) > 1:
        row.by_attribute[figure] = parts


def _looked_at(pictures: Pictures, networks: Mapping[str, Network], cache: Path, groups: np.ndarray | None = None) -> _Set:
    """`groups`: those of the reference, where stories are paired with its."""
    hashed = Hashed.of(pictures)
    groups = hashed.groups if groups is None else groups
    found = {protocol: hashed.seen_by(network, cache) for protocol, network in networks.items()}
    features = {protocol: rows for protocol, (rows, _) in found.items()}
    _, sizes = next(iter(found.values()))
    counted = Counter(f"{width} x {height}" for width, height in sizes.tolist())
    whole = hashlib.sha256(
        "\n".join(f"{owner} {name}" for owner, name in zip(pictures.owners, hashed.digests, strict=True)).encode()
    )
    counts = len(pictures.stories), int(groups.max()) + 1, len(hashed.digests)
    row = Row(pictures.name, pictures.layout, *counts, dict(counted), whole.hexdigest(), {}, {}, {}, {})
    return _Set(row, hashed, features, groups)


def _kept(drawn: _Set, truth: _Set, protocol: str, network: Network, cache: Path, paired: bool) -> Measured:
    """Figures that the same pictures gave before are not worked out again: with 2,048 features that takes minutes."""
    made_of = f"{SCHEMA} {version('arldm')} {drawn.row.hash} {truth.row.hash} {network.identity} {paired}"
    names = list(drawn.hashed.pictures.stories)
    path = cache / "figures" / f"{hashlib.sha256(made_of.encode()).hexdigest()[:32]}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):  # what is not there, or is broken, is made
        held = json.loads(path.read_text())
        pulls = dict(zip(names, held["pulls"], strict=True))
        return Measured(Interval(**held["fid"]), Interval(**held["kid"]), pulls)
    found = frechet(drawn.features[protocol], truth.features[protocol])
    kid = kernel_distance(drawn.features[protocol], drawn.owners, truth.features[protocol], truth.owners, paired)
    stories = drawn.hashed.pictures.owners
    pulls = (np.bincount(stories, found.pull_a) / np.bincount(stories)).tolist()
    measured = Measured(found.estimate(drawn.owners, truth.owners, paired), kid, dict(zip(names, pulls, strict=True)))
    put(path, json.dumps({"fid": asdict(measured.fid), "kid": asdict(kid), "pulls": pulls}).encode())
    return measured


def _notes(found: Comparison) -> Iterator[str]:
    sets = [found.reference, *found.methods]
    if few := ", ".join(one.name for one in sets if one.pictures < FEW):
        yield f"Fewer than {FEW:,} pictures in {few}: their FID lies far above that of many; compare within this table, or KID."
    if len({one.pictures for one in sets}) > 1:
        told = ", ".join(f"{one.name} {one.pictures:,}" for one in sets)
        yield f"The sets are not equally large ({told}): FID depends on the number of pictures."
    for one in sets:
        if len(one.sizes) > 1:
            told = ", ".join(f"{count:,} of {size}" for size, count in one.sizes.items())
            yield f"{one.name} has pictures of {len(one.sizes)} sizes: {told}."
        elif one.sizes.keys() != found.reference.sizes.keys():
            told = f"{next(iter(one.sizes))}, and those of {found.reference.name} {next(iter(found.reference.sizes))}"
            yield f"Pictures of {one.name} are {told}: what sees detail (all but protocol paper) sees that."
    if found.reference.groups < found.reference.stories:
        told = f"{found.reference.stories:,} stories of {found.reference.name} share pictures"
        yield f"The {told}: intervals are over the {found.reference.groups:,} groups of them that share none."
    if loose := ", ".join(one.name for one in sets if one.layout == LOOSE):
        yield f"Single pictures in {loose}: each counts as a story. If several are of one, intervals are too narrow, KID too high."
    if not found.paired:
        yield "The sets hold different stories: intervals do not know which belong together."
        if found.given:
            yield f"The first {found.given} pictures of each story of every set were left out, be they given or drawn."


def table(found: Comparison) -> str:
    """The figures as lines of text."""
    wide = max([6, *(len(row.name) for row in found.methods)])
    judged = list(found.methods[0].judged)
    heads = [head for name in found.protocols for head in (f"FID {name}", f"KID x 1000 {name}")] + judged
    lines = [f"{'':{wide}}{'pictures':>10}{''.join(f'{head:>30}' for head in heads)}"]
    for row in found.methods:
        measured = [row.measured[name] for name in found.protocols]
        distances = [_cell(getattr(one, kind), times, 2) for one in measured for kind, times in PER_MILLE.items()]
        cells = distances + [_cell(row.judged[name], 1, 3) for name in judged]
        lines.append(f"{row.name:{wide}}{row.pictures:>10,}{''.join(f'{cell:>30}' for cell in cells)}")
    return "\n".join(lines)


def _cell(one: Interval, times: float, digits: int) -> str:
    value, low, high = (f"{times * number:.{digits}f}" for number in (one.value, one.low, one.high))
    return f"{value} [{low}, {high}]"

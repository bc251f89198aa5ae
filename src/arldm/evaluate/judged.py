"""Any method's stories against what is known of the true ones: who is there, what is true, and likeness to a user's encoders."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from PIL import Image

from arldm.config import Scaling
from arldm.errors import ConfigError, DatasetError, PictureError
from arldm.evaluate import characters
from arldm.evaluate.classifier import CharacterClassifier, classify
from arldm.evaluate.consistency import METRICS
from arldm.evaluate.features import Network
from arldm.evaluate.measures import Measure, Tally, measure
from arldm.evaluate.pictures import Pictures, called, opened
from arldm.evaluate.reader import EMBEDDED, WEIGHTS, Reader
from arldm.evaluate.similarity import Encoder, cross_consistency, paired, self_consistency
from arldm.story import Frame, Story
from arldm.story_files import STORY, read_outline
from arldm.toonsv.questions import QUESTIONS, reading
from arldm.truth_files import TRUTH, read_facts
from arldm.weight_files import fastest_device
from arldm.writing import checksum


class Judge(Network, Protocol):
    """A network that looks at single frames, and what can be said of a method's story when it has looked."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def tallies(self, story: Story, seen: np.ndarray, true: np.ndarray, given: int) -> Mapping[str, Iterable[Tally]]:
        """By figure. `seen` and `true` (frame, width; of no frame where it is not known) are of the whole story; the first
        `given` frames are not judged."""
        ...


def judged(judge: Judge, stories: Sequence[Story], told: Sequence[Sequence[Image.Image]], given: int = 0) -> dict[str, Measure]:
    """The figures of drawn pictures, a row for each story. Frames before `given` are compared with, not judged.

    What the stories do not have (all true pictures, who is in them, a character twice) gives no figure or NaN. Raises PictureError
    for stories of other lengths, ModelError where a network says no numbers.
    """
    for story, row in zip(stories, told, strict=True):
        if len(row) != len(story.frames):
            raise PictureError(f"story {story.id!r} has {len(row)} pictures for {len(story.frames)} frames; expected one of each")
    known = all(len(story.pictures) == len(story.frames) for story in stories)
    true = (judge.features(story.pictures) if known else np.empty((0, judge.width)) for story in stories)
    seen = map(judge.features, told)
    return {name: measure(some) for name, some in tallied(judge, zip(stories, seen, true, strict=True), given).items()}


def tallied(judge: Judge, looked: Iterable[tuple[Story, np.ndarray, np.ndarray]], given: int) -> dict[str, list[Tally]]:
    """What a judge says by figure, story after story; `looked` has each with the features of its frames and of the true ones."""
    found: dict[str, list[Tally]] = defaultdict(list)
    for number, (story, seen, true) in enumerate(looked):
        for name, some in judge.tallies(story, seen, true, given).items():
            found[name] += [replace(one, story=number) for one in some]
    return found


def check_names(judges: Sequence[Judge]) -> None:
    """Raises ConfigError where reports would call two the same."""
    names = [judge.name for judge in judges]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"two judges are called {twice[0]}; expected different names, rename an encoder's folder or link to it")


@dataclass(frozen=True, slots=True)
class EncoderJudge:
    """A picture encoder of a local transformers folder, by the name of its folder."""

    body: Encoder
    name: str
    files: str  # SHA-256 of each
    captions: Mapping[str, np.ndarray]  # of each caption (width), if it reads any
    looks: Mapping[str, np.ndarray]  # of the reference pictures of each character (picture, width)

    @classmethod
    def of(cls, folder: Path | str, known: Sequence[Story] = (), references: Pictures | None = None) -> Self:
        """Read it, and let it look at what stories are told by: captions, and reference pictures, of each character a folder.

        Raises ModelError, PictureError.
        """
        folder = Path(folder)
        body = Encoder(folder, fastest_device())
        hashed = [checksum(path) for pattern in ("*.safetensors", "*config.json") for path in sorted(folder.glob(pattern))]
        told = sorted({frame.caption for story in known for frame in story.frames} - {""}) if body.reads else []
        captions = dict(zip(told, body.captions(told), strict=True)) if told else {}
        shown = references.stories if references is not None else {}
        looks = {who: body.pictures([opened(path) for path in paths]) for who, paths in shown.items()}
        return cls(body, called(folder), " ".join(hashed), captions, looks)

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return self.body.width

    @property
    def identity(self) -> str:
        """Its weights, its config, and how pictures come to it."""
        return f"encoder, files {self.files}"

    def features(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """(picture, width) float32, each row of length 1."""
        return self.body.pictures(pictures)

    def tallies(self, story: Story, seen: np.ndarray, true: np.ndarray, given: int) -> Mapping[str, Iterable[Tally]]:
        """How alike frames are to the true ones and to their captions, and those that show a character to each other (given ones,
        too) and to pictures of it."""
        cast = [frame.characters for frame in story.frames]
        captions = [self.captions.get(frame.caption) for frame in story.frames]
        found: dict[str, Iterable[Tally]] = {f"{self.name} to truth": paired(seen, true, given)} if len(true) else {}
        if self.captions:
            found[f"{self.name} to captions"] = (
                Tally(0, frame, "pair", float(seen[frame] @ caption), 1)
                for frame, caption in enumerate(captions)
                if frame >= given and caption is not None
            )
        found[f"{self.name} self"] = self_consistency(seen, cast, given)
        if self.looks:
            found[f"{self.name} cross"] = cross_consistency(seen, cast, self.looks, given)
        return found


@dataclass(frozen=True, slots=True)
class ClassifierJudge:
    """A classifier of characters, whose features are 1 for each who was found."""

    body: CharacterClassifier
    weights: str
    name: str = "classifier"

    @classmethod
    def of(cls, path: Path | str, known: Sequence[Story], source: str, names: Sequence[str] = (), scaling: Scaling = "") -> Self:
        """Read a file as `CharacterClassifier.from_file`, to judge stories that messages call `source`.

        Raises ModelError, and as `characters.check_casts`.
        """
        body = CharacterClassifier.from_file(path, names, scaling).to(fastest_device())
        characters.check_casts(known, body.names, source)  # better said now than after hours
        return cls(body, checksum(Path(path)))

    @property
    def identity(self) -> str:
        """Its weights, whom it knows and how pictures come to it."""
        return f"classifier of {', '.join(self.body.names)}, weights {self.weights}, scaling {self.body.scaling}"

    @property
    def width(self) -> int:
        """Characters."""
        return len(self.body.names)

    def features(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """(picture, character) 0 or 1."""
        found = classify(self.body, pictures)
        return np.array([[name in some for name in self.body.names] for some in found], np.float32)

    def tallies(self, story: Story, seen: np.ndarray, true: np.ndarray, given: int) -> Mapping[str, Iterable[Tally]]:
        """The field's two, and what the first is made of."""
        found = [[name for name, yes in zip(self.body.names, row > 0, strict=True) if yes] for row in seen]
        casts = [[frame.characters for frame in story.frames]], [found]
        return {name: figure(*casts, given) for name, figure in characters.FIGURES.items()}


@dataclass(frozen=True, slots=True)
class ReaderJudge:
    """ToonSV's reader, whose features are its answers, each as the number of its value."""

    body: Reader
    weights: str
    width: int = len(QUESTIONS)
    name: str = "reader"

    @classmethod
    def embedded(cls) -> Self:
        """The one that ships with the program."""
        return cls(Reader.from_pretrained("toonsv"), checksum(EMBEDDED / WEIGHTS))

    @property
    def identity(self) -> str:
        """Its weights."""
        return f"answers of the reader of ToonSV, weights {self.weights}"

    def features(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """(picture, question) float32."""
        return self.body.answers(pictures).astype(np.float32)

    def tallies(self, story: Story, seen: np.ndarray, true: np.ndarray, given: int) -> Mapping[str, Iterable[Tally]]:
        """As `arldm evaluate toonsv` counts them; of the given frames the truth is remembered."""
        readings = [reading(answers) for answers in seen.astype(int).tolist()]
        return {f"reader's {name.replace('_', ' ')}": metric([story], [readings], given) for name, metric in METRICS.items()}


def known(reference: Pictures) -> list[Story]:
    """What the reference's stories say of their frames: captions and who is in them (story.json), what is true (truth.json),
    nothing where neither lies.

    Raises DatasetError, ScriptError.
    """
    return [_known(name, frames) for name, frames in reference.stories.items()]


def check_told(reference: Pictures) -> None:
    """Raises DatasetError where some of the stories say who is in them and what happens, and others do not."""
    untold = [frames[0].parent for frames in reference.stories.values() if not (frames[0].parent / STORY).exists()]
    if untold and len(untold) < len(reference.stories):
        raise DatasetError(f"{untold[0]}: has no {STORY}, as other stories have ({len(untold)} such); expected one in each")


def tells_facts(stories: Sequence[Story]) -> bool:
    """Is there a truth to be read in the stories? Raises DatasetError where there is in some of them."""
    untold = [story.id for story in stories if not any(frame.facts for frame in story.frames)]
    if untold and len(untold) < len(stories):
        raise DatasetError(f"{untold[0]}: has no {TRUTH}, as other stories have ({len(untold)} such); expected one in each")
    return not untold


def _known(name: str, pictures: Sequence[Path]) -> Story:
    folder = pictures[0].parent
    told = read_outline(folder, name).frames if (folder / STORY).exists() else ()
    frames = told or (Frame(""),) * len(pictures)
    facts = read_facts(folder) or [()] * len(pictures)
    if not len(frames) == len(facts) == len(pictures):
        raise DatasetError(
            f"{folder / STORY}: tells of {min(len(frames), len(facts))} frames where {len(pictures)} pictures lie; "
            "expected one for each, tell it again"
        )
    return Story(name, tuple(replace(frame, facts=true) for frame, true in zip(frames, facts, strict=True)))

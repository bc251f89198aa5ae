"""Any method's stories against what is known of the true ones: who is there, what is true, and likeness to a user's encoders."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from PIL import Image

from arldm.errors import DatasetError
from arldm.evaluate import characters
from arldm.evaluate.classifier import CharacterClassifier, Scaling, classify
from arldm.evaluate.consistency import METRICS
from arldm.evaluate.features import Network
from arldm.evaluate.measures import Tally
from arldm.evaluate.pictures import Pictures, called
from arldm.evaluate.reader import EMBEDDED, WEIGHTS, Reader
from arldm.evaluate.similarity import Encoder, paired, self_consistency
from arldm.story import Frame, Story
from arldm.story_files import STORY, read_facts
from arldm.toonsv.questions import QUESTIONS, reading
from arldm.weight_files import fastest_device
from arldm.writing import checksum


class Judge(Network, Protocol):
    """A network that looks at single frames, and what can be said of a method's story when it has looked."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def tallies(self, story: Story, seen: np.ndarray, true: np.ndarray, given: int) -> Mapping[str, Iterable[Tally]]:
        """By figure. `seen` and `true` (frame, width) are of the whole story; the first `given` frames are not judged."""
        ...


@dataclass(frozen=True, slots=True)
class EncoderJudge:
    """A picture encoder of a local transformers folder, by the name of its folder."""

    body: Encoder
    name: str
    files: str  # SHA-256 of each

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Read it. Raises ModelError."""
        hashed = [checksum(path) for pattern in ("*.safetensors", "*config.json") for path in sorted(folder.glob(pattern))]
        return cls(Encoder(folder, fastest_device()), called(folder), " ".join(hashed))

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
        """How alike frames are to the true ones, and frames of one character to each other and to given ones."""
        cast = [frame.characters for frame in story.frames]
        return {
            f"{self.name} to truth": paired([seen], [true], given),
            f"{self.name} self": self_consistency([seen], [cast], given),
        }


@dataclass(frozen=True, slots=True)
class ClassifierJudge:
    """A classifier of characters, whose features are 1 for each who was found."""

    body: CharacterClassifier
    weights: str
    name: str = "classifier"

    @classmethod
    def of(cls, path: Path, known: Sequence[Story], source: str, names: Sequence[str] = (), scaling: Scaling = "unit") -> Self:
        """Read a file as `CharacterClassifier.from_file`, to judge stories that messages call `source`.

        Raises ModelError, and as `characters.casts`.
        """
        body = CharacterClassifier.from_file(path, names, scaling).to(fastest_device())
        characters.casts(known, body.names, source)  # better said now than after hours
        return cls(body, checksum(path))

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
        """The field's two."""
        found = [[name for name, yes in zip(self.body.names, row > 0, strict=True) if yes] for row in seen]
        casts = [[frame.characters for frame in story.frames]], [found]
        return {
            "character F1": characters.character_f1(*casts, given),
            "frame accuracy": characters.frame_accuracy(*casts, given),
        }


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
    """What the reference's stories say of their frames: who is in them (story.json), what is true (truth.json), nothing where
    neither lies.

    Raises DatasetError, ScriptError.
    """
    return [_known(name, frames) for name, frames in reference.stories.items()]


def tells_facts(stories: Sequence[Story]) -> bool:
    """Is there a truth to be read in every story?"""
    return all(any(frame.facts for frame in story.frames) for story in stories)


def _known(name: str, frames: Sequence[Path]) -> Story:
    folder = frames[0].parent
    casts = _casts(folder / STORY) or [()] * len(frames)
    facts = read_facts(folder) or [()] * len(frames)
    if not len(casts) == len(facts) == len(frames):
        raise DatasetError(
            f"{folder / STORY}: tells of {min(len(casts), len(facts))} frames where {len(frames)} pictures lie; "
            "expected one for each, tell it again"
        )
    told = (Frame("", characters=cast, facts=true) for cast, true in zip(casts, facts, strict=True))
    return Story(name, tuple(told))


def _casts(path: Path) -> list[tuple[str, ...]]:
    if not path.exists():
        return []
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["frames"]
        return [tuple(str(name) for name in entry.get("characters") or ()) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path}: is not a story ({error}); expected what arldm wrote, tell it again") from error

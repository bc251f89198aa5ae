"""Any method's stories against what is known of the true ones: who is there, what is true, and likeness to a user's encoders."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from arldm.errors import DatasetError
from arldm.evaluate import characters
from arldm.evaluate.classifier import CharacterClassifier, classify
from arldm.evaluate.consistency import METRICS
from arldm.evaluate.features import Network
from arldm.evaluate.measures import Measure, measure
from arldm.evaluate.pictures import Pictures
from arldm.evaluate.reader import EMBEDDED, WEIGHTS, Reader
from arldm.evaluate.similarity import Encoder, paired, self_consistency
from arldm.story import Frame, Story
from arldm.story_files import STORY, read_facts
from arldm.toonsv.questions import QUESTIONS, reading
from arldm.weight_files import fastest_device
from arldm.writing import checksum

Rows = Sequence[np.ndarray]  # of each story: (frame, width)


class Judge(Network, Protocol):
    """A network that looks at single frames, and what can be said of a method when it has looked."""

    def figures(self, drawn: Rows, true: Rows, known: Sequence[Story], given: int) -> Mapping[str, Measure]:
        """By name. `drawn` begins after the `given` frames, `true` and `known` before them. Raises ConfigError, DatasetError."""
        ...


@dataclass(frozen=True, slots=True)
class EncoderJudge:
    """A picture encoder of a local transformers folder, by the name of its folder."""

    body: Encoder
    name: str
    files: str  # SHA-256 of each
    width: int

    @classmethod
    def of(cls, folder: Path) -> "EncoderJudge":
        """Read it. Raises ModelError."""
        body = Encoder(folder, fastest_device())
        config = body.model.config
        hashed = [checksum(path) for pattern in ("*.safetensors", "*config.json") for path in sorted(folder.glob(pattern))]
        return cls(body, folder.resolve().name, " ".join(hashed), config.projection_dim if body.reads else config.hidden_size)

    @property
    def identity(self) -> str:
        """Its weights, its config, and how pictures come to it."""
        return f"encoder, files {self.files}"

    def features(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """(picture, width) float32, each row of length 1."""
        return self.body.pictures(pictures)

    def figures(self, drawn: Rows, true: Rows, known: Sequence[Story], given: int) -> Mapping[str, Measure]:
        """How alike frames are to the true ones, and frames of one character to each other."""
        casts = [[frame.characters for frame in story.frames[given:]] for story in known]
        return {
            f"{self.name} to truth": measure(list(paired(drawn, [row[given:] for row in true]))),
            f"{self.name} self": measure(list(self_consistency(drawn, casts))),
        }


@dataclass(frozen=True, slots=True)
class ClassifierJudge:
    """A classifier of characters, whose features are 1 for each who was found."""

    body: CharacterClassifier
    weights: str

    @classmethod
    def of(cls, path: Path) -> "ClassifierJudge":
        """Read a file of `arldm train-classifier`. Raises ModelError."""
        return cls(CharacterClassifier.from_file(path).to(fastest_device()), checksum(path))

    @property
    def identity(self) -> str:
        """Its weights and whom it knows."""
        return f"classifier of {', '.join(self.body.names)}, weights {self.weights}"

    @property
    def width(self) -> int:
        """Characters."""
        return len(self.body.names)

    def features(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """(picture, character) 0 or 1."""
        found = classify(self.body, pictures)
        return np.array([[name in some for name in self.body.names] for some in found], np.float32)

    def figures(self, drawn: Rows, true: Rows, known: Sequence[Story], given: int) -> Mapping[str, Measure]:
        """The field's two."""
        casts = [cast[given:] for cast in characters.casts(known, self.body.names, "the reference")]
        found = [[tuple(np.array(self.body.names)[row > 0].tolist()) for row in story] for story in drawn]
        report = characters.score_characters(casts, found)
        return {"character F1": report.character_f1, "frame accuracy": report.frame_accuracy}


@dataclass(frozen=True, slots=True)
class ReaderJudge:
    """ToonSV's reader, whose features are its answers, each as the number of its value."""

    body: Reader
    weights: str
    width: int = len(QUESTIONS)

    @classmethod
    def embedded(cls) -> "ReaderJudge":
        """The one that ships with the program."""
        return cls(Reader.from_pretrained("toonsv"), checksum(EMBEDDED / WEIGHTS))

    @property
    def identity(self) -> str:
        """Its weights."""
        return f"answers of the reader of ToonSV, weights {self.weights}"

    def features(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """(picture, question) float32."""
        return self.body.answers(pictures).astype(np.float32)

    def figures(self, drawn: Rows, true: Rows, known: Sequence[Story], given: int) -> Mapping[str, Measure]:
        """As `arldm evaluate toonsv` counts them; the given frames are remembered as the truth is read."""
        seen = [np.concatenate([row[:given], own]).astype(int) for own, row in zip(drawn, true, strict=True)]
        readings = [[reading(answers) for answers in story.tolist()] for story in seen]
        return {
            f"reader's {name.replace('_', ' ')}": measure(list(metric(known, readings, given))) for name, metric in METRICS.items()
        }


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

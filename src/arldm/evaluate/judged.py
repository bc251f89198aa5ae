"""Any method's stories against what is known of the true ones: who is in them, how alike they are to encoders of the user's own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from arldm.errors import ConfigError, DatasetError
from arldm.evaluate.characters import score_characters
from arldm.evaluate.classifier import CharacterClassifier, classify
from arldm.evaluate.consistency import Measure, measure
from arldm.evaluate.features import Network, Store, digests
from arldm.evaluate.networks import file_hash
from arldm.evaluate.pictures import Pictures
from arldm.evaluate.similarity import Encoder, paired, self_consistency
from arldm.story_files import STORY

Casts = list[list[tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class EncoderNetwork:
    """A picture encoder of a local transformers folder, by the name of its folder."""

    body: Encoder
    name: str
    weights: str
    width: int

    @classmethod
    def of(cls, folder: Path) -> "EncoderNetwork":
        """Read it. Raises ModelError."""
        body = Encoder(folder)
        config = body.model.config
        hashed = [file_hash(path) for path in sorted(folder.glob("*.safetensors"))]
        return cls(body, folder.resolve().name, " ".join(hashed), config.projection_dim if body.reads else config.hidden_size)

    @property
    def identity(self) -> str:
        """Its weights; its folder says how pictures come to it."""
        return f"encoder {self.name}, weights {self.weights}"

    def features(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """(picture, width) float32, each row of length 1."""
        return self.body.pictures(pictures)


@dataclass(frozen=True, slots=True)
class ClassifierNetwork:
    """A classifier of characters, whose features are 1 for each who was found."""

    body: CharacterClassifier
    weights: str

    @classmethod
    def of(cls, path: Path) -> "ClassifierNetwork":
        """Read a file of `arldm train-classifier`. Raises ModelError."""
        return cls(CharacterClassifier.from_file(path), file_hash(path))

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


def casts(reference: Pictures, given: int = 0) -> Casts:
    """Who should be in each frame after the first `given`, by the reference's story.json; nobody where there is none.

    Raises DatasetError.
    """
    return [_cast(story[0].parent / STORY, len(story), given) for story in reference.stories.values()]


def _cast(path: Path, frames: int, given: int) -> list[tuple[str, ...]]:
    if not path.exists():
        return [()] * frames
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["frames"][given:]
        found = [tuple(str(name) for name in entry.get("characters") or ()) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path}: is not a story ({error}); expected what arldm wrote, tell it again") from error
    if len(found) != frames:
        raise DatasetError(
            f"{path}: tells of {len(found)} frames where {frames} pictures lie; expected one for each, tell it again"
        )
    return found


def judge(drawn: Pictures, truth: Pictures, networks: Sequence[Network], known: Casts, cache: Path) -> dict[str, Measure]:
    """Each network's figures of a method whose stories are the reference's: see docs/evaluation.md. Raises what looking raises."""
    found: dict[str, Measure] = {}
    for network in networks:
        seen = _by_story(drawn, network, cache)
        if isinstance(network, EncoderNetwork):
            found[f"{network.name} to truth"] = measure(list(paired(seen, _by_story(truth, network, cache))))
            found[f"{network.name} self"] = measure(list(self_consistency(seen, known)))
        if isinstance(network, ClassifierNetwork):
            found |= _characters(seen, network.body.names, known)
    return found


def _characters(seen: Sequence[np.ndarray], names: Sequence[str], known: Casts) -> Mapping[str, Measure]:
    labelled = {who for story in known for frame in story for who in frame}
    if not labelled:
        raise ConfigError(
            "--classifier: the reference does not say who is in its frames; expected story.json files with characters"
        )
    if strangers := sorted(labelled - set(names)):
        raise ConfigError(f"--classifier: does not know {strangers[0]!r} of the reference; expected one of its characters")
    found = [[tuple(np.array(names)[row > 0].tolist()) for row in story] for story in seen]
    report = score_characters(known, found)
    return {"character F1": report.character_f1, "frame accuracy": report.frame_accuracy}


def _by_story(pictures: Pictures, network: Network, cache: Path) -> list[np.ndarray]:
    """Features of each story: (frame, width)."""
    paths = pictures.frames
    features, _ = Store(cache, network).features(paths, digests(paths))
    ends = np.cumsum([len(story) for story in pictures.stories.values()])[:-1]
    return np.split(np.concatenate(list(features.chunks())), ends)

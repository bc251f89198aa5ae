"""Training curves: at each sample of a run, the figures of evaluation on the same few stories of the validation split."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from arldm.datasets.archive import ArchiveStories
from arldm.errors import ConfigError, DatasetError
from arldm.evaluate.characters import casts, score_characters
from arldm.evaluate.classifier import CharacterClassifier, classify
from arldm.evaluate.features import Features
from arldm.evaluate.fid import frechet, kernel_distance
from arldm.evaluate.networks import inception
from arldm.evaluate.similarity import Encoder, score_similarity
from arldm.recipes import Judges
from arldm.weight_files import fastest_device


class Judge:
    """The judges of a run, each read once, before anything is trained. Raises ModelError, DatasetError, ConfigError.

    Figures of so few pictures tell a run's direction and are no result: above all FID, which falls with their number; KID does not.
    """

    def __init__(self, judges: Judges, split: ArchiveStories, given: int) -> None:
        self.given, device = given, fastest_device()
        self.encoders = {name: Encoder(path, device) for name in ("clip", "dino") if (path := getattr(judges, f"{name}_encoder"))}
        self.fid = inception(judges.fid)["paper"] if judges.fid else None
        self.classifier = None
        if judges.classifier:
            names, scaling = judges.classifier_names, judges.classifier_scaling
            self.classifier = CharacterClassifier.from_file(judges.classifier, names, scaling).to(device)
        asked = bool(self.encoders) or self.fid is not None or self.classifier is not None
        self.truths = [*split.first(judges.stories)] if asked else []
        if asked and not self.truths:
            raise DatasetError(f"{split.archive.path}: its split val has no story; expected some to judge by, leave --judges out")
        shortest = min((len(story.frames) for story in self.truths), default=given + 1)
        if shortest <= given:
            got = f"--given: got {given}, and {split.archive.path} has a story of {shortest} frames in val"
            raise ConfigError(f"{got}; expected fewer, or nothing is drawn of it")
        true = [frame.picture for story in self.truths for frame in story.frames[given:] if frame.picture]
        if self.fid is not None:
            if len(true) < 2:
                raise ConfigError(f"--judges.stories {judges.stories}: {len(true)} picture is drawn; expected 2 for FID, take more")
            self.true = Features.held(self.fid.features(true))
            self.owners = np.repeat(np.arange(len(self.truths)), [len(story.frames) - given for story in self.truths])
        if self.classifier is not None:
            self.casts = casts(self.truths, self.classifier.names, str(split.archive.path))

    @property
    def stories(self) -> int:
        """How many are to be told; 0 if nobody judges."""
        return len(self.truths)

    def __call__(self, told: Sequence[Sequence[Image.Image]]) -> Mapping[str, float]:
        """The figures of these pictures, a row for each story; what cannot be said of them is left out."""
        found: dict[str, float] = {}
        drawn = [picture for row in told for picture in row[self.given :]]
        if self.fid is not None:
            features = Features.held(self.fid.features(drawn))
            found["fid"] = frechet(features, self.true).distance
            found["kid"] = kernel_distance(features, self.owners, self.true, self.owners, paired=True).value
        if self.classifier is not None:
            report = score_characters(self.casts, [classify(self.classifier, row) for row in told], self.given)
            found |= {"frame_accuracy": report.frame_accuracy.value, "character_f1": report.character_f1.value}
        if self.encoders:
            similar = score_similarity(told, self.truths, self.encoders, self.given)
            found |= {name: measure.value for name, measure in similar.items()}
        return {name: value for name, value in found.items() if math.isfinite(value)}

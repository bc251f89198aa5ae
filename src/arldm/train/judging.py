"""Training curves: at each sample of a run, the figures of evaluation on the same few stories of the validation split."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from arldm.datasets.archive import ArchiveStories
from arldm.errors import ConfigError, DatasetError
from arldm.evaluate.features import Features
from arldm.evaluate.fid import frechet, kernel_distance
from arldm.evaluate.judged import ClassifierJudge, EncoderJudge, Judge, check_names, judged
from arldm.evaluate.networks import inception
from arldm.recipes import Judges


class Jury:
    """The judges of a run, each read once, before anything is trained. Raises ModelError, DatasetError, ConfigError.

    Figures of so few pictures tell a run's direction and are no result: above all FID, which falls with their number; KID does not.
    """

    def __init__(self, judges: Judges, split: ArchiveStories, given: int) -> None:
        self.given, source = given, str(split.archive.path)
        asked = judges.fid, judges.classifier, *judges.encoder
        self.truths = [*split.first(judges.stories)] if any(asked) else []
        if any(asked) and not self.truths:
            raise DatasetError(f"{source}: its split val has no story; expected some to judge by, leave --judges out")
        shortest = min((len(story.frames) for story in self.truths), default=given + 1)
        if shortest <= given:
            got = f"--given: got {given}, and {source} has a story of {shortest} frames in val"
            raise ConfigError(f"{got}; expected fewer, or nothing is drawn of it")
        self.judges: list[Judge] = [EncoderJudge.of(folder, self.truths) for folder in judges.encoder]
        if judges.classifier:
            told = judges.classifier_names, judges.classifier_scaling
            self.judges.append(ClassifierJudge.of(judges.classifier, self.truths, source, *told))
        check_names(self.judges)
        self.fid = inception(judges.fid)["paper"] if judges.fid else None
        if self.fid is not None:
            true = [picture for story in self.truths for picture in story.pictures[given:]]
            if len(true) < 2:
                raise ConfigError(f"--judges.stories {judges.stories}: {len(true)} picture is drawn; expected 2 for FID, take more")
            self.true = Features.held(self.fid.features(true))
            self.owners = np.repeat(np.arange(len(self.truths)), [len(story.frames) - given for story in self.truths])

    @property
    def stories(self) -> int:
        """How many are to be told; 0 if nobody judges."""
        return len(self.truths)

    def __call__(self, told: Sequence[Sequence[Image.Image]]) -> Mapping[str, float]:
        """The figures of these pictures, a row for each story; what cannot be said of them is left out."""
        found: dict[str, float] = {}
        if self.fid is not None:
            features = Features.held(self.fid.features([picture for row in told for picture in row[self.given :]]))
            found["fid"] = frechet(features, self.true).distance
            found["kid"] = kernel_distance(features, self.owners, self.true, self.owners, paired=True).value
        for judge in self.judges:
            for name, figure in judged(judge, self.truths, told, self.given).items():
                found[name.lower().replace(" ", "_")] = figure.value
        return {name: value for name, value in found.items() if math.isfinite(value)}

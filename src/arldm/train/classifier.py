"""The run of the field's classifier of characters, and the file it leaves: the best by frame accuracy on the validation split."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from arldm.config import TrainConfig
from arldm.datasets.archive import Archive, chosen
from arldm.errors import BROKEN, ConfigError, DatasetError, ModelError
from arldm.evaluate.characters import character_f1, frame_accuracy
from arldm.evaluate.classifier import CastBatch, CharacterClassifier, classify
from arldm.evaluate.inception import SIZE
from arldm.evaluate.measures import measure
from arldm.model.noise import seeded
from arldm.pictures import centred, grid
from arldm.recipes import Classifier
from arldm.train.asked import asked
from arldm.train.loading import Ahead
from arldm.train.loop import fit
from arldm.train.record import Sample
from arldm.train.stories import turns
from arldm.writing import put

NAME = "classifier.safetensors"
SHOWN = 8  # pictures in a sample
SMALL = 128  # pixels of each
BLOCK = 32  # clips that are looked at together


def classifier(recipe: Classifier, out: Path) -> None:
    """Train a classifier; leaves the best in `out/classifier.safetensors`."""
    if recipe.train.fsdp:
        raise ConfigError("--train.fsdp: batch norms of this network are not shared out; any card holds it, leave it out")
    clips = Clips.of(recipe, "train")
    held = Clips.of(recipe, "val").without(clips)
    with seeded(recipe.train.seed):
        module = CharacterClassifier(clips.names, recipe.thin)
    if recipe.weights is not None:
        module.begin(recipe.weights)
    best = Best(module, held, out / NAME)
    with Ahead(clips.numbered(recipe.train.batch_size, recipe.train.seed), PartialState().num_processes) as batches:
        fit(module, batches, planned(recipe, len(clips)), out, options=asked(recipe), preview=best)
    if PartialState().is_main_process:
        best()  # the last epoch need not end where one is looked at
        print(f"{best.path}: frame accuracy {best.accuracy:.4f} on {len(held)} validation clips that training has not")


def planned(recipe: Classifier, clips: int) -> TrainConfig:
    """The training with its numbers of steps: what the epochs take of so many clips, and a validation each."""
    train = recipe.train
    epoch = math.ceil(clips / train.items_a_step(PartialState().num_processes))
    return replace(train, steps=train.steps or recipe.epochs * epoch, preview_every=train.preview_every or epoch)


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """The clips of a split, each once, whatever stories it is in; in every epoch another of its stills is shown."""

    archive: Archive
    rows: tuple[int, ...]  # of the archive
    ids: tuple[str, ...]
    names: tuple[str, ...]  # who can be in them, in the order of the labels
    seed: int

    @classmethod
    def of(cls, recipe: Classifier, split: str) -> "Clips":
        """Raises DatasetError where there are none, or nobody is named in training."""
        archive = Archive(recipe.dataset)
        found = {id: archive.rows[id] for clips in archive.stories(split).outlines["clips"] for id in clips}
        names = sorted({name for cast in archive.characters for name in cast})
        if not found or not names:
            got = f"has no clip in {split}" if names else "does not say who is in its pictures"
            raise DatasetError(f"{recipe.dataset}: {got}; expected labelled clips to train with and to validate, prepare them")
        ids = tuple(sorted(found))
        return cls(archive, tuple(found[id] for id in ids), ids, tuple(names), recipe.train.seed)

    def without(self, others: "Clips") -> "Clips":
        """Those whose pictures the others do not have: windows of PororoSV have clips in common. Raises DatasetError."""
        digests = self.archive.digests
        known = {digests[row] for row in others.rows}
        kept = [clip for clip, row in enumerate(self.rows) if digests[row] not in known]
        if not kept:
            raise DatasetError(f"{self.archive.path}: all its validation clips are training's, too; expected some that are not")
        return replace(self, rows=tuple(self.rows[clip] for clip in kept), ids=tuple(self.ids[clip] for clip in kept))

    def __len__(self) -> int:
        return len(self.rows)

    def numbered(self, size: int, seed: int) -> Callable[[int], CastBatch]:
        """Batches of `size` clips as a function of their number."""
        return lambda number: self.batch(turns(number, size, len(self), seed))

    def batch(self, readings: Sequence[tuple[int, int]]) -> CastBatch:
        """Some clips, each as (epoch, clip)."""
        pictures = np.stack([np.asarray(centred(self.still(clip, epoch), SIZE)) for epoch, clip in readings])
        casts = [self.cast(clip) for _, clip in readings]
        labels = [[float(name in cast) for name in self.names] for cast in casts]
        return CastBatch(torch.from_numpy(pictures), torch.tensor(labels))

    def still(self, clip: int, epoch: int | None = None) -> Image.Image:
        """What is shown of a clip in an epoch; without one the middle still, as evaluation has it."""
        rule, row = ("middle" if epoch is None else "random"), self.rows[clip]
        return self.archive.still(row, chosen(self.ids[clip], self.archive.counts[row], rule, self.seed, epoch or 0))

    def cast(self, clip: int) -> tuple[str, ...]:
        """Who is in a clip."""
        return self.archive.characters[self.rows[clip]]


class Best:
    """Keeps the weights with the highest frame accuracy on the validation split; what an earlier process kept counts as well."""

    def __init__(self, module: CharacterClassifier, clips: Clips, path: Path) -> None:
        self.module, self.clips, self.path = module, clips, path
        self.accuracy = -1.0
        self.judged_on = sha256(repr(clips.ids).encode()).hexdigest()[:16]  # figures of other clips do not compare

    def __call__(self) -> Sample:
        """Judge the module as it is, and keep it if it is better. The sample shows pictures that it takes for others."""
        truth, seen = self._looked()
        kept, found = self._kept(), measure([*frame_accuracy([truth], [seen])]).value
        if found > kept:
            weights, facts = self.module.held()
            judged = facts | {"frame_accuracy": found, "judged_on": self.judged_on}
            put(self.path, save(weights, {"classifier": json.dumps(judged)}))
        self.accuracy = max(kept, found)
        wrong = [clip for clip, (there, some) in enumerate(zip(truth, seen, strict=True)) if set(there) != set(some)]
        pictures = [self.clips.still(clip).resize((SMALL, SMALL)) for clip in (wrong or range(len(self.clips)))[:SHOWN]]
        f1 = measure([*character_f1([truth], [seen])]).value  # as one story: no interval is needed here
        return Sample(grid(pictures, 4), {"frame_accuracy": found, "character_f1": f1})

    def _looked(self) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
        """Who is in each clip of the validation split, and who was found there."""
        found: list[tuple[str, ...]] = []
        for first in range(0, len(self.clips), BLOCK):
            block = range(first, min(first + BLOCK, len(self.clips)))
            found += classify(self.module, [self.clips.still(clip) for clip in block], BLOCK)
        return [self.clips.cast(clip) for clip in range(len(self.clips))], found

    def _kept(self) -> float:
        """The frame accuracy of the weights that lie there. Raises ModelError."""
        if not self.path.exists():
            return -1.0
        try:
            with safe_open(self.path, "pt") as file:
                facts = json.loads(file.metadata()["classifier"])
                return float(facts["frame_accuracy"]) if facts.get("judged_on") == self.judged_on else -1.0
        except (*BROKEN, SafetensorError) as error:
            raise ModelError(f"{self.path}: is not what this run keeps there; expected its classifier, delete it") from error

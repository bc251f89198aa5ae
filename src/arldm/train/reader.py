"""The reader's run: drawn scenes with their truth, the folder it leaves, and how much of fresh stories it reads right."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState

from arldm.evaluate.reader import ACCURACY, SIZE, Reader, ReaderBatch, seen
from arldm.model.noise import seeded
from arldm.recipes import Reader as Recipe
from arldm.rendered import DRAWN, scene_stills
from arldm.toonsv import paint, plot
from arldm.toonsv.cast import truth
from arldm.toonsv.questions import answers
from arldm.toonsv.scenes import random_scene
from arldm.train.asked import asked
from arldm.train.loop import fit
from arldm.train.stories import turn
from arldm.writing import put_json, replacing_folder

FRAMES = 5
CHECKED = 200  # stories of the test split


def reader(recipe: Recipe, out: Path) -> None:
    """Train the reader; leaves `out/model`, and in its `accuracy.json` the share of facts it reads right on drawn test frames."""
    with PartialState().main_process_first():
        pictures = scene_stills(recipe.cache or out / "cache", "reader", recipe.scenes, SIZE, seen)
    facts = np.stack([answers(truth(random_scene("train", index))) for index in range(recipe.scenes)])
    with seeded(recipe.train.seed):
        module = Reader()
    exercises = Exercises(pictures, facts, recipe.train.batch_size, recipe.train.seed)
    fit(module, exercises, recipe.train, out, options=asked(recipe))
    if PartialState().is_main_process:
        with replacing_folder(out / "model") as folder:
            module.save_pretrained(folder)
            put_json(folder / ACCURACY, accuracy(Reader.from_pretrained(folder)))


@dataclass(frozen=True, slots=True, eq=False)
class Exercises:
    """Pictures with the answers to all questions, in batches that depend on their number alone."""

    pictures: np.ndarray  # (n, SIZE, SIZE, 3) uint8
    answers: np.ndarray  # (n, question)
    batch_size: int
    seed: int

    def __call__(self, number: int) -> ReaderBatch:
        """Batch number `number`."""
        rows = turn(number, self.batch_size, len(self.pictures), self.seed)
        return ReaderBatch(torch.from_numpy(self.pictures[rows]), torch.from_numpy(self.answers[rows]))


def accuracy(module: Reader) -> dict[str, float]:
    """The share of facts of drawn test frames that are read right: of all ("facts"), and of each attribute."""
    scenes = [shot.scene for index in range(CHECKED) for shot in plot("test", index, FRAMES)]
    readings = module.read([paint(scene, DRAWN) for scene in scenes])
    right: dict[str, list[bool]] = {"facts": []}
    for scene, reading in zip(scenes, readings, strict=True):
        for key, value in truth(scene).items():
            for name in ("facts", key.attribute):
                right.setdefault(name, []).append(reading.get(key) == value)
    return {name: sum(each) / len(each) for name, each in right.items()}

"""The reader's run: drawn scenes with their truth, the folder it leaves, and how much of fresh stories it reads right."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from PIL import Image

from arldm.evaluate.reader import SIZE, Reader, ReaderBatch, seen
from arldm.model.noise import seeded
from arldm.recipes import Reader as Recipe
from arldm.rendered import Rows, drawn, exercises, look
from arldm.toonsv import draw, plot
from arldm.toonsv.cast import truth
from arldm.toonsv.questions import answers
from arldm.train.loop import fit
from arldm.train.stories import turn

FRAMES = 5
DRAWN = 256  # pixels, the size of the pictures it will read
CHECKED = 100  # stories of the validation split


def reader(recipe: Recipe, out: Path) -> None:
    """Train the reader; leaves `out/model`, and in `out/accuracy.json` the share of facts it reads right on drawn frames."""
    with PartialState().main_process_first():
        pictures = exercise_pictures(recipe.cache or out / "cache", recipe.stories)
    scenes = [scene for index in range(recipe.stories) for scene in exercises("train", index, FRAMES)]
    facts = np.stack([answers(truth(scene)) for scene in scenes])
    with seeded(recipe.train.seed):
        module = Reader()
    fit(module, Exercises(pictures, facts, recipe.train.batch, recipe.train.seed), recipe.train, out)
    if PartialState().is_main_process:
        module.save_pretrained(out / "model")
        (out / "accuracy.json").write_text(json.dumps(accuracy(Reader.from_pretrained(out / "model")), indent=1) + "\n")


@dataclass(frozen=True, slots=True, eq=False)
class Exercises:
    """Pictures with the answers to all questions, in batches that depend on their number alone."""

    pictures: np.ndarray  # (n, SIZE, SIZE, 3) uint8
    answers: np.ndarray  # (n, question)
    batch: int
    seed: int

    def __call__(self, number: int) -> ReaderBatch:
        """Batch number `number`."""
        rows = turn(number, self.batch, len(self.pictures), self.seed)
        return ReaderBatch(torch.from_numpy(self.pictures[rows]), torch.from_numpy(self.answers[rows]))


def exercise_pictures(folder: Path, stories: int) -> np.ndarray:
    """The pictures of the first exercises as the reader looks at them, uint8 (n, SIZE, SIZE, 3), kept in `folder`."""
    each = 2 * FRAMES
    rows = Rows(folder, f"exercises-{stories}-{SIZE}", (stories * each, SIZE, SIZE, 3), np.uint8, look(DRAWN))
    for block in drawn("train", range(rows.done // each, stories), DRAWN, FRAMES, exercises):
        rows.put(rows.done, np.stack([seen(Image.fromarray(picture)) for picture in block.reshape(-1, DRAWN, DRAWN, 3)]))
    return rows.array


def accuracy(module: Reader) -> dict[str, float]:
    """The share of facts of drawn validation frames that are read right: of all ("facts"), and of each attribute."""
    scenes = [shot.scene for index in range(CHECKED) for shot in plot("val", index, FRAMES)]
    readings = module.read([draw(scene, DRAWN) for scene in scenes])
    right: dict[str, list[bool]] = {"facts": []}
    for scene, reading in zip(scenes, readings, strict=True):
        for key, value in truth(scene).items():
            for name in ("facts", key.attribute):
                right.setdefault(name, []).append(reading.get(key) == value)
    return {name: sum(each) / len(each) for name, each in right.items()}

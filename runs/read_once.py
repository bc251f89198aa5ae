"""How much faster a step of the embedded model's U-Net is when the frozen encoders' work is read from a cache.

`python runs/read_once.py [STEPS]` trains at ToonSV's full size from random weights, as `arldm train toonsv` would, with the
encoders reading at every step and with their conditions read once, in turns, so that what else runs on the machine slows both.
"""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median

from arldm.model.noise import seeded
from arldm.recipes import ToonSV
from arldm.train import fit
from arldm.train.read import ReadStories, read
from arldm.train.stories import CachedStories, cached, turn
from arldm.train.toonsv import begin, shown

ROUNDS = 3
STORIES = 24


def main(steps: int) -> None:
    """Print the median of each and the ratio."""
    recipe = ToonSV(stories=STORIES, freeze=("text_encoder", "history_encoder", "conditioner"))
    config = replace(recipe.train, steps=steps, report_to="none", checkpoint_every=10**6, preview_every=0)
    model = begin(recipe)
    seconds: dict[str, list[float]] = {"at every step": [], "once": []}
    with tempfile.TemporaryDirectory() as folder:
        stories = cached(model, Path(folder), "train", STORIES)
        once = read(model, stories, Path(folder), shown(STORIES, recipe.frames))
        ways: dict[str, CachedStories | ReadStories] = {"at every step": stories, "once": once}
        for trial in range(ROUNDS):
            for name, data in ways.items():
                out = Path(folder) / f"{name}-{trial}"
                with seeded(0):
                    fit(model, lambda number, data=data: data.batch(turn(number, config.batch_size, STORIES, 0)), config, out)
                rows = [json.loads(line)["seconds"] for line in (out / "metrics.jsonl").read_text().splitlines()]
                seconds[name] += rows[2:]  # the first ones warm up
    for name, each in seconds.items():
        print(f"read {name}: {median(each):.2f} s a step of {config.batch_size} stories (median of {len(each)})")
    print(f"ratio: {median(seconds['at every step']) / median(seconds['once']):.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 8)

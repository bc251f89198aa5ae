"""What the enlarger is worth: `python runs/enlarged.py PICTURE [ENLARGER [STORIES]]`.

Test frames drawn small go through the autoencoder and are enlarged, by the enlarger and by bicubic interpolation; both are
compared with the same frames drawn large: peak signal-to-noise ratio, how steep outlines are, and what the reader says.
PICTURE shows parts of three of them: drawn large, bicubic, enlarged.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from arldm import ARLDM
from arldm.evaluate.reader import Reader
from arldm.model.batch import floats, image
from arldm.model.enlarge import TIMES, Enlarger
from arldm.pictures import grid
from arldm.toonsv import story
from arldm.toonsv.cast import truth
from arldm.toonsv.plot import plot
from arldm.toonsv.questions import ABSENT, answers

SHOWN, PART = 3, 256  # pictures, and pixels of each that are shown


def steepness(pictures: np.ndarray) -> float:
    """The 98th percentile of the difference of neighbouring pixels of pictures (n, size, size, 3), of 255: that of outlines."""
    return float(np.mean([np.quantile(np.abs(np.diff(one.astype(np.float32), axis=1)), 0.98) for one in pictures]))


def decibels(pictures: np.ndarray, true: np.ndarray) -> float:
    """Peak signal-to-noise ratio over all pictures."""
    return float(10 * np.log10(255**2 / ((pictures.astype(np.float32) - true) ** 2).mean()))


@torch.no_grad()
def main(shown: Path, folder: str, stories: int) -> None:
    """Print a row for each way, and draw three frames in each."""
    model, enlarger, reader = ARLDM.from_pretrained("toonsv"), Enlarger.from_pretrained(folder), Reader.from_pretrained("toonsv")
    ways: dict[str, list[Image.Image]] = {"drawn large": [], "bicubic": [], "enlarged": []}
    for number in tqdm(range(stories), unit="story"):
        small, large = (story("test", number, size=size) for size in (model.config.picture_size, TIMES * model.config.picture_size))
        pictures = floats(np.stack([np.asarray(frame.picture) for frame in small.frames]))
        for one, true in zip(model.latents.decode(model.latents.encode(pictures)), large.frames, strict=True):
            assert true.picture is not None
            ways["drawn large"].append(true.picture)
            ways["bicubic"].append(image(one).resize(true.picture.size, Image.Resampling.BICUBIC))
            ways["enlarged"].append(enlarger.enlarge(image(one)))
    asked = np.stack([answers(truth(shot.scene)) for number in range(stories) for shot in plot("test", number)])
    true = np.stack([np.asarray(picture) for picture in ways["drawn large"]])
    print("| pictures | PSNR, dB | steepness of outlines | facts read right |\n|---|---|---|---|")
    for name, pictures in ways.items():
        drawn = np.stack([np.asarray(picture) for picture in pictures])
        right = (reader.answers(pictures) == asked)[asked != ABSENT].mean()
        near = "" if name == "drawn large" else f"{decibels(drawn, true):.1f}"
        print(f"| {name} | {near} | {steepness(drawn):.0f} | {right:.4f} |")
    middle = (TIMES * model.config.picture_size - PART) // 2
    parts = [
        one.crop((middle, middle, middle + PART, middle + PART))
        for some in ways.values()
        for one in some[:: len(some) // SHOWN][:SHOWN]
    ]
    grid(parts, SHOWN).save(shown)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if sys.argv[2:] else "toonsv", int(sys.argv[3]) if sys.argv[3:] else 40)

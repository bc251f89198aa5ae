"""How flat what should be flat is: `python runs/grain.py [MODEL [STORIES]]`.

Deviation of pixels within squares of 8 x 8, of 255: of rendered validation frames, of these through the autoencoder, and as told.
A quarter of a ToonSV picture's squares has one colour, so the lower quartile is grain.
"""

import sys

import numpy as np
import torch

from arldm import ARLDM
from arldm.model.batch import floats, image
from arldm.sample import tell_batch
from arldm.toonsv import story

SQUARE = 8  # pixels
SHARES = (0.1, 0.25, 0.5)


def grain(pictures: np.ndarray) -> np.ndarray:
    """Quantiles of the deviation within squares of pictures (n, size, size, 3)."""
    count, size = len(pictures), pictures.shape[1] // SQUARE
    squares = pictures.reshape(count, size, SQUARE, size, SQUARE, 3).astype(np.float32)
    return np.quantile(squares.std((2, 4)).mean(-1), SHARES)


@torch.no_grad()
def main(folder: str, stories: int) -> None:
    """Print a row for each."""
    model = ARLDM.from_pretrained(folder)
    truths = [story("val", number, 5, model.config.picture_size) for number in range(stories)]
    rendered = np.stack([np.asarray(frame.picture) for truth in truths for frame in truth.frames])
    decoded = [model.latents.decode(model.latents.encode(floats(some))) for some in np.array_split(rendered, stories)]
    rows = zip(*tell_batch(model, [truth.untold() for truth in truths]), strict=True)
    told = np.stack([np.asarray(frame.picture) for row in rows for frame in row])
    found = {"rendered": rendered, "autoencoder": np.stack([np.asarray(image(one)) for one in torch.cat(decoded)]), "told": told}
    print("| pictures | " + " | ".join(f"{share:.0%}" for share in SHARES) + " |")
    for name, pictures in found.items():
        print(f"| {name} | " + " | ".join(f"{value:.1f}" for value in grain(pictures)) + " |")


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else "toonsv", int(sys.argv[2]) if sys.argv[2:] else 4)

"""Print size: pictures of twice the side, by a small network that knows how ToonSV is drawn. For pages; no story needs it."""

from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import Image

from arldm.model.batch import floats, image
from arldm.model.finish import FOLD, Finish
from arldm.weight_files import fill, read_weights, save_half

EMBEDDED = Path(__file__).parents[1] / "weights" / "enlarger"
WEIGHTS = "model.safetensors"
TIMES = 2


class Enlarger(Finish):
    """Bicubic interpolation, finished."""

    def __init__(self, width: int = 96, blocks: int = 5) -> None:
        super().__init__(TIMES, width, blocks)

    @torch.no_grad()
    def enlarge(self, picture: Image.Image) -> Image.Image:
        """A picture of twice the side."""
        array = np.asarray(picture.convert("RGB"))
        height, width = array.shape[:2]
        filled = np.pad(array, ((0, -height % FOLD), (0, -width % FOLD), (0, 0)), mode="edge")
        return image(self(floats(filled[None]))[0].clamp(-1, 1)).crop((0, 0, TIMES * width, TIMES * height))

    def save_pretrained(self, folder: Path) -> None:
        """Write the weights in half precision."""
        save_half(self, folder / WEIGHTS)

    @classmethod
    def from_pretrained(cls, folder: Path | str) -> Self:
        """Read a saved one; "toonsv" is the one that ships with the program. Raises ModelError."""
        path = (EMBEDDED if folder == "toonsv" else Path(folder)) / WEIGHTS
        module = cls()
        fill(module, read_weights(path), path)
        return module.eval()

"""A character drawn on a sheet, without the sheet: that is transparent, or of one colour."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from PIL import Image
from scipy import ndimage

from arldm.pictures import flattened

OPAQUE = 128  # of 255
SHEET = 0.95  # of its box; what is not transparent, fills more than that and has a white border is a sheet of paper
PLAIN = 24  # of 255; what differs less from the colour of the border is background
SPECK = 0.01  # of the largest part of a drawing
TWIN = 0.5  # of the largest part; as much as that beside it is somebody else
PAPER, SHADE = 160, 60  # of 255; as light as that is paper, which scanned may have a shade
SHEETLIKE = 0.6  # of a border of one colour, or a shade of paper: then the rest is what touches it

Box = tuple[int, int, int, int]  # left, top, right and bottom


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing without what is behind it."""

    figure: Image.Image  # RGBA
    box: Box | None  # where on its sheet; None where there is nothing
    alone: bool = True  # is it one figure?


def drawn(picture: Image.Image) -> Drawing | None:
    """What is not transparent, or not of the one colour of the whole border and joined to it. None where there is neither.

    A sheet of white paper is no figure, though it may lie on nothing: a screenshot of a window does.
    """
    if picture.mode == "RGBA" and np.median(_border(alpha := np.asarray(picture.getchannel("A")))) < OPAQUE:
        drawing = _cropped(np.asarray(picture.convert("RGB")), alpha)
        on_paper = drawn(flattened(drawing.figure)) if _is_paper(drawing.figure) else None
        if drawing.box is None or on_paper is None:
            return drawing
        return replace(on_paper, box=on_paper.box and _moved(on_paper.box, *drawing.box[:2]))
    pixels = np.asarray(flattened(picture))
    border = _border(pixels).astype(np.int16)
    colour = np.median(border, 0)
    if (abs(border - colour).max(-1) > PLAIN).any():
        return None
    parts = np.zeros(pixels.shape[:2], np.int32)
    ndimage.label(abs(pixels - colour).max(-1) <= PLAIN, output=parts)
    return _cropped(pixels, np.where(parts != parts[0, 0], 255, 0).astype(np.uint8))


def _border(pixels: np.ndarray) -> np.ndarray:
    return np.concatenate(_sides(pixels))


def _sides(pixels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Top, bottom, left and right."""
    return pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]


def touched(picture: Image.Image) -> str:
    """Where a sheet that might be of one colour is not: there the figure touches the border, or a scan is not white."""
    pixels = np.asarray(flattened(picture)).astype(np.int16)
    colour = np.median(_border(pixels), 0)
    apart = abs(pixels - colour).max(-1)
    sides = [name for name, side in zip(("top", "bottom", "left", "right"), _sides(apart), strict=True) if (side > PLAIN).any()]
    if not sides or (_border(apart) <= (SHADE if (colour >= PAPER).all() else PLAIN)).mean() < SHEETLIKE:
        return ""
    return f", for the sheet has another colour at its {' and '.join(sides)} (leave a margin there, and clean what was scanned)"


def _is_paper(figure: Image.Image) -> bool:
    """Is it a rectangle with a white border?"""
    pixels = np.asarray(figure)
    if not pixels.size or (pixels[..., 3] >= OPAQUE).mean() <= SHEET:
        return False
    return bool((np.median(_border(pixels), 0) >= 255 - PLAIN).all())


def _moved(box: Box, right: int, down: int) -> Box:
    return box[0] + right, box[1] + down, box[2] + right, box[3] + down


def _cropped(pixels: np.ndarray, alpha: np.ndarray) -> Drawing:
    parts = np.zeros(alpha.shape, np.int32)
    ndimage.label(alpha >= OPAQUE, output=parts)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0  # what is not seen
    box = Image.fromarray((sizes > SPECK * sizes.max())[parts]).getbbox()  # no speck of dust, signature or number of the page
    return Drawing(Image.fromarray(np.dstack((pixels, alpha)), "RGBA").crop(box), box, _is_one(parts, sizes))


def _is_one(parts: np.ndarray, sizes: np.ndarray) -> bool:
    """Do no two parts of like size stand side by side? What floats above, or is small, may be a part of the figure."""
    large = [
        columns for (_, columns), size in zip(ndimage.find_objects(parts), sizes[1:], strict=True) if size >= TWIN * sizes.max()
    ]
    ends = sorted((columns.start, columns.stop) for columns in large)
    return all(before[1] > after[0] for before, after in pairwise(ends))

"""Stills as they lie in an archive: encoded bytes, lossless where they had to be cut out of something."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from arldm.errors import PictureError
from arldm.story_files import decoded


def encoded(picture: Image.Image) -> bytes:
    """Lossless WebP: smaller than PNG, and faster both ways (docs/log.md)."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "WEBP", lossless=True, method=0, quality=0)
    return buffer.getvalue()


def unstacked(strip: Image.Image, name: object) -> list[Image.Image]:
    """The squares of a strip, from top to bottom or from left to right. Raises PictureError if it is no row of squares."""
    side, length = sorted(strip.size)
    if not side or length % side:
        raise PictureError(f"{name}: is {strip.width} x {strip.height}; expected square stills in one row, fetch it again")
    across = strip.width > strip.height
    corners = [(start, 0) if across else (0, start) for start in range(0, length, side)]
    return [strip.crop((x, y, x + side, y + side)) for x, y in corners]


def strip_stills(path: Path) -> list[bytes]:
    """The stills of a strip. Raises PictureError, FileNotFoundError."""
    return [encoded(still) for still in unstacked(decoded(path, path), path)]


def array_stills(array: np.ndarray, name: object) -> list[bytes]:
    """The stills of (still, height, width, 3) uint8. Raises PictureError."""
    if array.ndim != 4 or array.shape[-1] != 3 or array.dtype != np.uint8 or 0 in array.shape:
        raise PictureError(f"{name}: is {array.dtype}{list(array.shape)}; expected uint8[stills, height, width, 3], fetch it again")
    return [encoded(Image.fromarray(still)) for still in array]


def photograph(path: Path) -> list[bytes]:
    """A picture's own bytes, once they are seen to be whole. Raises PictureError, FileNotFoundError."""
    data = path.read_bytes()
    decoded(io.BytesIO(data), path)
    return [data]

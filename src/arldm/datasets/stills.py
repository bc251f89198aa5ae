"""Stills as they lie in an archive: encoded bytes, lossless where they had to be cut out of something."""

import io

import numpy as np
from PIL import Image

from arldm.datasets.corpus import Clip
from arldm.errors import PictureError
from arldm.pictures import decoded, flattened
from arldm.pictures import encoded as picture_bytes

MOST = 1000  # stills of a clip
LARGEST = 64 * 2**20  # bytes of a photograph
WIDEST = 16_383  # pixels of a side, in WebP


def encoded(picture: Image.Image, name: object) -> bytes:
    """Lossless WebP: smaller than PNG, and faster both ways (docs/log.md). Raises PictureError if it is too wide or high for it."""
    if max(picture.size) > WIDEST:
        raise PictureError(f"{name}: is {picture.width} x {picture.height}; expected at most {WIDEST:,} a side, make it smaller")
    return picture_bytes(flattened(picture, name), "WEBP", lossless=True, method=0, quality=0)


def unstacked(strip: Image.Image, side: int, name: object) -> list[bytes]:
    """The square stills of a strip, from top to bottom or from left to right. Raises PictureError if it is no row of squares."""
    length = max(strip.size)
    if min(strip.size) != side or length % side or length > MOST * side:
        got = f"{strip.width} x {strip.height}"
        raise PictureError(f"{name}: is {got}; expected square stills in one row, at most {MOST:,}, fetch it again")
    starts = range(0, length, side)
    corners = [(start, 0) for start in starts] if strip.width > side else [(0, start) for start in starts]
    return [encoded(strip.crop((x, y, x + side, y + side)), name) for x, y in corners]


def strip_stills(clip: Clip) -> list[bytes]:
    """The stills of a strip that goes down. Raises PictureError, FileNotFoundError."""
    strip = decoded(clip.path, clip.path)
    return unstacked(strip, strip.width, clip.path)


def array_stills(array: np.ndarray, name: object) -> list[bytes]:
    """The stills of (still, height, width, 3) uint8. Raises PictureError."""
    if array.ndim != 4 or array.shape[-1] != 3 or array.dtype != np.uint8 or not 0 < array.size <= array[0].size * MOST:
        raise PictureError(f"{name}: is {array.dtype}{list(array.shape)}; expected uint8[stills, height, width, 3], fetch it again")
    return [encoded(Image.fromarray(still), name) for still in array]


def photograph(clip: Clip) -> list[bytes]:
    """A picture's own bytes, once they are seen to be whole. Raises PictureError, OSError."""
    path = clip.path
    if (size := path.stat().st_size) > LARGEST:
        raise PictureError(f"{path}: has {size / 2**20:.0f} MiB; expected at most {LARGEST // 2**20}, make it smaller")
    data = path.read_bytes()
    flattened(decoded(io.BytesIO(data), path), path)
    return [data]

"""Pictures on their way in and out: files of any kind, read with care, as RGB; cut to their middle; side by side."""

import io
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from arldm.errors import PictureError, said

FORMATS = ("WEBP", "PNG", "JPEG", "GIF", "BMP", "TIFF")  # Pillow would try forty, one of which starts Ghostscript
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")  # of their files
LARGEST = 64_000_000  # pixels; a picture is refused by its header, before it is decoded
LONGEST = 1000  # times as long as the other side; one pixel high, it would be enlarged to a row of gigabytes
GUTTER = 8  # pixels between the frames of a strip


def read_picture(path: Path) -> Image.Image:
    """A picture as RGB, decoded. Raises PictureError for what is missing, broken, too large or no picture."""
    try:
        return flattened(decoded(path, path), path)
    except FileNotFoundError as error:
        raise PictureError(f"{path}: not there; expected a picture, check the path") from error


def decoded(file: Path | io.BytesIO, name: object) -> Image.Image:
    """A picture of any mode, decoded; `name` is what messages call it. Raises PictureError, FileNotFoundError."""
    try:
        quietly = warnings.catch_warnings(action="ignore")  # Pillow also warns of what is refused below
        with quietly, Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > LARGEST:
                got = f"{image.width} x {image.height} pixels"
                raise PictureError(f"{name}: has {got}; expected at most {LARGEST // 1_000_000} million, make it smaller")
            image.load()
            with suppress(Exception):  # what is broken of what a camera wrote beside the picture
                ImageOps.exif_transpose(image, in_place=True)  # photographs lie on their side, and say so
            return image
    except (FileNotFoundError, PictureError):
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(f"{name}: is far too large ({error}); expected at most {LARGEST // 1_000_000} million pixels") from error
    except UnidentifiedImageError as error:
        raise PictureError(f"{name}: is not a picture; expected PNG, JPEG or WebP") from error
    except Exception as error:  # whatever Pillow stumbles over in a file that is broken, or was made to be
        if isinstance(error, OSError) and error.errno:  # of the system, not of Pillow
            raise PictureError(f"{name}: cannot be read ({error.strerror}); expected a picture that may be read") from error
        raise _undecodable(name, error) from error


def _undecodable(name: object, error: Exception) -> PictureError:
    return PictureError(f"{name}: cannot be decoded ({said(error)}); expected a whole picture, save it again")


def flattened(picture: Image.Image, name: object = "picture") -> Image.Image:
    """A picture as RGB: what is transparent is white, and of greys of 16 bits the upper 8 count. Raises PictureError for others."""
    if max(picture.size) > LONGEST * min(picture.size):
        got = f"{picture.width} x {picture.height} pixels"
        raise PictureError(f"{name}: has {got}; expected sides of which none is {LONGEST} times the other, cut it")
    try:
        picture.load()  # of a file that Pillow has but opened
    except Exception as error:  # whatever it stumbles over
        raise _undecodable(name, error) from error
    if picture.mode in ("I", "F"):
        raise PictureError(f"{name}: has greys of 32 bits; expected 8 or 16, save it again as PNG or JPEG")
    if picture.mode.startswith("I;16"):  # Pillow would cut their values off at 255
        picture = Image.fromarray((np.asarray(picture) // 256).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def centred(picture: Image.Image, side: int) -> Image.Image:
    """The middle of a picture, `side` pixels each way, as torchvision's Resize and CenterCrop leave it."""
    wide, high = (int(side * one / min(picture.size)) for one in picture.size)
    left, top = round((wide - side) / 2), round((high - side) / 2)
    resized = picture.convert("RGB").resize((wide, high), Image.Resampling.BILINEAR)
    return resized.crop((left, top, left + side, top + side))


def grid(pictures: Sequence[Image.Image], columns: int) -> Image.Image:
    """Pictures of one size, row after row."""
    width, height = pictures[0].size
    sheet = Image.new("RGB", (columns * width, -(-len(pictures) // columns) * height), "white")
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (i % columns * width, i // columns * height))
    return sheet


def strip(pictures: Sequence[Image.Image]) -> Image.Image:
    """Frames side by side, as high as the last; a given picture may have another size."""
    height = pictures[-1].height
    pictures = [picture.resize((max(1, round(picture.width * height / picture.height)), height)) for picture in pictures]
    width = sum(picture.width for picture in pictures) + GUTTER * (len(pictures) - 1)
    sheet = Image.new("RGB", (width, height), "white")
    x = 0
    for picture in pictures:
        sheet.paste(picture, (x, 0))
        x += picture.width + GUTTER
    return sheet


def stacked(rows: Sequence[Image.Image]) -> Image.Image:
    """Strips below each other, each as wide as it is."""
    sheet = Image.new("RGB", (max(row.width for row in rows), sum(row.height + GUTTER for row in rows) - GUTTER), "white")
    y = 0
    for row in rows:
        sheet.paste(row, (0, y))
        y += row.height + GUTTER
    return sheet


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """A picture as the bytes of a file, by Pillow's options."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()

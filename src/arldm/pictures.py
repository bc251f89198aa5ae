"""Pictures of any kind as RGB."""

import numpy as np
from PIL import Image

from arldm.errors import PictureError


def flattened(picture: Image.Image, name: object = "picture") -> Image.Image:
    """A picture as RGB: what is transparent is white, and of greys of 16 bits the upper 8 count. Raises PictureError for others."""
    if picture.mode in ("I", "F"):
        raise PictureError(f"{name}: has greys of 32 bits; expected 8 or 16, save it again as PNG or JPEG")
    if picture.mode.startswith("I;16"):  # Pillow would cut their values off at 255
        picture = Image.fromarray((np.asarray(picture) // 256).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")

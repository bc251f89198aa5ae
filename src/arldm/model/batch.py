"""Stories to tensors, and pictures back: the only such place. One resize, Pillow's, serves training and telling."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from einops import rearrange
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import pad

from arldm.errors import ConfigError, PictureError, ScriptError
from arldm.model.condition import Condition, Moved
from arldm.pictures import flattened
from arldm.story import Story

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)  # the normalisation that BLIP's picture encoder was trained with
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True)
class StoryBatch(Moved):
    """Stories of equal length with all their pictures, for teacher-forced training.

    Captions and latents are those of the frames to draw; what can be looked at has the given frames before them, too.
    """

    caption_ids: Tensor  # (batch, frame, token) by CLIP's tokenizer
    caption_keep: Tensor  # (batch, frame, token)
    past_ids: Tensor  # (batch, given + frame, token) the captions by BLIP's tokenizer
    past_keep: Tensor  # (batch, given + frame, token)
    past_pictures: Tensor  # (batch, given + frame, 3, past_size, past_size) in BLIP's normalisation
    latents: Tensor  # (batch, frame, channel, h, w) normalised

    @property
    def given(self) -> int:
        """How many frames are looked at and not drawn: 0 is visualization, 1 continuation."""
        return self.past_ids.shape[1] - self.caption_ids.shape[1]


def picked(batch: StoryBatch, story: int, order: Tensor | None = None) -> StoryBatch:
    """One of the stories of a batch that has no given pictures, as a batch, its frames in another order if need be."""
    rows = {field.name: getattr(batch, field.name)[story : story + 1] for field in fields(batch)}
    return StoryBatch(**{name: values if order is None else values[:, order.to(values.device)] for name, values in rows.items()})


def joined(batches: Sequence[StoryBatch]) -> StoryBatch:
    """Stories of equal length as one batch."""

    def one(name: str) -> Tensor:
        values = [getattr(batch, name) for batch in batches]
        if not name.startswith(("caption_", "past_ids", "past_keep")):
            return torch.cat(values)
        longest = max(each.shape[-1] for each in values)  # what is filled up is not kept, and so inert
        return torch.cat([pad(each, (0, longest - each.shape[-1])) for each in values])

    return StoryBatch(**{field.name: one(field.name) for field in fields(StoryBatch)})


@dataclass(frozen=True, slots=True)
class ReadBatch(Moved):
    """Stories of which all has been read that a frame may know: where nothing of that learns, it is read once (train/read.py)."""

    condition: Condition  # of every frame
    null: Condition  # (1, 1, token, dim), for frames that lose their condition
    latents: Tensor  # (batch, frame, channel, h, w) normalised

    def beside(self, other: "ReadBatch") -> "ReadBatch":
        """These stories and then others, of as many frames and tokens."""
        tokens, keep = (
            torch.cat(pair)
            for pair in ((self.condition.tokens, other.condition.tokens), (self.condition.keep, other.condition.keep))
        )
        return ReadBatch(Condition(tokens, keep), self.null, torch.cat((self.latents, other.latents)))


def assemble(
    caption_ids: Tensor, caption_keep: Tensor, past_ids: Tensor, past_keep: Tensor, small_pictures: Tensor, latents: Tensor
) -> StoryBatch:
    """A batch from cached arrays: ids of any integer type, padded to any length; pictures at the history encoder's size as bytes.

    small_pictures (batch, frame, past_size, past_size, 3) uint8. Columns that no caption of this batch reaches are cut off: padding
    is inert, and the U-Net need not pay for it.
    """
    captions, pasts = int(caption_keep.sum(-1).max()), int(past_keep.sum(-1).max())
    return StoryBatch(
        caption_ids=caption_ids[..., :captions].long(),
        caption_keep=caption_keep[..., :captions],
        past_ids=past_ids[..., :pasts].long(),
        past_keep=past_keep[..., :pasts],
        past_pictures=normalised(small_pictures),
        latents=latents.float(),
    )


def length_of(stories: Sequence[Story]) -> int:
    """How many frames each of the stories of a batch has. Raises ScriptError for none, or of several lengths."""
    lengths = sorted({len(story.frames) for story in stories})
    if len(lengths) != 1 or lengths[0] == 0:
        raise ScriptError(f"stories of {lengths} frames in one batch; expected at least one story, all of one length, none empty")
    return lengths[0]


def pictures_of(stories: Sequence[Story], given: int = 0) -> list[list[Image.Image]]:
    """The pictures of stories of one length that have them all, more than are `given`.

    Raises PictureError for a frame without one, ScriptError, ConfigError.
    """
    frames = length_of(stories)
    if not 0 <= given < frames:
        raise ConfigError(f"given is {given} of stories of {frames} frames; expected fewer, or nothing is drawn")
    rows: list[list[Image.Image]] = []
    for story in stories:
        row = story.pictures
        if len(row) < len(story.frames):
            got = f"story {story.id!r} has {len(row)} pictures for {len(story.frames)} frames"
            raise PictureError(f"{got}; training needs them all, add the missing ones")
        rows.append(row)
    return rows


def resized(picture: Image.Image, size: int) -> Image.Image:
    """The picture as an RGB square of `size` pixels: cut to its middle if it is not square, resized with Lanczos if need be."""
    flat = flattened(picture)
    return flat if flat.size == (size, size) else ImageOps.fit(flat, (size, size), Image.Resampling.LANCZOS)


def pixels(picture: Image.Image, size: int) -> Tensor:
    """The picture for the autoencoder: (3, size, size) in [-1, 1]."""
    return rearrange(small(picture, size).float() / 127.5 - 1, "h w c -> c h w")


def floats(pictures: np.ndarray) -> Tensor:
    """uint8 (n, size, size, 3) to (n, 3, size, size) in [-1, 1]."""
    return torch.from_numpy(pictures).movedim(-1, 1).float() / 127.5 - 1


def small(picture: Image.Image, size: int) -> Tensor:
    """The square in a picture's middle, as it is cached: uint8 (size, size, 3)."""
    return torch.from_numpy(np.array(resized(picture, size)))


def normalised(small_pictures: Tensor) -> Tensor:
    """uint8 (..., h, w, 3) to float (..., 3, h, w) in BLIP's normalisation."""
    mean, std = (torch.tensor(values, device=small_pictures.device) for values in (CLIP_MEAN, CLIP_STD))
    return rearrange((small_pictures.float() / 255 - mean) / std, "... h w c -> ... c h w")


def image(decoded: Tensor) -> Image.Image:
    """One decoded picture (3, h, w) in [-1, 1] as an RGB image."""
    values = ((decoded.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(rearrange(values, "c h w -> h w c").cpu().numpy())

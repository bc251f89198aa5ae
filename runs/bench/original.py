"""The original procedure written plainly, with our model's weights and schedule; what it gives is what ours gives.

Telling: one story at a time, in float32, the past read anew for each new frame, both branches of guidance at every step of DDIM.
Training: in float32, nothing cached: the autoencoder encodes all pictures in every step. Captions are padded to their limit.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image
from torch import Tensor
from torch.nn.functional import mse_loss, pad

from arldm import ARLDM, TellConfig
from arldm.model.batch import StoryBatch, image, normalised, pictures_of, small
from arldm.model.condition import Condition
from arldm.model.denoiser import build_sampler, predict
from arldm.model.noise import frame_generator, rand
from arldm.model.text import CaptionTokenizer
from arldm.story import Story


@torch.no_grad()
def tell(model: ARLDM, story: Story, config: TellConfig) -> list[Image.Image]:
    """The pictures of a story that has none."""
    drawn: list[Image.Image] = []
    captions = [frame.caption for frame in story.frames]
    side = model.config.picture_size // model.config.latents.downsample
    for t in range(len(captions)):
        both = _joined([_told(model, captions[: t + 1], drawn), model.null().folded()])
        generator = frame_generator(config.seed, story.id, t, take=0)
        latents = torch.randn(1, model.config.latents.channels, side, side, generator=generator)
        sampler = build_sampler(config, model.schedule)
        for time in sampler.timesteps:
            told, untold = predict(model.unet, latents.repeat(2, 1, 1, 1), time.repeat(2), both).chunk(2)
            said = untold + config.guidance * (told - untold)
            latents = sampler.step(said, time, latents, return_dict=False)[0]  # type: ignore[arg-type]
        drawn.append(image(model.latents.decode(latents)[0]))
    return drawn


def batch(model: ARLDM, stories: Sequence[Story]) -> StoryBatch:
    """Stories with all their pictures, without latents, captions as long as a caption may be."""
    shape = (len(stories), len(stories[0].frames))
    rows = pictures_of(stories)
    captions = [frame.caption for story in stories for frame in story.frames]
    ids = [
        values.unflatten(0, shape)
        for tokenizer in (model.tokenizer, model.past_tokenizer)
        for values in padded(tokenizer, captions)
    ]
    seen = torch.stack([small(picture, model.config.past.picture_size) for row in rows for picture in row])
    return StoryBatch(*ids, past_pictures=normalised(seen).unflatten(0, shape), latents=torch.empty(0))


def loss(model: ARLDM, pictures: Tensor, batch: StoryBatch, generators: list[torch.Generator], *, anew: bool) -> Tensor:
    """`ARLDM.loss`, from pictures (batch, frame, 3, size, size) in [-1, 1]; the latents of `batch` are not looked at.

    A past frame is read for each frame that sees it (`anew`), or once.
    """
    with torch.no_grad():
        latents = model.latents.encode(pictures.flatten(0, 1))
    shape = pictures.shape[:2]
    if not anew:
        return model.loss(replace(batch, latents=latents.unflatten(0, shape)), generators)
    dropped = rand(generators, shape[1], device=latents.device) < model.conditioning_dropout
    timesteps = torch.cat([model.timesteps(shape[1], generator) for generator in generators])
    noise = randn_tensor((*shape, *latents.shape[1:]), generators).flatten(0, 1)
    noisy = model.schedule.add_noise(latents, noise, timesteps)  # type: ignore[arg-type]
    by_frame = _joined([_trained(model, batch, t, dropped[:, t]) for t in range(shape[1])])
    tokens, keep = (
        values.unflatten(0, (shape[1], shape[0])).transpose(0, 1).flatten(0, 1) for values in (by_frame.tokens, by_frame.keep)
    )
    return mse_loss(predict(model.unet, noisy, timesteps, Condition(tokens, keep)), model.target(latents, noise, timesteps))


def padded(tokenizer: CaptionTokenizer, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Captions to ids and keep (n, token), as long as a caption may be."""
    ids, keep = tokenizer.encode(captions)
    missing = tokenizer.max_tokens - ids.shape[1]
    return pad(ids, (0, missing)), pad(keep, (0, missing))


def _told(model: ARLDM, captions: Sequence[str], pictures: Sequence[Image.Image]) -> Condition:
    """The condition of the last caption's frame, (1, token, dim)."""
    t = len(captions) - 1
    ids, keep = (values[None] for values in padded(model.tokenizer, captions[-1:]))
    past = None
    if t:
        seen = normalised(torch.stack([small(picture, model.config.past.picture_size) for picture in pictures]))
        past = model.read_past(range(t), *(values[None] for values in (*padded(model.past_tokenizer, captions[:-1]), seen)))
    return model.conditioner(model.read_captions(ids, keep), keep, [t], past).folded()


def _trained(model: ARLDM, batch: StoryBatch, t: int, dropped: Tensor) -> Condition:
    """The condition of frame t of each story, (batch, token, dim); the null condition where `dropped` (batch)."""
    ids, keep = model.text_encoder.without(batch.caption_ids[:, t], batch.caption_keep[:, t], dropped)
    past = model.read_past(range(t), batch.past_ids[:, :t], batch.past_keep[:, :t], batch.past_pictures[:, :t]) if t else None
    caption = model.read_captions(ids[:, None], keep[:, None])
    return model.conditioner(caption, keep[:, None], [t], past, hidden=dropped[:, None]).folded()


def _joined(conditions: Sequence[Condition]) -> Condition:
    """Conditions (n, token, dim) one after the other, filled up to the longest with what is not seen."""
    longest = max(one.keep.shape[1] for one in conditions)
    missing = [longest - one.keep.shape[1] for one in conditions]
    return Condition(
        torch.cat([pad(one.tokens, (0, 0, 0, short)) for one, short in zip(conditions, missing, strict=True)]),
        torch.cat([pad(one.keep, (0, short)) for one, short in zip(conditions, missing, strict=True)]),
    )

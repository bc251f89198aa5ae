"""Telling: a story whose later pictures are missing is completed, frame after frame, given 0, 1 or more pictures."""

import dataclasses
import math
from collections.abc import Callable, Collection, Iterator, Sequence

import torch
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from arldm.config import TellConfig
from arldm.errors import ConfigError, ModelError
from arldm.model.arldm import ARLDM
from arldm.model.batch import image, length_of, normalised, small
from arldm.model.condition import Condition, PastTokens
from arldm.model.denoiser import build_autocast, build_sampler, guided, paired, predict
from arldm.model.noise import frame_generator, rand
from arldm.model.widening import Pinned
from arldm.pictures import flattened
from arldm.story import Frame, Story

OnStep = Callable[[int, int], None]


def tell(
    model: ARLDM,
    story: Story,
    config: TellConfig | None = None,
    *,
    frames: Collection[int] | None = None,
    take: int = 0,
    pinned: Collection[int] = (),
    on_step: OnStep | None = None,
) -> Iterator[Frame]:
    """Each frame of a story as soon as it is drawn; a frame that has its picture is handed on untouched.

    `frames`: which to draw again although they have a picture. `pinned`: frames that stay visible beyond the window.
    `on_step(frame, step)` is called after every step of the sampler. `config`: 5 steps and guidance 2 suit the embedded model; the
    paper's are `TellConfig(steps=250, guidance=6.0)`. Raises CaptionError, ConfigError, PictureError, ScriptError, and that before
    anything is drawn; ModelError for weights that draw nothing.
    """
    for row in tell_batch(model, [story], config, frames=frames, take=take, pinned=pinned, on_step=on_step):
        yield row[0]


def tell_batch(
    model: ARLDM,
    stories: Sequence[Story],
    config: TellConfig | None = None,
    *,
    frames: Collection[int] | None = None,
    take: int = 0,
    pinned: Collection[int] = (),
    on_step: OnStep | None = None,
) -> Iterator[list[Frame]]:
    """`tell` for several stories of equal length at once: frame 0 of all, then frame 1 of all.

    Each story starts from the noise it has alone; kernels may round differently between batch sizes.
    """
    config = config or TellConfig()
    again = _checked(model, stories, config, frames, pinned, take)
    past = Past(model, stories, pinned)
    for t in range(len(stories[0].frames)):
        row = [story.frames[t] for story in stories]
        draw = [k for k, frame in enumerate(row) if frame.picture is None or t in again]
        if draw:
            generators = [frame_generator(config.seed, stories[k].id, t, take) for k in draw]
            pictures = _draw(model, past.condition(t, draw), generators, config, t, on_step)
            for k, picture in zip(draw, pictures, strict=True):
                row[k] = dataclasses.replace(row[k], picture=picture)
        past.add(t, [frame.picture for frame in row if frame.picture is not None])  # now: the caller may draw on what it is given
        yield row


class Past:
    """What the stories of a batch have been so far: each picture is read once, whatever the number of frames and steps.

    Each frame's captions are padded by themselves: padding is inert but for rounding, and even that must not depend on later ones.
    """

    def __init__(self, model: ARLDM, stories: Sequence[Story], pinned: Collection[int]) -> None:
        self.model = model
        self.pinned = pinned
        self.cards = model.widened.pinned if model.widened is not None and model.history == "pictures" else []
        self.told = [[story.frames[t].caption for story in stories] for t in range(len(stories[0].frames))]
        self.captions = [model.tokenizer.encode(row) for row in self.told]  # of each frame: ids and keep (batch, token)
        self.past_captions = [model.past_tokenizer.encode(row) for row in self.told]
        self.tokens: list[Tensor] = []  # of each frame so far (batch, token, dim)

    @torch.no_grad()
    def condition(self, frame: int, stories: Sequence[int]) -> Condition:
        """The condition of a frame, for some of the stories: (batch, 1, token, dim)."""
        ids, keep = (values[stories][:, None].to(self.model.device) for values in self.captions[frame])
        caption = self.model.read_captions(ids, keep)
        past = self._visible(frame, stories)
        return self.model.conditioner(caption, keep, [frame], past, pinned={*self.pinned, *(past.frames if past else ())})

    @torch.no_grad()
    def add(self, frame: int, pictures: Sequence[Image.Image]) -> None:
        """Read a finished frame of all the stories, if a later one looks back."""
        if frame == len(self.captions) - 1 or self.model.history == "none":
            return
        seen = torch.stack([small(picture, self.model.config.past.picture_size) for picture in pictures])
        ids, keep, seen = (values[:, None].to(self.model.device) for values in (*self.past_captions[frame], normalised(seen)))
        past = self.model.read_past([frame], ids, keep, seen)
        if past is not None:
            self.tokens.append(past.tokens[:, 0])

    def _visible(self, frame: int, stories: Sequence[int]) -> PastTokens | None:
        """What the frame may see, padded to the longest of it."""
        seen = self.model.conditioner.visible(frame, range(len(self.tokens)), self.pinned)
        device = self.model.device
        before = [shown for card in self.cards for shown in self._shown(card, frame, stories)]
        past = [(self.tokens[j][list(stories)], self.past_captions[j][1][stories].to(device)) for j in seen]
        if not before and not past:
            return None
        tokens, keep = zip(*before, *past, strict=True)
        longest = max(one.shape[1] for one in tokens)
        tokens = torch.stack([pad(one, (0, 0, 0, longest - one.shape[1])) for one in tokens], dim=1)
        keep = torch.stack([pad(one, (0, longest - one.shape[1])) for one in keep], dim=1)
        return PastTokens(tokens, keep, [*range(-len(before), 0), *seen])

    def _shown(self, card: Pinned, frame: int, stories: Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
        """A character's reference pictures, for those of the stories whose caption names it: tokens and keep."""
        device = self.model.device
        named = torch.tensor([card.named_in(self.told[frame][k]) for k in stories], device=device)
        for tokens, keep in zip(card.tokens.to(device, self.model.dtype), card.keep.to(device), strict=True) if named.any() else ():
            yield tokens.expand(len(stories), -1, -1), keep & named[:, None]


@torch.no_grad()
def _draw(
    model: ARLDM,
    condition: Condition,
    generators: Sequence[torch.Generator],
    config: TellConfig,
    frame: int,
    on_step: OnStep | None,
) -> list[Image.Image]:
    """One picture for each row of the condition, with the sampler and the guidance of the config."""
    side = model.config.picture_size // model.config.latents.downsample
    noise = randn_tensor((len(generators), model.config.latents.channels, side, side), list(generators), model.device)
    lots = rand(generators, 1, condition.tokens.shape[2], device=model.device)
    told = model.decided(condition, lots)
    given = told.folded() if config.guidance == 1 else paired(told, model.null())
    sampler = build_sampler(config, model.schedule)
    latents = noise * sampler.init_noise_sigma
    with build_autocast(config.precision, model.device):  # around all steps, so that weights are cast once
        for step, time in enumerate(sampler.timesteps):
            noisy = sampler.scale_model_input(latents, time)  # type: ignore[arg-type]
            moment = time.to(model.device)
            if config.guidance == 1:
                said = predict(model.unet, noisy, moment.expand(len(noisy)), given)
            else:
                said = guided(model.unet, noisy, moment, given, config.guidance)
            with torch.autocast(model.device.type, enabled=False):  # only the U-Net calculates in less than float32
                latents = sampler.step(said, time, latents, return_dict=False)[0]  # type: ignore[arg-type]
                if on_step is not None:
                    on_step(frame, step)
    pictures = model.latents.decode(latents)
    if not pictures.isfinite().all():
        raise ModelError(f"frame {frame} is no numbers; expected weights that are, in float32 or bfloat16, fetch the model again")
    return [image(picture) for picture in pictures]


def _checked(
    model: ARLDM, stories: Sequence[Story], config: TellConfig, frames: Collection[int] | None, pinned: Collection[int], take: int
) -> frozenset[int]:
    """The frames to draw again, once everything that can be wrong has been looked at."""
    length = length_of(stories)
    if take < 0:
        raise ConfigError(f"take is {take}; expected 0 or more")
    if beyond := sorted(t for t in (*(frames or ()), *pinned) if not 0 <= t < length):
        raise ConfigError(f"frame {beyond[0]} is asked for; the story has frames 0 to {length - 1}")
    for story in stories:
        for frame in story.frames:
            if frame.picture is not None:
                flattened(frame.picture, f"story {story.id!r}")
    check_length(model, length)
    check_config(model, config)
    return frozenset(frames or ())


def check_length(model: ARLDM, frames: int) -> None:
    """Can the model look back over so many frames? Raises ConfigError."""
    if model.history != "none":
        model.conditioner.check_length(frames)


def check_stories(model: ARLDM, longest: int, captions: Sequence[str]) -> None:
    """Can stories of so many frames, with these captions, be told? Better asked now than after hours. Raises CaptionError,
    ConfigError."""
    check_length(model, longest)
    for tokenizer in (model.tokenizer, model.past_tokenizer):
        tokenizer.encode(captions)


def check_config(model: ARLDM, config: TellConfig) -> None:
    """Can stories be told so? Raises ConfigError."""
    if not (math.isfinite(config.guidance) and config.guidance >= 0):
        raise ConfigError(f"guidance is {config.guidance}; expected 0 or more, of which 1 is none and 1.5 to 7.5 are usual")
    build_sampler(config, model.schedule)
    build_autocast(config.precision, model.device)

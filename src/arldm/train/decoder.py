"""The decoder's second run: it learns to draw what the denoiser means.

No denoiser is exact, and a decoder that trusts it to the last digit paints its errors as grain. So here it sees latents as the
denoiser makes them out of noise, and beside them the picture that they were of; and what it paints goes through a network that
sees areas and outlines in pixels (model/finish.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import PartialState
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor, nn

from arldm.errors import ConfigError
from arldm.model.arldm import ARLDM
from arldm.model.batch import ReadBatch, floats
from arldm.model.condition import Moved
from arldm.model.denoiser import predict
from arldm.model.latents import Latents, drawn_like
from arldm.model.noise import rand, seeded
from arldm.recipes import Decoder
from arldm.rendered import rendered
from arldm.toonsv.questions import TO_DRAW
from arldm.train.asked import asked
from arldm.train.loop import fit
from arldm.train.read import read
from arldm.train.stories import cached, turn
from arldm.train.toonsv import judged, shown

MOST = 0.4  # of all timesteps; beyond, the denoiser has not yet made up its mind


@dataclass(frozen=True, slots=True)
class MeantBatch(Moved):
    """Stories, read, with the pictures that their latents are of."""

    stories: ReadBatch
    pictures: Tensor  # (batch * frame, 3, size, size) in [-1, 1]


def decoder(recipe: Decoder, out: Path) -> None:
    """Train the decoder of a model; leaves the model, otherwise as it was, in `out/model`. Raises ConfigError, ModelError."""
    model = ARLDM.from_pretrained(recipe.model)
    if (prediction := model.config.denoiser.prediction) != "v_prediction":
        raise ConfigError(
            f"{recipe.model}: a model that predicts {prediction}; expected v_prediction, as `arldm train toonsv` has it"
        )
    if (summary := model.config.summary) != len(TO_DRAW):
        raise ConfigError(f"{recipe.model}: a model of {summary} facts to draw; expected {len(TO_DRAW)}, as ToonSV has")
    cache = recipe.cache or out / "cache"
    with PartialState().main_process_first():
        stories = cached(model, cache, "train", recipe.stories, recipe.frames)
        data = read(model, stories, cache, shown(recipe.stories, recipe.frames))
        pictures = rendered(cache, "train", recipe.stories, model.config.picture_size, recipe.frames)
    with seeded(recipe.train.seed):
        module = Decoding(finished(model, recipe.finish))

    def batches(number: int) -> MeantBatch:
        chosen = turn(number, recipe.train.batch_size, len(data), recipe.train.seed)
        return MeantBatch(data.batch(chosen), floats(pictures[stories.rows(chosen)]))

    fit(module, batches, recipe.train, out, options=asked(recipe), preview=judged(model, recipe.frames))
    if PartialState().is_main_process:
        model.save_pretrained(out / "model", torch.float16)


def finished(model: ARLDM, blocks: int) -> ARLDM:
    """The model with a network of so many blocks behind its decoder, which adds nothing as yet; its own, if it has one so large."""
    if model.config.latents.finish != blocks:
        known = {name: weight for name, weight in model.latents.state_dict().items() if not name.startswith("finish.")}
        model.config = replace(model.config, latents=replace(model.config.latents, finish=blocks))
        model.latents = Latents(model.config.latents)
        model.latents.load_state_dict({**model.latents.state_dict(), **known})
    return model


class Decoding(nn.Module):
    """A model of which the decoder learns alone."""

    def __init__(self, model: ARLDM) -> None:
        super().__init__()
        self.model = model.requires_grad_(False)
        model.latents.vae.decoder.requires_grad_(True)
        if model.latents.finish is not None:
            model.latents.finish.requires_grad_(True)

    def loss(self, batch: MeantBatch, generators: list[torch.Generator]) -> Tensor:
        """How far what is decoded is from what was meant.

        Of a quarter of each picture, somewhere in it: decoding, there and back, is cheaper by as much.
        """
        latents = self.meant(batch.stories, generators)
        down, side = batch.pictures.shape[-1] // latents.shape[-1], latents.shape[-1] // 2
        corners = ((side + 1) * rand(generators, 2, device="cpu")).long().tolist()
        decoded = self.model.latents.unclamped(squares(latents, corners, side)).float()
        pictures = squares(batch.pictures, [[down * y, down * x] for y, x in corners], down * side)
        return drawn_like(decoded, pictures)

    @torch.no_grad()
    def meant(self, batch: ReadBatch, generators: list[torch.Generator]) -> Tensor:
        """The stories' latents (batch * frame, channel, h, w) as the denoiser tells them in one step, from more noise or less."""
        schedule, frames = self.model.schedule, batch.latents.shape[1]
        latents, device = batch.latents.flatten(0, 1), batch.latents.device
        noise = randn_tensor(batch.latents.shape, generators, device).flatten(0, 1)
        share = MOST * rand(generators, frames, device=device).flatten()
        timesteps = (share * self.model.config.denoiser.train_timesteps).long()
        noisy = schedule.add_noise(latents, noise, timesteps)  # type: ignore[arg-type]
        velocity = predict(self.model.unet, noisy, timesteps, batch.condition.folded())
        return schedule.get_velocity(velocity, noisy, timesteps)  # type: ignore[arg-type]  # of the velocity, that is the latents


def squares(values: Tensor, corners: Sequence[Sequence[int]], side: int) -> Tensor:
    """A square of all frames of each story: (story * frame, channel, h, w) -> (story * frame, channel, side, side)."""
    stories = values.unflatten(0, (len(corners), -1))
    return torch.cat([story[..., y : y + side, x : x + side] for story, (y, x) in zip(stories, corners, strict=True)])

"""AR-LDM: the parts as one module. P(x_1..x_V | c_1..c_V) = prod_t P(x_t | c_t, (c_1, x_1) .. (c_t-1, x_t-1))."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self, get_args

import torch
from accelerate import init_empty_weights
from diffusers.utils.hub_utils import PushToHubMixin
from diffusers.utils.torch_utils import randn_tensor
from einops import rearrange
from torch import Tensor, nn

from arldm.config import History, ModelConfig, changes
from arldm.errors import ConfigError
from arldm.model.batch import ReadBatch, StoryBatch, assemble, pictures_of, pixels, small
from arldm.model.condition import Condition, Conditioner, PastTokens
from arldm.model.denoiser import build_schedule, build_unet, predict
from arldm.model.folder import located, read_model, write_model
from arldm.model.history import HistoryEncoder
from arldm.model.latents import AT_ONCE, Latents
from arldm.model.noise import rand, seeded
from arldm.model.pack import read_pack
from arldm.model.prior import Prior
from arldm.model.text import CaptionTokenizer, TextEncoder
from arldm.model.widening import Widened, let_go, tables, take_up
from arldm.story import Story


class ARLDM(nn.Module, PushToHubMixin):
    """The auto-regressive latent diffusion model, of which everything but the autoencoder learns.

    `history` is the mode in use: what the model was built with, or less (`use_history`). `conditioning_dropout` is the share of
    frames that lose caption and history together in training; `shift` says where its timesteps lie.
    """

    def __init__(self, config: ModelConfig, tokenizer: CaptionTokenizer, past_tokenizer: CaptionTokenizer) -> None:
        super().__init__()
        config.check()
        self.config = config
        self.history: History = config.history
        self.conditioning_dropout, self.shift = 0.1, 1.0
        self.widened: Widened | None = None  # by packs
        self.tokenizer, self.past_tokenizer = tokenizer, past_tokenizer
        self.schedule = build_schedule(config.denoiser)
        side = config.picture_size // config.latents.downsample
        self.text_encoder = TextEncoder(config.text, tokenizer)
        self.history_encoder = HistoryEncoder(config.past, config.history, past_tokenizer) if config.history != "none" else None
        self.conditioner = Conditioner(
            config.text.width,
            config.window,
            config.positions,
            layers=config.context,
            heads=config.text.heads,
            summary=config.summary,
            memory=config.memory,
        )
        self.prior = Prior(config.summary, config.choices, config.text.width) if config.choices else None
        self.unet = build_unet(config.denoiser, config.latents.channels, side, config.text.width)
        self.latents = Latents(config.latents).requires_grad_(False)

    @classmethod
    def build(cls, config: ModelConfig, tokenizer: CaptionTokenizer, past_tokenizer: CaptionTokenizer, seed: int = 0) -> Self:
        """A model with fresh weights, the same for the same seed. Raises ConfigError for an architecture that cannot be built."""
        try:
            with seeded(seed):
                return cls(config, tokenizer, past_tokenizer)
        except ConfigError:
            raise
        except Exception as error:  # whatever the libraries say of it
            said = (str(error).splitlines() or [type(error).__name__])[-1].strip()
            raise ConfigError(f"the model cannot be built ({said}); expected widths that heads and groups divide") from error

    @classmethod
    def from_pretrained(cls, folder: Path | str, dtype: torch.dtype = torch.float32) -> Self:
        """Read a saved model; "toonsv" is the one that ships with the program. Raises ModelError for anything amiss there."""
        return read_model(located(folder), cls).to(dtype).eval()

    def save_pretrained(
        self, folder: Path | str, dtype: torch.dtype | None = None, *, safe_serialization: bool = True, variant: str | None = None
    ) -> None:
        """Write a folder whose `unet/` and `vae/` open in stock diffusers; `dtype` is that of the files. Raises OutputError, and
        ConfigError for what `push_to_hub` may ask for and no folder of this kind has."""
        if variant is not None or not safe_serialization:
            raise ConfigError(f"{variant=}, {safe_serialization=}: a model's folder holds one set of safetensors; expected neither")
        write_model(self, Path(folder), dtype)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.unet.device

    @property
    def dtype(self) -> torch.dtype:
        """What the weights are kept in."""
        return self.unet.dtype

    def use_history(self, mode: History) -> None:
        """Condition on less than the model can: "captions" or "none". Raises ConfigError for more."""
        self._check_history(mode)
        self.history = mode

    def _check_history(self, mode: History) -> None:
        order, most = get_args(History), self.config.history
        if mode not in order or order.index(mode) > order.index(most):
            got = f"history {mode!r} asked of a model built with {most!r}"
            raise ConfigError(f"{got}; expected that or less, of {', '.join(order)}")

    def freeze(self, parts: Collection[str]) -> None:
        """Keep these parts as they are in training, as far as this model has them; the autoencoder never learns.

        Tables of tokens do, as in the published code, unless what was read is summed up: two names may begin there as one word.
        """
        for name in parts:
            if (part := getattr(self, name)) is not None:
                part.requires_grad_(False)
        if not self.config.summary:
            for table in tables(self).values():
                table.requires_grad_(True)

    def narrowed(self, history: History) -> Self:
        """This model, or one that shares its weights and is built to look at less. Raises ConfigError for more, and after packs."""
        if self.widened is not None:
            raise ConfigError("the model has taken up packs, which a narrower one would keep for good; unload_packs() first")
        if history == self.config.history:
            self.history = history
            return self
        self._check_history(history)
        with init_empty_weights(include_buffers=False):  # all weights are put in below
            less = type(self)(replace(self.config, history=history), self.tokenizer, self.past_tokenizer)
        weights = self.state_dict()
        less.load_state_dict({name: weights[name] for name in less.state_dict()}, strict=True, assign=True)
        less.conditioning_dropout, less.shift = self.conditioning_dropout, self.shift
        return less.to(self.device).eval()  # buffers that no file holds, too

    def load_pack(self, folder: Path | str, weight: float = 1.0) -> Self:
        """Take up a character that `arldm adapt` made, `weight` times as much as it was learned; several packs add up.

        Raises ModelError for a pack that is broken or was made for another model, ConfigError for a weight that cannot be.
        """
        take_up(self, read_pack(Path(folder)), weight)
        return self

    def unload_packs(self) -> None:
        """Be exactly what the model was before its first pack."""
        let_go(self)

    def loss(self, batch: StoryBatch | ReadBatch, generators: list[torch.Generator]) -> Tensor:
        """The mean square error of all frames at once."""
        return self.errors(batch, generators).mean()

    def errors(self, batch: StoryBatch | ReadBatch, generators: list[torch.Generator]) -> Tensor:
        """The square errors (batch * frame, channel, h, w) of all frames at once, teacher-forced: true pictures are the history.

        Each frame loses its condition with probability `conditioning_dropout`; a story's by its own one of the `generators`.
        """
        dropped, noised = self.dropped(batch, generators), self.noised(batch.latents, generators)
        condition = self.condition(batch, dropped)
        if isinstance(batch, StoryBatch) and self.prior is not None:  # where conditions were read once, that was done by then
            true = self.seen(batch) if self.history == "pictures" else None
            condition = self.shown(condition, dropped, generators, true)
        return self.errors_of(noised, condition)

    def noised(self, latents: Tensor, generators: list[torch.Generator]) -> tuple[Tensor, Tensor, Tensor]:
        """Latents (batch, frame, channel, h, w) with noise, their timesteps, and what is to be said of them; frames in the batch.

        Each frame has its own timestep and noise, by its story's own one of the `generators`.
        """
        timesteps = torch.cat([self.timesteps(latents.shape[1], generator) for generator in generators]).to(latents.device)
        noise = randn_tensor(latents.shape, generators, latents.device).flatten(0, 1)
        latents = latents.flatten(0, 1)
        noisy = self.schedule.add_noise(latents, noise, timesteps)  # type: ignore[arg-type]
        return noisy, timesteps, self.target(latents, noise, timesteps)

    def errors_of(self, noised: tuple[Tensor, Tensor, Tensor], condition: Condition) -> Tensor:
        """The square errors (batch * frame, channel, h, w) of what is said of `noised` latents under their condition."""
        noisy, timesteps, target = noised
        return nn.functional.mse_loss(predict(self.unet, noisy, timesteps, condition.folded()), target, reduction="none")

    def dropped(self, batch: StoryBatch | ReadBatch, generators: list[torch.Generator]) -> Tensor:
        """Which frames (batch, frame) lose caption and history this time."""
        return rand(generators, batch.latents.shape[1], device=batch.latents.device) < self.conditioning_dropout

    def timesteps(self, count: int, generator: torch.Generator) -> Tensor:
        """Timesteps to learn at (count,): all alike, or oftener from the noisy end (`shift`)."""
        share = 1 - torch.rand(count, device=generator.device, generator=generator)
        share = self.shift * share / (1 + (self.shift - 1) * share)
        last = self.config.denoiser.train_timesteps - 1
        return (share * (last + 1)).long().clamp(0, last)

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the U-Net learns to say: the noise, or the velocity (Salimans and Ho 2022)."""
        if self.config.denoiser.prediction == "epsilon":
            return noise
        return self.schedule.get_velocity(latents, noise, timesteps)  # type: ignore[arg-type]

    def condition(self, batch: StoryBatch | ReadBatch, dropped: Tensor) -> Condition:
        """The condition of every frame to draw; where `dropped` (batch, frame), the null condition."""
        if isinstance(batch, ReadBatch):
            return batch.condition.without(dropped, batch.null)
        ids, keep = self.text_encoder.without(batch.caption_ids.flatten(0, 1), batch.caption_keep.flatten(0, 1), dropped.flatten())
        frames = batch.given + dropped.shape[1]
        caption = self.read_captions(ids.view_as(batch.caption_ids), keep.view_as(batch.caption_keep))
        past = None
        if frames > 1:  # the last frame is nobody's past
            past = self.read_past(range(frames - 1), batch.past_ids[:, :-1], batch.past_keep[:, :-1], batch.past_pictures[:, :-1])
        return self.conditioner(caption, keep.view_as(batch.caption_keep), range(batch.given, frames), past, hidden=dropped)

    def shown(self, condition: Condition, dropped: Tensor, generators: list[torch.Generator], true: Tensor | None) -> Condition:
        """The condition, decided as the frames' own pictures have it, `true` as in Prior; None: as it was read, and by lot. What
        was `dropped` (batch, frame) stays as it is."""
        lots = rand(generators, *condition.tokens.shape[1:3], device=condition.tokens.device)
        decided = self.decided(condition, lots, true)
        return Condition(torch.where(dropped[:, :, None, None], condition.tokens, decided.tokens), condition.keep)

    @torch.no_grad()
    def seen(self, batch: StoryBatch) -> Tensor:
        """What each frame to draw shows, as far as a prior can tell: numbers of values (batch, frame, summary), or -1."""
        assert self.prior is not None
        answers = self.looked_at(batch)
        return self.prior.sure(answers.flatten(0, 1)).view(answers.shape[:3])

    @torch.no_grad()
    def looked_at(self, batch: StoryBatch) -> Tensor:
        """The answers (batch, frame, summary, dim) to the frames' captions, asked once more as if each came after its frame."""
        frames = range(batch.past_ids.shape[1])
        past = self.read_past(frames, batch.past_ids, batch.past_keep, batch.past_pictures)
        caption = self.read_captions(batch.caption_ids, batch.caption_keep)
        summary = self.conditioner(caption, batch.caption_keep, [t + 1 for t in frames[batch.given :]], past).tokens
        return self.conditioner.answers(summary)

    def decided(self, condition: Condition, lots: Tensor, true: Tensor | None = None) -> Condition:
        """The condition (batch, frame, token, dim) told as one value a token, if this model has a prior.

        lots and `true` (batch, frame, summary) are as in Prior: as it was read and by lot where nothing is told, or as it is true.
        """
        if self.prior is None:
            return condition
        answers = self.conditioner.answers(condition.tokens)
        flat = (values if values is None else values.flatten(0, 1) for values in (answers, lots, true))
        return replace(condition, tokens=self.conditioner.summary(self.prior(*flat).view_as(answers)))

    def read_captions(self, ids: Tensor, keep: Tensor) -> Tensor:
        """Captions (batch, frame, token) by CLIP: (batch, frame, token, dim)."""
        return rearrange(self.text_encoder(ids.flatten(0, 1), keep.flatten(0, 1)), "(b f) token dim -> b f token dim", b=len(ids))

    def read_past(self, frames: Sequence[int], ids: Tensor, keep: Tensor, pictures: Tensor) -> PastTokens | None:
        """Past captions (batch, past, token) with their pictures by BLIP; None if this model looks at no history."""
        if self.history == "none" or self.history_encoder is None:
            return None
        seen = pictures.flatten(0, 1).to(self.dtype) if self.history == "pictures" else None
        tokens = self.history_encoder(ids.flatten(0, 1), keep.flatten(0, 1), seen)
        return PastTokens(rearrange(tokens, "(b p) token dim -> b p token dim", b=len(ids)), keep, frames)

    def null(self) -> Condition:
        """The null condition of one frame: the caption "" and no history; the same for every frame. (1, 1, token, dim)"""
        ids = torch.tensor([[self.text_encoder.empty]], device=self.device)
        keep = torch.ones_like(ids, dtype=torch.bool)
        return self.conditioner(self.read_captions(ids, keep), keep, [0], None)

    @torch.no_grad()
    def batch(self, stories: Sequence[Story], given: int = 0) -> StoryBatch:
        """Stories of equal length, with all their pictures, as tensors; of each the first `given` frames are looked at alone.

        Raises PictureError, CaptionError, ScriptError, ConfigError.
        """
        rows = pictures_of(stories, given)
        captions = [frame.caption for story in stories for frame in story.frames]
        shape = (len(rows), len(rows[0]))
        ids = [one.unflatten(0, shape) for kind in (self.tokenizer, self.past_tokenizer) for one in kind.encode(captions)]
        seen = torch.stack([small(picture, self.config.past.picture_size) for row in rows for picture in row]).unflatten(0, shape)
        true = torch.stack([pixels(picture, self.config.picture_size) for row in rows for picture in row[given:]])
        latents = torch.cat([self.latents.encode(some.to(self.device)).cpu() for some in true.split(AT_ONCE)])
        drawn = (values[:, given:] for values in ids[:2])
        return assemble(*drawn, *ids[2:], small_pictures=seen, latents=latents.unflatten(0, (len(rows), -1))).to(self.device)

    def unknown_words(self, captions: Collection[str]) -> list[str]:
        """The words that training never had, each once."""
        return list(dict.fromkeys(word for caption in captions for word in self.tokenizer.unknown_words(caption)))

    def hash(self) -> str:
        """A short name for exactly these weights, this config and these tokenizers."""
        digest = hashlib.sha256(json.dumps(changes(self.config), sort_keys=True).encode())
        for tokenizer in (self.tokenizer, self.past_tokenizer):
            digest.update(tokenizer.tokenizer.backend_tokenizer.to_str().encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().float().cpu().contiguous().numpy().data)
        if self.prior is not None:
            digest.update(self.prior.newcomers.float().cpu().numpy().data)
        for pinned in self.widened.pinned if self.widened else ():
            digest.update(pinned.tokens.float().cpu().numpy().data)
        return digest.hexdigest()[:16]

"""The autoencoder, both ways: pictures in [-1, 1] to latents of zero mean and unit deviation (over all channels), and back.

Stable Diffusion's `AutoencoderKL`, or `AutoencoderDC` behind a pixel unshuffle: diffusers' own classes, so a saved `vae/` opens
in stock diffusers.
"""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_dc import AutoencoderDC
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor, nn

from arldm.config import LatentConfig
from arldm.errors import BROKEN, ModelError
from arldm.model.finish import Finish
from arldm.model.patches import PrincipalPatches

STATISTICS = "statistics.json"
FINISH_WIDTH = 64  # channels
EDGE = 4.0  # how much more an outline counts than a flat area
AT_ONCE = 8  # pictures that are encoded or decoded; activations of one take half a GiB at 512 px


class Latents(nn.Module):
    """The autoencoder with the shift and scale of each latent channel: `latent = (encoder(picture) - shift) * scale`."""

    NOISE = 0.1  # on the latents in training, in deviations: the decoder must be smooth, for the denoiser is never exact
    CORRECTION = 0.2  # the size of what the network adds to the principal components of a patch
    PULL = 1e-3  # towards zero mean and unit deviation; AutoencoderDC's latents would grow to a deviation of 50

    shift: Tensor
    scale: Tensor

    def __init__(self, config: LatentConfig) -> None:
        super().__init__()
        self.config = config
        self.vae = _dc(config) if config.kind == "dc" else _kl(config)
        self.patches = PrincipalPatches(config.channels, config.downsample) if config.kind == "dc" else None
        self.finish = Finish(1, FINISH_WIDTH, config.finish) if config.finish else None
        self.register_buffer("shift", torch.zeros(config.channels))
        self.register_buffer("scale", torch.full((config.channels,), float(self.vae.config["scaling_factor"])))

    def encode(self, pictures: Tensor) -> Tensor:
        """Pictures (n, 3, size, size) in [-1, 1] to normalised latents (n, channel, size / downsample, size / downsample)."""
        return self.posterior(pictures)[0]

    def posterior(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the latents of pictures, normalised, both as `encode` has them.

        Stable Diffusion's autoencoder tells a Gaussian; "dc" tells a point, whose log variance is minus infinity.
        """
        mean, logvar = self._encode(pictures)
        return (mean - _column(self.shift)) * _column(self.scale), logvar + 2 * _column(self.scale.log())

    def decode(self, latents: Tensor) -> Tensor:
        """Normalised latents (n, channel, h, w) to pictures (n, 3, h * downsample, w * downsample) in [-1, 1]."""
        return torch.cat([self.unclamped(some).clamp(-1, 1) for some in latents.split(AT_ONCE)])

    def unclamped(self, latents: Tensor) -> Tensor:
        """The same in about [-1, 1], for losses: a clamp takes the gradient from what is too bright."""
        return self._decode(latents.to(self.scale) / _column(self.scale) + _column(self.shift))

    def loss(self, pictures: Tensor, generators: list[torch.Generator]) -> Tensor:
        """How well pictures come back, outlines first: eyes and mouths are thin lines that a plain mean would not notice."""
        latents = self._encode(pictures)[0].float()
        deviation, mean = torch.std_mean(latents, dim=(0, 2, 3), keepdim=True)  # of this batch, as in batch normalisation
        noise = randn_tensor(latents.shape, generators, latents.device)
        decoded = self._decode(latents + self.NOISE * deviation.detach() * noise).float()
        pictures = pictures.float()
        pull = (mean.square() + (deviation + 1e-6).log().square()).mean()
        return edges_first((decoded - pictures).abs(), pictures) + self.PULL * pull

    @torch.no_grad()
    def measure(self, pictures: Iterable[Tensor]) -> None:
        """Set shift and scale from batches of pictures (n, 3, size, size).

        Each channel gets zero mean, all together unit variance. A principal component keeps the square root of the deviation
        that it has in pixels: what is large drowns in noise later and is drawn first, as in pixels, but details are not lost.
        """
        latents = torch.cat(
            [self._encode(batch)[0].float().transpose(0, 1).flatten(1) for batch in pictures], dim=1
        )  # (channel, all)
        deviation, mean = torch.std_mean(latents, dim=1)
        wanted = torch.ones_like(deviation) if self.patches is None else self.patches.deviation.sqrt()
        self.shift.copy_(mean)
        self.scale.copy_(wanted / wanted.square().mean().sqrt() / deviation.clamp_min(1e-6))

    def write_statistics(self, folder: Path) -> None:
        """Write shift and scale beside the autoencoder's own files."""
        statistics = {"shift": self.shift.float().tolist(), "scale": self.scale.float().tolist()}
        (folder / STATISTICS).write_text(json.dumps(statistics, indent=1) + "\n")

    def read_statistics(self, folder: Path) -> None:
        """Take shift and scale from a saved folder. Raises ModelError if they are not one number a channel."""
        try:
            found = json.loads((folder / STATISTICS).read_text())
            shift, scale = torch.tensor(found["shift"]), torch.tensor(found["scale"])
            if not (shift.isfinite().all() and scale.isfinite().all() and (scale > 0).all()):
                raise ValueError("shifts or scales that are no numbers, or scales of 0 or less")
        except BROKEN as error:
            message = f"{folder / STATISTICS}: cannot be read ({error}); expected the latents' statistics, fetch the model again"
            raise ModelError(message) from error
        if shift.shape != self.shift.shape or scale.shape != self.scale.shape:
            got = f"{shift.numel()} shifts and {scale.numel()} scales"
            raise ModelError(f"{folder / STATISTICS}: has {got}; expected {self.config.channels} of each, fetch the model again")
        self.shift.copy_(shift)
        self.scale.copy_(scale)

    def _encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        pictures = pictures.to(self.scale)
        encoded: Any = self.vae.encode(F.pixel_unshuffle(pictures, self.config.unshuffle), return_dict=False)[0]
        if self.patches is None:
            return encoded.mean, encoded.logvar
        point = self.patches.encode(pictures) + self.CORRECTION * encoded
        return point, torch.full_like(point, -math.inf)

    def _decode(self, latents: Tensor) -> Tensor:
        decoded: Tensor = self.vae.decode(latents, return_dict=False)[0]  # type: ignore[arg-type]
        decoded = F.pixel_shuffle(decoded, self.config.unshuffle)
        if self.patches is not None:
            decoded = self.patches.decode(latents) + decoded
        return decoded if self.finish is None else self.finish(decoded)


def edges(pictures: Tensor) -> Tensor:
    """Where outlines are: local gradient of the pictures, 0 (flat) to 1, both sides of a line alike.

    (n, 3, h, w) in [-1, 1] -> (n, 1, h, w)
    """
    across = F.pad((pictures[..., :, 1:] - pictures[..., :, :-1]).abs(), (0, 1))
    down = F.pad((pictures[..., 1:, :] - pictures[..., :-1, :]).abs(), (0, 0, 0, 1))
    steepest = torch.maximum(across, down).amax(dim=1, keepdim=True)
    return F.max_pool2d(steepest, 3, stride=1, padding=1).clamp(max=1)


def edges_first(errors: Tensor, pictures: Tensor) -> Tensor:
    """The mean of errors (n, 3, h, w), outlines of the pictures counting more than flat areas, and every picture as much."""
    weight = 1 + EDGE * edges(pictures)
    return ((weight * errors).mean((1, 2, 3)) / weight.mean((1, 2, 3))).mean()


def drawn_like(painted: Tensor, pictures: Tensor) -> Tensor:
    """How far painted pictures (n, 3, h, w) are from those they should be, in values, outlines first, and in slopes.

    Grain is small in its values and large in its slopes (gradient difference loss, Mathieu et al. 2016).
    """
    slopes = [(painted.diff(dim=dim) - pictures.diff(dim=dim)).abs().mean() for dim in (-2, -1)]
    return edges_first((painted - pictures).abs(), pictures) + torch.stack(slopes).sum()


def drawn_from(mean: Tensor, logvar: Tensor, generators: Iterable[torch.Generator]) -> Tensor:
    """Latents drawn from posteriors (n, channel, h, w), each with a generator of its own."""
    return mean + (0.5 * logvar).exp() * randn_tensor(mean.shape, list(generators), mean.device)


def _column(values: Tensor) -> Tensor:
    return values.view(1, -1, 1, 1)


def _kl(config: LatentConfig) -> AutoencoderKL:
    levels = len(config.widths)
    down: Any = ("DownEncoderBlock2D",) * levels
    up: Any = ("UpDecoderBlock2D",) * levels
    widths: Any = config.widths
    return AutoencoderKL(
        in_channels=3 * config.unshuffle**2,
        out_channels=3 * config.unshuffle**2,
        down_block_types=down,
        up_block_types=up,
        block_out_channels=widths,
        layers_per_block=config.layers,
        latent_channels=config.channels,
        norm_num_groups=math.gcd(32, *config.widths),
    )


def _dc(config: LatentConfig) -> AutoencoderDC:
    """Without attention, which learns slower at this size; the decoder starts as adding nothing to the principal components."""
    levels = len(config.widths)
    plain: Any = ((),) * levels
    widths: Any = config.widths
    vae = AutoencoderDC(
        in_channels=3 * config.unshuffle**2,
        latent_channels=config.channels,
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        encoder_layers_per_block=(config.encoder_layers,) * levels,  # type: ignore[arg-type]
        decoder_layers_per_block=(config.layers,) * levels,  # type: ignore[arg-type]
        encoder_qkv_multiscales=plain,
        decoder_qkv_multiscales=plain,
    )
    last: Any = vae.decoder.conv_out
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return vae

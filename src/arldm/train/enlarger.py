"""The enlarger's run: what the decoder makes of small pictures, beside the same pictures drawn large."""

from pathlib import Path

import torch
import torch.nn.functional as F
from accelerate import PartialState
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor, nn

from arldm.errors import ConfigError
from arldm.model.arldm import ARLDM
from arldm.model.batch import floats, image
from arldm.model.enlarge import TIMES
from arldm.model.enlarge import Enlarger as Network
from arldm.model.latents import Latents, drawn_like
from arldm.model.noise import rand, seeded
from arldm.pictures import grid
from arldm.recipes import Enlarger
from arldm.rendered import rendered
from arldm.train.asked import asked
from arldm.train.autoencoder import Crops
from arldm.train.loop import fit
from arldm.train.record import Sample
from arldm.writing import replacing_folder

NOISE = 0.2  # on the latents, in deviations, at most: a denoiser is never exact


def enlarger(recipe: Enlarger, out: Path) -> None:
    """Train the enlarger; leaves it in `out/model`. Raises ConfigError."""
    cache, model = recipe.cache or out / "cache", ARLDM.from_pretrained(recipe.model)
    unit, most = model.config.latents.downsample, model.config.picture_size
    if recipe.crop < unit or recipe.crop % unit or recipe.crop > most:
        raise ConfigError(f"--crop: got {recipe.crop}; expected a multiple of {unit} pixels, {most} at most, as the pictures have")
    size = TIMES * most
    with PartialState().main_process_first():
        pictures = rendered(cache, "train", recipe.stories, size)
        held = floats(rendered(cache, "val", 2, size)[::3].copy())
    with seeded(recipe.train.seed):
        module = Enlarging(model.latents)

    @torch.no_grad()
    def preview() -> Sample:
        large = held.to(module.autoencoder.scale)  # which moves to where it learns
        small = module.drawn(large, large.new_zeros(len(large), 1, 1, 1))
        plain = F.interpolate(small, scale_factor=TIMES, mode="bicubic", align_corners=False).clamp(-1, 1)
        rows = torch.cat([large, plain, module.enlarger(small).clamp(-1, 1)])
        return Sample(grid([image(picture) for picture in rows], len(held)))

    crops = Crops(pictures, recipe.train.batch_size, TIMES * recipe.crop, recipe.train.seed)
    fit(module, crops, recipe.train, out, options=asked(recipe), preview=preview)
    if PartialState().is_main_process:
        with replacing_folder(out / "model") as folder:
            module.enlarger.save_pretrained(folder)


class Enlarging(nn.Module):
    """The enlarger with the autoencoder whose pictures it is to enlarge."""

    def __init__(self, autoencoder: Latents) -> None:
        super().__init__()
        self.autoencoder = autoencoder.requires_grad_(False)
        self.enlarger = Network()

    @torch.no_grad()
    def drawn(self, large: Tensor, noise: Tensor) -> Tensor:
        """Large pictures as the model would draw them at half the side, its latents off by `noise`."""
        return self.autoencoder.decode(self.autoencoder.encode(F.avg_pool2d(large, TIMES)) + noise)

    def loss(self, large: Tensor, generators: list[torch.Generator]) -> Tensor:
        """How far the enlarged pictures are from those drawn large."""
        side = large.shape[-1] // TIMES // self.autoencoder.config.downsample
        shape = (len(large), self.autoencoder.config.channels, side, side)
        noise = NOISE * rand(generators, 1, 1, 1, device=large.device) * randn_tensor(shape, generators, large.device)
        return drawn_like(self.enlarger(self.drawn(large, noise)), large)

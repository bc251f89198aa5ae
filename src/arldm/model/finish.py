"""Residual convolutions on folded pixels, the last touch of a picture: what latents cannot tell, but how pictures are drawn can."""

import torch.nn.functional as F
from torch import Tensor, nn

FOLD = 4  # pixels along a side that are one cell to the network


class Finish(nn.Module):
    """A picture, or one interpolated to `times` its side, with what it lacks to look drawn (as EDSR, Lim et al. 2017).

    A decoder paints patch by patch, and what a denoiser leaves undecided in each becomes grain. Here areas are seen across patches.
    """

    def __init__(self, times: int, width: int, blocks: int) -> None:
        super().__init__()
        self.times = times
        self.begin = nn.Conv2d(3 * FOLD**2, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))
            for _ in range(blocks)
        )
        self.end = nn.Conv2d(width, 3 * (times * FOLD) ** 2, 3, padding=1)
        for weight in self.end.parameters():  # at first it adds nothing
            nn.init.zeros_(weight)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (n, 3, size, size) in about [-1, 1] to (n, 3, times * size, times * size); the size is a multiple of FOLD."""
        seen = self.begin(F.pixel_unshuffle(pictures, FOLD))
        for block in self.blocks:
            seen = seen + block(seen)
        if self.times > 1:
            pictures = F.interpolate(pictures, scale_factor=self.times, mode="bicubic", align_corners=False)
        return pictures + F.pixel_shuffle(self.end(seen), self.times * FOLD)

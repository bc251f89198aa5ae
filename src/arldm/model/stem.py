"""Convolutions before BLIP's patches: a vision transformer alone learns late what an eye or a mouth is (Xiao et al. 2021)."""

import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 4


class Stem(nn.Sequential):
    """Pictures (n, 3, size, size) to features of the same shape, which BLIP's own patch embedding takes as if it were a picture.

    A patch is seen as 2 x 2 cells of `width` channels each, in the end as 3 (patch / 2)^2 features.
    """

    def __init__(self, width: int, patch: int) -> None:
        fold = patch // 4  # pixels along a side that are one cell to the first convolution
        super().__init__(
            nn.PixelUnshuffle(fold),
            *_convolution(3 * fold**2, width),
            *_convolution(width, width, stride=2),
            Residual(width),
            Residual(width),
            nn.Conv2d(width, 3 * (2 * fold) ** 2, 1),
            nn.PixelShuffle(2 * fold),
        )


class Residual(nn.Sequential):
    """Two convolutions, added to what they see."""

    def __init__(self, width: int) -> None:
        super().__init__(*_convolution(width, width), *_convolution(width, width)[:-1])

    def forward(self, input: Tensor) -> Tensor:
        """(n, width, h, w) to the same."""
        return F.gelu(input + super().forward(input))


def _convolution(inside: int, outside: int, stride: int = 1) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.GroupNorm(GROUPS, outside), nn.GELU()

"""The linear part of the embedded autoencoder: a picture's patches by their principal components.

In minutes on a CPU a network learns what is *not* linear only if it need not learn first what linear algebra gives at once. So the
latents start as the principal components of patches, and AutoencoderDC learns the correction on both ways.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PrincipalPatches(nn.Module):
    """Patches of `patch` x `patch` pixels as their first `channels` principal components, each of unit deviation."""

    middle: Tensor
    components: Tensor
    deviation: Tensor

    def __init__(self, channels: int, patch: int) -> None:
        super().__init__()
        size = 3 * patch * patch
        self.patch = patch
        self.register_buffer("middle", torch.zeros(size))  # (3 * patch * patch)
        self.register_buffer("components", torch.eye(channels, size))  # (channel, 3 * patch * patch), orthonormal rows
        self.register_buffer("deviation", torch.ones(channels))  # (channel)

    def encode(self, pictures: Tensor) -> Tensor:
        """(n, 3, size, size) -> (n, channel, size / patch, size / patch)"""
        weight = self.components / self.deviation[:, None]
        return F.conv2d(F.pixel_unshuffle(pictures, self.patch), weight[..., None, None], -weight @ self.middle)

    def decode(self, latents: Tensor) -> Tensor:
        """(n, channel, h, w) -> (n, 3, h * patch, w * patch)"""
        weight = (self.components * self.deviation[:, None]).T
        return F.pixel_shuffle(F.conv2d(latents, weight[..., None, None], self.middle), self.patch)

    @torch.no_grad()
    def measure(self, pictures: Iterable[Tensor]) -> None:
        """Find the components from batches of pictures (n, 3, size, size) in [-1, 1]."""
        patches = torch.cat([F.pixel_unshuffle(batch, self.patch).movedim(1, -1).flatten(0, -2) for batch in pictures]).double()
        values, vectors = torch.linalg.eigh(torch.cov(patches.T))  # ascending
        channels = len(self.deviation)
        self.middle.copy_(patches.mean(0))
        self.components.copy_(vectors.T.flip(0)[:channels])
        self.deviation.copy_(values.flip(0)[:channels].clamp_min(1e-8).sqrt())

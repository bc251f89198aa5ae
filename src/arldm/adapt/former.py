"""The denoiser before an adaptation, for what is to be drawn as before."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from arldm.model.arldm import ARLDM
from arldm.model.condition import Condition
from arldm.model.denoiser import predict


@dataclass(frozen=True, slots=True, eq=False)
class Former:
    """A denoiser that does not learn, and the queries (summary, dim) whose answers it was told: both move in an adaptation."""

    unet: UNet2DConditionModel
    queries: Tensor

    @classmethod
    def of(cls, model: ARLDM) -> "Former":
        """What a model is now."""
        assert model.conditioner.queries is not None
        return cls(deepcopy(model.unet).requires_grad_(False), model.conditioner.queries.detach().clone())

    @torch.no_grad()
    def said(self, noisy: Tensor, timesteps: Tensor, told: Tensor) -> Tensor:
        """Its prediction (batch * frame, channel, h, w), told the answers (batch, frame, summary, dim)."""
        summary = self.queries + told
        keep = torch.ones(summary.shape[:3], dtype=torch.bool, device=summary.device)
        return predict(self.unet, noisy, timesteps, Condition(summary, keep).folded())

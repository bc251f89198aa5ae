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
    """A denoiser that does not learn, with the queries (summary, dim) whose answers it was told, and what it was told of nothing
    (1, 1, summary, dim): all three move in an adaptation.
    """

    unet: UNet2DConditionModel
    queries: Tensor
    null: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, model: ARLDM) -> "Former":
        """What a model is now."""
        assert model.conditioner.queries is not None
        return cls(deepcopy(model.unet).requires_grad_(False), model.conditioner.queries.detach().clone(), model.null().tokens)

    @torch.no_grad()
    def said(self, noisy: Tensor, timesteps: Tensor, told: Tensor, dropped: Tensor) -> Tensor:
        """Its prediction (batch * frame, channel, h, w), told the answers (batch, frame, summary, dim), but in `dropped` frames
        (batch, frame) nothing.
        """
        summary = torch.where(dropped[:, :, None, None], self.null, self.queries + told)
        keep = torch.ones(summary.shape[:3], dtype=torch.bool, device=summary.device)
        return predict(self.unet, noisy, timesteps, Condition(summary, keep).folded())

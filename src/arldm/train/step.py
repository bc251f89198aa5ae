"""The parts of a training step as plain functions: `Learner` takes them, and a plan of memory, with tensors that are not there."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from arldm.config import TrainConfig
from arldm.train.sharing import share

PRECISIONS = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def gradients(
    objective: nn.Module,
    batch: Any,
    generators: list[torch.Generator],
    config: TrainConfig,
    backward: Callable[[Tensor], object] = Tensor.backward,
) -> Tensor:
    """Add the gradients of one batch to the weights'; `objective(batch, generators)` is a mean over items. Returns the loss.

    Weights are float32; with a `precision`, products are of it (autocast).
    """
    device = next(objective.parameters()).device
    with torch.autocast(device.type, PRECISIONS[config.precision], enabled=config.precision != "no"):
        loss = objective(batch, generators)
    backward(loss / config.gradient_accumulation_steps)
    return loss.detach().float()


@torch.no_grad()
def averaged_further(average: Mapping[str, Tensor], weights: Mapping[str, Tensor], config: TrainConfig, step: int) -> None:
    """The average follows the weights; in the first steps closely, or it would remember how they began."""
    decay = min(config.ema, (1 + step) / (10 + step))
    for name, kept in average.items():
        kept.lerp_(share(weights[name]).to(kept.device), 1 - decay)

"""The parts of a training step as plain functions: `Learner` takes them, and a plan of memory, with tensors that are not there."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from arldm.config import TrainConfig
from arldm.train.sharing import share

PRECISIONS = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@cache
def bf16_pays() -> bool:
    """Is bf16 faster than float32 here? Without instructions for it, torch takes twelve times as long (docs/speed.md)."""
    if torch.accelerator.is_available():
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    known = torch.cpu.get_capabilities()
    pairs_of_products = known.get("avx512_bf16", False)  # on Intel's no faster than float32, and there is the casting
    return bool(known.get("amx_bf16", False) or (pairs_of_products and "AMD" in known.get("cpu_name", "")))


def settled(precision: str) -> str:
    """One of PRECISIONS: what "auto" is on this machine, any other itself."""
    if precision == "auto":
        return "bf16" if bf16_pays() else "no"
    return precision


class Batch(Protocol):
    """What a module's loss takes: tensors that can be moved together."""

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device."""
        ...


class Objective(nn.Module):
    """Makes `loss` the forward pass, which is what distributed wrappers look for."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, batch: Batch, generators: list[torch.Generator]) -> Tensor:
        """The module's loss."""
        return self.module.loss(batch, generators)  # type: ignore[operator]


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
    precision = settled(config.precision)
    with torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "no"):
        loss = objective(batch, generators)
    backward(loss / config.gradient_accumulation_steps)
    return loss.detach().float()


@torch.no_grad()
def averaged_further(average: Mapping[str, Tensor], weights: Mapping[str, Tensor], config: TrainConfig, step: int) -> None:
    """The average follows the weights; in the first steps closely, or it would remember how they began."""
    decay = min(config.ema_decay, (1 + step) / (10 + step))
    for name, kept in average.items():
        kept.lerp_(share(weights[name]).to(kept.device), 1 - decay)

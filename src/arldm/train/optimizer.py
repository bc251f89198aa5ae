"""What moves the weights: AdamW, or Muon for the matrices of the denoiser and AdamW for the rest, as one optimizer."""

from typing import Any

import torch
from torch import Tensor, nn

from arldm.config import TrainConfig


class MuonAdamW(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024) for matrices, AdamW for all else; torch's own, each with its own learning rate.

    A convolution's weight is to Muon the matrix (out, in * height * width). A group's `lr` is AdamW's; `muon` is Muon's in
    multiples of it.
    The state of every weight lies in `state`, as in any optimizer.
    """

    def __init__(self, weights: list[nn.Parameter], matrices: list[nn.Parameter], config: TrainConfig) -> None:
        chosen = {id(weight) for weight in matrices}
        super().__init__(weights, {"lr": config.learning_rate, "muon": config.muon / config.learning_rate})
        self._matrices = matrices
        self._views: list[nn.Parameter] = []
        self._muon: torch.optim.Muon | None = None
        self._decay = config.weight_decay
        rest = [weight for weight in weights if id(weight) not in chosen]
        self._adam = torch.optim.AdamW(rest, config.learning_rate, config.betas, weight_decay=config.weight_decay, fused=True)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move all weights."""
        if self._muon is None:  # not before: weights may have been moved to another device since
            self._views = [nn.Parameter(weight.data.flatten(1)) for weight in self._matrices]
            self._muon = torch.optim.Muon(self._views, weight_decay=self._decay, adjust_lr_fn="match_rms_adamw")
        for weight, view in zip(self._matrices, self._views, strict=True):
            view.grad = None if weight.grad is None else weight.grad.flatten(1)
            self._muon.state[view] = self.state[weight]
        for weight in self._adam.param_groups[0]["params"]:
            self._adam.state[weight] = self.state[weight]
        group = self.param_groups[0]
        for optimizer, learning_rate in ((self._muon, group["lr"] * group["muon"]), (self._adam, group["lr"])):
            optimizer.param_groups[0]["lr"] = learning_rate
            optimizer.step()


def build_optimizer(module: nn.Module, weights: dict[str, nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer of a run, over the weights that learn."""
    if not config.muon:
        return torch.optim.AdamW(weights.values(), config.learning_rate, config.betas, weight_decay=config.weight_decay, fused=True)
    learned = {id(weight) for weight in weights.values()}
    return MuonAdamW(list(weights.values()), [weight for weight in matrices(module) if id(weight) in learned], config)


def matrices(module: nn.Module) -> list[nn.Parameter]:
    """The weights of convolutions and linear layers of the denoiser, or of the whole module where there is none."""
    part = getattr(module, "unet", module)
    layers = [layer for layer in part.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    return [layer.get_parameter("weight") for layer in layers]


def moments(optimizer: torch.optim.Optimizer, weights: dict[str, nn.Parameter]) -> dict[str, Tensor]:
    """The optimizer's state by the weights' names; a weight that the loss never reached has none."""
    states = {name: optimizer.state.get(weight, {}) for name, weight in weights.items()}
    return {f"{name}.{kind}": value for name, state in states.items() for kind, value in state.items()}


def take_moments(optimizer: torch.optim.Optimizer, weights: dict[str, nn.Parameter], found: dict[str, Tensor]) -> None:
    """Give the optimizer the state that `moments` told."""
    for key, value in found.items():
        name, kind = key.rsplit(".", 1)
        optimizer.state[weights[name]][kind] = value.to(weights[name].device)

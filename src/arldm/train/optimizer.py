"""What moves the weights: AdamW, or Muon for matrices (the denoiser's where it learns) and AdamW for the rest, as one optimizer."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from arldm.config import TrainConfig
from arldm.errors import ConfigError
from arldm.train.sharing import learning, shared_like

#: of Newton-Schulz's odd polynomial of degree 5, and how often it is taken (Jordan et al. 2024)
NEWTON_SCHULZ = (3.4445, -4.775, 2.0315)
ITERATIONS = 5
MOMENTUM = 0.95


class MuonAdamW(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024) for matrices, AdamW for all else, each with its own learning rate.

    A convolution's weight is to Muon the matrix (out, in * height * width). A group's `lr` is AdamW's; `muon_ratio` is Muon's in
    multiples of it. Differs from torch.optim.Muon in how the update is made orthogonal (see `orthogonal`): a third of the time.
    The state of every weight lies in `state`, as in any optimizer.
    """

    def __init__(self, weights: list[nn.Parameter], matrices: list[nn.Parameter], config: TrainConfig) -> None:
        super().__init__(weights, {"lr": config.learning_rate, "muon_ratio": config.muon_learning_rate / config.learning_rate})
        self._sizes: dict[int, list[nn.Parameter]] = defaultdict(list)  # smaller side -> matrices, which are one batch
        for weight in matrices:
            self._sizes[min(weight.flatten(1).shape)].append(weight)
        self._decay = config.weight_decay
        chosen = {id(weight) for weight in matrices}
        rest = [weight for weight in weights if id(weight) not in chosen]
        self._adam = torch.optim.AdamW(rest, config.learning_rate, config.betas, weight_decay=config.weight_decay, fused=True)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move all weights."""
        group = self.param_groups[0]
        for weight in self._adam.param_groups[0]["params"]:
            self._adam.state[weight] = self.state[weight]
        self._adam.param_groups[0]["lr"] = group["lr"]
        self._adam.step()
        for matrices in self._sizes.values():
            moved = [weight for weight in matrices if weight.grad is not None]
            for weight, update in zip(moved, orthogonal([self._momentum(weight) for weight in moved]), strict=True):
                learning_rate = group["lr"] * group["muon_ratio"]
                weight.mul_(1 - learning_rate * self._decay)
                # as large as AdamW's updates are by root mean square (Liu et al. 2025)
                weight.sub_(update.view_as(weight), alpha=0.2 * learning_rate * max(update.shape) ** 0.5)

    def _momentum(self, weight: nn.Parameter) -> Tensor:
        """Nesterov's, as a matrix."""
        assert weight.grad is not None
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight).flatten(1)
        gradient = weight.grad.flatten(1)
        state["momentum_buffer"].lerp_(gradient, 1 - MOMENTUM)
        return gradient.lerp(state["momentum_buffer"], MOMENTUM)


def orthogonal(matrices: list[Tensor]) -> list[Tensor]:
    """Matrices with the same smaller side, each with its singular values brought near 1 (0.7 to 1.2) by Newton-Schulz.

    The iteration is a polynomial of X X^T times X, so all but the last product is done on X X^T: on small squares, all at once.
    In float32, or small singular values would be lost.
    """
    if not matrices:
        return []
    wide = [(matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T).float() for matrix in matrices]
    wide = [matrix / matrix.norm().clamp_min(1e-7) for matrix in wide]
    gram = torch.stack([matrix @ matrix.T for matrix in wide])
    a, b, c = NEWTON_SCHULZ
    one = torch.eye(gram.shape[-1], device=gram.device).expand_as(gram)
    total = power = a * one + b * gram + c * gram @ gram
    for _ in range(ITERATIONS - 1):
        gram = power @ gram @ power
        power = a * one + b * gram + c * gram @ gram
        total = power @ total
    made = [polynomial @ matrix for polynomial, matrix in zip(total, wide, strict=True)]
    return [new if old.shape[0] <= old.shape[1] else new.T for new, old in zip(made, matrices, strict=True)]


NO_BITSANDBYTES = "bitsandbytes is not installed; pip install 'arldm[8bit]', or --train.optimizer adamw"


def build_optimizer(module: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer of a run, over the weights that learn. Raises ConfigError where bitsandbytes is wanted and not there."""
    weights = list(learning(module).values())
    if config.optimizer == "adamw_8bit":
        return _adamw_8bit()(weights, config.learning_rate, config.betas, weight_decay=config.weight_decay)
    if not config.muon_learning_rate:
        return torch.optim.AdamW(weights, config.learning_rate, config.betas, weight_decay=config.weight_decay, fused=True)
    return MuonAdamW(weights, [weight for weight in matrices(module) if weight.requires_grad], config)


def _adamw_8bit() -> Any:
    try:
        from bitsandbytes.optim import AdamW8bit  # type: ignore[import-not-found]
    except ImportError as error:
        raise ConfigError(NO_BITSANDBYTES) from error
    return AdamW8bit


def matrices(module: nn.Module) -> list[nn.Parameter]:
    """The weights of convolutions, linear layers and attention of the denoiser, or of the whole module where none learns."""
    named = (part for name, part in module.named_modules() if name.split(".")[-1] == "unet")
    part = next((part for part in named if learning(part)), module)
    kinds = (nn.Conv2d, nn.Linear, nn.MultiheadAttention)
    layers = [layer for layer in part.modules() if isinstance(layer, kinds)]
    return [layer.get_parameter("in_proj_weight" if isinstance(layer, nn.MultiheadAttention) else "weight") for layer in layers]


def moments(optimizer: torch.optim.Optimizer, weights: dict[str, nn.Parameter]) -> dict[str, Tensor]:
    """The optimizer's state by the weights' names; a weight that the loss never reached has none."""
    states = {name: optimizer.state.get(weight, {}) for name, weight in weights.items()}
    return {f"{name}.{kind}": torch.as_tensor(value) for name, state in states.items() for kind, value in state.items()}


def take_moments(optimizer: torch.optim.Optimizer, weights: dict[str, nn.Parameter], found: Iterable[tuple[str, Tensor]]) -> None:
    """Give the optimizer the state that `moments` told."""
    for key, value in found:
        name, kind = key.rsplit(".", 1)
        whole_number = not value.dim() and not value.is_floating_point()  # bitsandbytes counts its steps with a plain one
        optimizer.state[weights[name]][kind] = (
            value.item() if whole_number else shared_like(value, weights[name]).to(weights[name].device)
        )

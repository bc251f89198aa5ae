"""What a training run carries from step to step: weights, their average, the optimizer's moments and its number."""

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from arldm.config import TrainConfig
from arldm.errors import ConfigError
from arldm.model.noise import seeded
from arldm.train import checkpoint
from arldm.train.optimizer import build_optimizer, moments, take_moments


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

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The module's loss."""
        return self.module.loss(batch, generator)  # type: ignore[operator]


class Learner:
    """A module in training. Only what requires a gradient is learned, averaged and kept in checkpoints."""

    def __init__(self, module: nn.Module, config: TrainConfig, accelerator: Accelerator) -> None:
        self.module, self.config, self.accelerator = module, config, accelerator
        self.step = 0
        self.weights = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
        self.plain = build_optimizer(module, self.weights, config)
        self.objective, self.optimizer = accelerator.prepare(Objective(module), self.plain)
        self.average = {name: weight.detach().clone() for name, weight in self.weights.items()}
        module.train()

    @property
    def main(self) -> bool:
        """Is this the process that writes?"""
        return self.accelerator.is_main_process

    def advance(self, batches: Callable[[int], Batch]) -> tuple[float, float]:
        """One step. Returns its loss and learning rate."""
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        learning_rate = rate(self.config, self.step)
        for group in self.plain.param_groups:
            group["lr"] = learning_rate
        seed = derived_seed(self.config.seed, rank, self.step)
        batch = batches(self.step * processes + rank).to(self.accelerator.device)
        with self.accelerator.autocast(), seeded(seed):  # dropout layers, where a module has some, know only the global generator
            loss = self.objective(batch, torch.Generator().manual_seed(seed))
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.weights.values(), self.config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self._follow()
        self.step += 1
        if not math.isfinite(found := loss.detach().item()):
            raise ConfigError(f"loss is {found} at step {self.step}; expected a number, lower --train.learning-rate")
        return found, learning_rate

    def agree(self, stop: bool) -> bool:
        """True on all processes as soon as it is on one, so that none waits for another that has gone."""
        if self.accelerator.num_processes == 1:
            return stop
        return bool(self.accelerator.reduce(torch.tensor(float(stop), device=self.accelerator.device)).item())  # type: ignore[union-attr]

    def save(self, run: Path) -> None:
        """Write a checkpoint."""
        if self.main:
            parts = {"weights": dict(self.weights), "average": self.average, "optimizer": moments(self.plain, self.weights)}
            checkpoint.save(run, self.step, parts, self._facts(), self.config.checkpoints)
        self.accelerator.wait_for_everyone()

    def resume(self, run: Path) -> None:
        """Take up the newest sound checkpoint, if there is one. Raises ModelError."""
        found = checkpoint.newest(run)
        if found is None:
            return
        for line in (*found.broken, *self._differences(found.facts)):
            self.accelerator.print(line)
        _copy(found.parts["weights"], self.weights)
        _copy(found.parts["average"], self.average)
        take_moments(self.plain, self.weights, found.parts["optimizer"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(found.facts["scaler"])
        self.step = found.step

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The module with its averaged weights, for a while."""
        held = {name: weight.detach().clone() for name, weight in self.weights.items()}
        self.adopt_average()
        try:
            yield
        finally:
            _copy(held, self.weights)
            self.module.train()

    def adopt_average(self) -> None:
        """Give the module its averaged weights, ready for use."""
        _copy(self.average, self.weights)
        self.module.eval()

    @torch.no_grad()
    def _follow(self) -> None:
        """The average follows the weights; in the first steps closely, or it would remember how they began."""
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        for name, average in self.average.items():
            average.lerp_(self.weights[name], 1 - decay)

    def _facts(self) -> dict[str, Any]:
        """What the bytes depend on beyond the config."""
        scaler = {} if self.accelerator.scaler is None else {"scaler": self.accelerator.scaler.state_dict()}
        return {"torch": torch.__version__, "threads": torch.get_num_threads(), **scaler}

    def _differences(self, facts: dict[str, Any]) -> list[str]:
        return [
            f"begun with {name} {facts[name]}, continued with {now}: the bytes may differ from an unbroken run's"
            for name, now in self._facts().items()
            if name in ("torch", "threads") and facts.get(name, now) != now
        ]


def rate(config: TrainConfig, step: int) -> float:
    """The learning rate of a step: linear warm-up, then a cosine to zero."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def derived_seed(*parts: object) -> int:
    """A seed of 63 bits from anything that can be printed."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:8], "big") >> 1


@torch.no_grad()
def _copy(values: dict[str, Tensor], weights: dict[str, nn.Parameter] | dict[str, Tensor]) -> None:
    for name, weight in weights.items():
        weight.copy_(values[name])

"""A small thing that learns, for the tests of the training loop. `python tests/toy.py OUT` trains it, so that it can be killed."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from arldm.config import TrainConfig
from arldm.model.noise import seeded
from arldm.train import fit

TRAIN = TrainConfig(
    steps=40,
    batch_size=4,
    learning_rate=1e-2,
    warmup_steps=5,
    threads=1,
    checkpoint_every=7,
    preview_every=0,
    report_to="none",
    seed=3,
)


@dataclass(frozen=True, slots=True)
class Numbers:
    """A batch of (n, 8)."""

    values: Tensor

    def to(self, device: torch.device | str) -> "Numbers":
        return Numbers(self.values.to(device))


class Toy(nn.Module):
    """Learns to undo noise. Has a frozen part, a weight that the loss never reaches, and maybe dropout."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(dropout), nn.Linear(32, 8))
        self.frozen = nn.Linear(8, 8).requires_grad_(False)
        self.idle = nn.Parameter(torch.ones(2))

    def loss(self, batch: Numbers, generators: list[torch.Generator]) -> Tensor:
        noise = torch.stack([torch.randn(8, generator=generator) for generator in generators])
        return (self.net(batch.values + noise) - self.frozen(batch.values)).square().mean()


def toy() -> Toy:
    with seeded(0):
        return Toy()


def batches(number: int) -> Numbers:
    return Numbers(torch.stack([torch.randn(8, generator=torch.Generator().manual_seed(4 * number + k)) for k in range(4)]))


def slow_batches(number: int) -> Numbers:
    time.sleep(0.02)
    return batches(number)


if __name__ == "__main__":
    fit(toy(), slow_batches, TRAIN, Path(sys.argv[1]))

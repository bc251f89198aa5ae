"""AR-LDM at toy width, trained in several ways one after the other, in one process or in each of those that torchrun starts.

`python tests/several.py OUT '{"NAME": {OPTION: VALUE}}'`; an item is the same story whatever batch it is in. A process that is to
be killed is named with its step: `'{"NAME": {.., "killed": [RANK, STEP]}}'`.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from arldm.config import TrainConfig
from arldm.errors import ArldmError
from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch
from arldm.train import fit
from conftest import build, story

TRAIN = TrainConfig(
    steps=6,
    batch_size=4,
    learning_rate=1e-3,
    warmup_steps=2,
    threads=1,
    checkpoint_every=2,
    preview_every=0,
    report_to="none",
    ema_decay=0.9,
    seed=5,
)
RANK = int(os.environ.get("RANK", "0"))


def batches(model: ARLDM, size: int, killed: tuple[int, int] = (0, -1)) -> Callable[[int], StoryBatch]:
    """Batches of stories in order; the killed process does not get one for its step."""

    def numbered(number: int) -> StoryBatch:
        if (RANK, number * size // 4) == killed:  # 4 stories a step, whoever has them
            os.kill(os.getpid(), signal.SIGKILL)
        places = range(number * size, (number + 1) * size)
        return model.batch([story(3, given=3, name=str(place), shift=place % 7) for place in places])

    return numbered


def train(out: Path, ways: dict[str, dict[str, object]]) -> None:
    """One run after the other."""
    for name, options in ways.items():
        killed = options.pop("killed", (0, -1))
        model, config = build(), replace(TRAIN, **options)
        fit(model, batches(model, config.batch_size, tuple(killed)), config, out / name)
        assert all(type(weight) is torch.nn.Parameter and weight.numel() for weight in model.parameters())


if __name__ == "__main__":
    try:
        train(Path(sys.argv[1]), json.loads(sys.argv[2]))
    except ArldmError as error:
        raise SystemExit(f"arldm: {error}") from None

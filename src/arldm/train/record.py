"""What a run writes down as it goes: metrics.jsonl, which is the truth, TensorBoard beside it, sample pictures, a bar."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from PIL import Image
from tqdm import tqdm

from arldm.config import TrainConfig
from arldm.errors import ConfigError
from arldm.story_files import encoded, put

METRICS = "metrics.jsonl"


@dataclass(frozen=True, slots=True)
class Sample:
    """How far a run is: a picture, and what it is worth by name."""

    picture: Image.Image
    scores: Mapping[str, float] = field(default_factory=dict)


class Record:
    """The record of a run from `step` on. What an earlier process wrote beyond that step, and then lost, is cut off."""

    def __init__(self, out: Path, config: TrainConfig, step: int, main: bool) -> None:
        self.out, self.main = out, main
        self.bar: Any = tqdm(
            total=config.steps, initial=step, unit="step", disable=not main, mininterval=0.5 if sys.stderr.isatty() else 30
        )
        self.writer: Any = None
        if main:
            out.mkdir(parents=True, exist_ok=True)
            _cut(out / METRICS, step)
            self.writer = _tensorboard(out / "logs", step) if config.report_to == "tensorboard" else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.bar.close()
        if self.writer is not None:
            self.writer.close()

    def add(self, step: int, loss: float, learning_rate: float, seconds: float) -> None:
        """One step, done."""
        self.bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
        self.bar.update()
        if not self.main:
            return
        row = {"step": step, "loss": loss, "learning_rate": learning_rate, "seconds": round(seconds, 3)}
        with (self.out / METRICS).open("a") as file:
            file.write(json.dumps(row) + "\n")
        if self.writer is not None:
            self.writer.add_scalar("loss", loss, step)
            self.writer.add_scalar("learning_rate", learning_rate, step)

    def show(self, step: int, sample: Sample) -> None:
        """Keep a sample."""
        path = self.out / "samples" / f"{step:07d}.png"
        put(path, encoded(sample.picture))
        if sample.scores:
            put(path.with_suffix(".json"), (json.dumps(dict(sample.scores)) + "\n").encode())
        if self.writer is not None:
            for name, score in sample.scores.items():
                self.writer.add_scalar(name, score, step)


def _cut(path: Path, rows: int) -> None:
    """Keep the first `rows` lines of a file."""
    lines = path.read_text().splitlines(keepends=True)[:rows] if path.exists() else []
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text("".join(lines))
    beside.replace(path)


def _tensorboard(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        message = "tensorboard is not installed; pip install 'arldm[train]', or --train.report-to none"
        raise ConfigError(message) from error
    return SummaryWriter(str(folder), purge_step=step + 1)

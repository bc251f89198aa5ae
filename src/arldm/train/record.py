"""What a run writes down as it goes: metrics.jsonl, which is the truth, accelerate's trackers beside it, sample pictures, a bar."""

import hashlib
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker
from PIL import Image
from tqdm import tqdm

from arldm.config import TrainConfig
from arldm.errors import ConfigError, said
from arldm.pictures import encoded
from arldm.writing import put

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
        self.tracker: GeneralTracker | None = None
        self._seconds = self._waited = 0.0
        if main:
            out.mkdir(parents=True, exist_ok=True)
            _cut(out / METRICS, step)
            self.tracker = _tracker(config.report_to, out, step) if config.report_to != "none" else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.bar.close()
        if self._seconds:
            share, spent = self._waited / self._seconds, f"{self._waited:.1f} of {self._seconds:.0f} seconds"
            print(f"waited for data: {share:.2%} of the time ({spent})")
        if self.tracker is not None:
            self.tracker.finish()

    def add(self, step: int, loss: float, learning_rate: float, seconds: float, waited: float) -> None:
        """One step, done, in so many seconds, in some of which this process waited for its stories."""
        self.bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
        self.bar.update()
        if not self.main:
            return
        row = {"step": step, "loss": loss, "learning_rate": learning_rate, "seconds": round(seconds, 3), "waited": round(waited, 4)}
        self._seconds, self._waited = self._seconds + seconds, self._waited + waited
        with (self.out / METRICS).open("a") as file:
            file.write(json.dumps(row) + "\n")
        if self.tracker is not None:
            self.tracker.log({"loss": loss, "learning_rate": learning_rate}, step)

    def show(self, step: int, sample: Sample) -> None:
        """Keep a sample."""
        path = self.out / "samples" / f"{step:07d}.png"
        put(path, encoded(sample.picture))
        if sample.scores:
            put(path.with_suffix(".json"), (json.dumps(dict(sample.scores)) + "\n").encode())
        if self.tracker is not None and sample.scores:
            self.tracker.log(dict(sample.scores), step)


def _cut(path: Path, step: int) -> None:
    """Keep what a file says of the steps until this one; a power cut may have taken some."""
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    kept = []
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):  # of half a line
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
    put(path, "".join(kept).encode())


def _tracker(kind: str, out: Path, step: int) -> GeneralTracker:
    """One that goes on from `step`, where an earlier process of this run began it. Raises ConfigError."""
    name, options = {
        "tensorboard": ("logs", {"logging_dir": out, "purge_step": step + 1}),
        "wandb": ("arldm", {"name": out.name, "id": _name(out), "resume": "allow", "dir": out}),
        "trackio": ("arldm", {"name": f"{out.name}-{_name(out)}", "resume": "allow"}),
    }[kind]
    try:
        tracker: GeneralTracker = LOGGER_TYPE_TO_CLASS[kind](name, **options)
        tracker.start()
    except ImportError as error:
        raise ConfigError(not_installed(kind)) from error
    except Exception as error:  # whatever the libraries say of it
        raise ConfigError(f"{kind} cannot begin ({said(error)}); mend that, or --train.report-to none") from error
    return tracker


def not_installed(kind: str) -> str:
    """What is said where a tracker is missing."""
    package = "'arldm[train]'" if kind == "tensorboard" else kind
    return f"{kind} is not installed; pip install {package}, or --train.report-to none"


def _name(out: Path) -> str:
    """The same for the same folder, by which a tracker knows the run again."""
    return hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:8]

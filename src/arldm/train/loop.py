"""The training loop, for everything that learns: the autoencoder, the reader, AR-LDM itself.

A step depends on the run's config and its number alone. Its items are `batch_size * gradient_accumulation_steps * processes`
places in the order of the run, one after the other, and an item's noise derives from (seed, place). So one process, or two with
half of the batch each, or one that accumulates, learn the same, to rounding; but for what looks at a batch as a whole: lessons of
encoders and context, of which each process's batch is of one length and history, the autoencoder, whose noise is a share of the
batch's own deviation, and the classifier with its batch norms.

A run that was killed and started again is the run that was never killed: bit for bit on CPUs, while kernels of GPUs may add in any
order. To resume, run the same command again.
"""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from torch import nn

from arldm.config import TrainConfig, flat, to_dict
from arldm.errors import BROKEN, ConfigError, OutputError
from arldm.recipes import Judges
from arldm.train.checks import check_ranges
from arldm.train.engine import build_accelerator
from arldm.train.learner import Learner
from arldm.train.peers import together
from arldm.train.record import METRICS, Record, Sample
from arldm.train.step import Batch
from arldm.writing import put_json

CONFIG = "config.json"
STARTS_FROM = "starts_from."  # before the name of an option, in a config: what the files hold that it names
#: how a run is carried out, not what is learned: these may be others when it is continued
CARRIED_OUT = {
    f"train.{name}"
    for name in (
        *("batch_size", "gradient_accumulation_steps", "gradient_checkpointing", "torch_compile", "fsdp", "offload_ema"),
        *("checkpoint_every", "checkpoints_total_limit", "preview_every", "report_to"),
    )
} | {"cache", *(f"judges.{one.name}" for one in fields(Judges))}
#: what a run leaves beside its config; without one they are somebody else's
WRITTEN = (METRICS, "samples", "logs", "model", "accuracy.json")
#: options that have other names now: a run that was begun with these would go on with others
RENAMED = {f"train.{name}" for name in ("batch", "warmup", "clip", "dropout", "ema", "muon", "checkpoints")}


def fit(
    module: nn.Module,
    batches: Callable[[int], Batch],
    config: TrainConfig,
    out: Path,
    *,
    options: dict[str, Any] | None = None,
    preview: Callable[[], Sample] | None = None,
) -> None:
    """Train `module`, which has `loss(batch, generators)`, and leave it holding the moving average of its weights.

    The loss is a mean over the batch's items, one generator for each. `batches(number)` must be the items from number * batch_size
    on in the order of the run, and depend on nothing else.
    `options` are what the run was asked for, if that is more than `config`. `preview` draws with the averaged weights.
    Writes config.json, checkpoints, metrics.jsonl, logs/ and samples/ into `out`. Raises OutputError, and ConfigError if
    `out` holds a run with other options, and ProcessError if another process has gone. KeyboardInterrupt (Ctrl-C, SIGTERM) leaves a
    checkpoint.
    """
    check_ranges({"train": {"steps": config.steps}})
    accelerator = build_accelerator(config)
    with together():
        learner = Learner(module, config, accelerator)  # first: it may refuse an option, which then is not the run's
        asked_for = options or {"train": to_dict(config)}
        check_claim(out, asked_for)
        learner.resume(out)  # before anything is written: it may refuse, too
        with accelerator.main_process_first():
            claim(out, asked_for)
        with Record(out, config, learner.step, learner.main) as record, _stopping() as asked:
            while learner.step < config.steps:
                _step(learner, batches, out, record, preview, asked)
        learner.adopt_average()


def _step(
    learner: Learner,
    batches: Callable[[int], Batch],
    out: Path,
    record: Record,
    preview: Callable[[], Sample] | None,
    asked: Callable[[], bool],
) -> None:
    started, config = time.monotonic(), learner.config
    loss, rate = learner.advance(batches)
    found, stop = learner.agree(loss, asked())
    record.add(learner.step, found, rate, time.monotonic() - started, learner.waited)
    if preview is not None and _due(learner.step, config.preview_every):
        with learner.averaged():
            if learner.main:
                record.show(learner.step, preview())
    if stop or _due(learner.step, config.checkpoint_every) or learner.step == config.steps:
        learner.save(out)  # last: what comes before a checkpoint is done again if it is lost, what comes after is not
    if stop:
        raise KeyboardInterrupt(f"stopped after step {learner.step} of {config.steps}; the same command continues")


def claim(out: Path, options: dict[str, Any]) -> None:
    """Write the options into `out/config.json`, where a run with others must not have begun. Raises ConfigError."""
    path = out / CONFIG
    held = check_claim(out, options)
    if held | options == held and path.exists():
        return
    put_json(path, held | options)


def check_claim(out: Path, options: dict[str, Any]) -> dict[str, Any]:
    """What the run in `out` was begun with, {} where there is none.

    Raises ConfigError if an option is now another, or what the run starts from, wherever it lies; and OutputError where `out` holds
    what a run would write over.
    """
    held = _begun(out)
    begun, now = ({".".join(path): value for path, value in flat(one)} for one in (held, options))
    if lost := sorted(begun.keys() & RENAMED):
        got = f"{out}: was begun by an earlier version, with {lost[0]}"
        raise ConfigError(f"{got}; expected a run of this one, finish it with that one or choose another --out")
    for name, value in now.items():
        if name not in begun or begun[name] == value or name in CARRIED_OUT:
            continue
        if name.startswith(STARTS_FROM):
            option = name.removeprefix(STARTS_FROM)
            got = f"--{option}: {now[option]} holds others than what {out} was begun with"
            raise ConfigError(f"{got}; expected the same files, bring them back or choose another --out")
        if begun.get(held_there := STARTS_FROM + name) is None or begun[held_there] != now.get(held_there):
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(f"{option} is {value!r}; {out} was begun with {begun[name]!r}, keep it or choose another --out")
    return held


def _begun(out: Path) -> dict[str, Any]:
    """The config of the run in `out`, {} where there is none. Raises ConfigError, OutputError where something else is there."""
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: is a file; expected a folder for the run, choose another --out")
    path = out / CONFIG
    if path.exists():
        with suppress(*BROKEN):
            if "train" in (held := dict(json.loads(path.read_text()))):
                return held
        raise ConfigError(f"{path}: is not the config of a run; choose another --out")
    if taken := [name for name in WRITTEN if (out / name).is_file() or any((out / name).glob("*"))]:
        got = f"holds {taken[0]} and no run, which would write over it"
        raise OutputError(f"{out}: {got}; expected a new folder, choose another --out")
    return {}


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM wait for the end of the step; a second one does not."""
    asked: list[int] = []

    def note(number: int, _: object) -> None:
        asked.append(number)
        if len(asked) > 1:
            raise KeyboardInterrupt("stopped within a step; the same command continues from the last checkpoint")

    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield lambda: False
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

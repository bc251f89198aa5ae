"""The training loop, for everything that learns: the autoencoder, the reader, AR-LDM itself.

A step depends on the run's config and its number alone: batches are a function of the step, noise derives from (seed, rank, step).
So a run that was killed and started again is, bit for bit, the run that was never killed. To resume, run the same command again.
"""

import hashlib
import json
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from arldm import checkpoint
from arldm.config import TrainConfig, to_dict
from arldm.errors import ConfigError

METRICS = "metrics.jsonl"


class Batch(Protocol):
    """What a module's loss takes: tensors that can be moved together."""

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device."""
        ...


class _Objective(nn.Module):
    """Makes `loss` the forward pass, which is what distributed wrappers look for."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return self.module.loss(batch, generator)


def fit(
    module: nn.Module,
    batches: Callable[[int], Batch],
    config: TrainConfig,
    out: Path,
    *,
    preview: Callable[[], Image.Image] | None = None,
) -> None:
    """Train `module`, which has `loss(batch, generator)`, and leave it holding the moving average of its weights.

    `batches(step)` must depend on the step alone. `preview` draws with the module as it is, averaged weights in place.
    Writes checkpoints, metrics.jsonl and samples/ into `out`. Raises ConfigError if `out` holds a run with other options.
    KeyboardInterrupt (Ctrl-C, SIGTERM) leaves a checkpoint.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    claim(out, {"train": to_dict(config)})
    accelerator = Accelerator(mixed_precision=config.precision, log_with=None if config.report_to == "none" else config.report_to, project_dir=out)
    names = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
    parameters = dict(module.named_parameters())
    optimizer = torch.optim.AdamW([parameters[n] for n in names], lr=config.learning_rate, betas=config.betas, weight_decay=config.weight_decay)
    objective, optimizer = accelerator.prepare(_Objective(module), optimizer)
    parameters = dict(accelerator.unwrap_model(objective).module.named_parameters())
    average = {name: parameters[name].detach().clone() for name in names}
    step = _resume(out, parameters, average, optimizer, names, accelerator)
    writer = _tensorboard(out, step) if config.report_to == "tensorboard" and accelerator.is_main_process else None
    bar = tqdm(total=config.steps, initial=step, unit="step", disable=not accelerator.is_main_process, mininterval=5, dynamic_ncols=True)

    def keep() -> None:
        if accelerator.is_main_process:
            parts = {"weights": {n: parameters[n] for n in names}, "average": average, "optimizer": _moments(optimizer, parameters, names)}
            checkpoint.save(out, step, parts, {"torch": torch.__version__}, config.checkpoints)

    module.train()
    with _stop_softly() as asked_to_stop:
        while step < config.steps:
            started = time.monotonic()
            for group in optimizer.param_groups:
                group["lr"] = rate(config, step)
            generator = torch.Generator().manual_seed(derived_seed(config.seed, accelerator.process_index, step))
            with accelerator.autocast():
                loss = objective(batches(step).to(accelerator.device), generator)
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(objective.parameters(), config.clip)
            optimizer.step()
            optimizer.zero_grad()
            _follow(average, parameters, min(config.ema, (1 + step) / (10 + step)))
            step += 1
            if accelerator.is_main_process:
                _log(out, writer, step, float(loss), rate(config, step - 1), time.monotonic() - started)
            bar.update()
            bar.set_postfix(loss=f"{float(loss):.4f}", refresh=False)
            if asked_to_stop() or step % config.checkpoint_every == 0 or step == config.steps:
                keep()
            if asked_to_stop():
                raise KeyboardInterrupt(f"stopped after step {step} of {config.steps}; the same command continues")
            if preview is not None and config.preview_every and step % config.preview_every == 0 and accelerator.is_main_process:
                with _averaged(parameters, average, module):
                    _show(preview(), out / "samples" / f"{step:07d}.png")
    bar.close()
    _copy(average, parameters)
    module.eval()


def rate(config: TrainConfig, step: int) -> float:
    """The learning rate of a step: linear warm-up, then a cosine to zero."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def derived_seed(*parts: object) -> int:
    """A seed of 63 bits from anything that can be printed."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:8], "big") >> 1


def claim(out: Path, config: dict[str, Any]) -> None:
    """Write the run's config, or check that it is the one already there. Raises ConfigError naming the first other option."""
    path = out / "config.json"
    if path.exists():
        held = json.loads(path.read_text())
        for part, options in config.items():
            for name, value in options.items():
                if part in held and held[part].get(name) != value:
                    raise ConfigError(f"--{part}.{name}: got {value!r}, but {out} was begun with {held[part].get(name)!r}; keep it or choose another --out")
        config = held | config
    out.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".json.part")
    beside.write_text(json.dumps(config, indent=1) + "\n")
    beside.replace(path)


def _resume(out: Path, parameters: dict[str, nn.Parameter], average: dict[str, Tensor], optimizer: Any, names: list[str], accelerator: Accelerator) -> int:
    """Take up the newest sound checkpoint; returns the number of steps done."""
    found = checkpoint.newest(out)
    if found is None:
        (out / METRICS).unlink(missing_ok=True)
        return 0
    parts, facts, broken = found
    for line in broken:
        accelerator.print(line)
    _copy(parts["weights"], parameters)
    for name in names:
        average[name].copy_(parts["average"][name])
    moments = parts["optimizer"]
    for name in names:
        kinds = ("exp_avg", "exp_avg_sq", "step")
        optimizer.state[parameters[name]] = {kind: moments[f"{name}.{kind}"].to(parameters[name].device if kind != "step" else "cpu") for kind in kinds}
    lines = (out / METRICS).read_text().splitlines() if (out / METRICS).exists() else []
    (out / METRICS).write_text("".join(line + "\n" for line in lines[: facts["step"]]))
    return facts["step"]


def _moments(optimizer: Any, parameters: dict[str, nn.Parameter], names: list[str]) -> dict[str, Tensor]:
    return {f"{name}.{kind}": value for name in names for kind, value in optimizer.state[parameters[name]].items()}


@torch.no_grad()
def _follow(average: dict[str, Tensor], parameters: dict[str, nn.Parameter], decay: float) -> None:
    torch._foreach_lerp_(list(average.values()), [parameters[name].detach() for name in average], 1 - decay)


@torch.no_grad()
def _copy(values: dict[str, Tensor], parameters: dict[str, nn.Parameter]) -> None:
    for name, value in values.items():
        parameters[name].copy_(value)


@contextmanager
def _averaged(parameters: dict[str, nn.Parameter], average: dict[str, Tensor], module: nn.Module) -> Iterator[None]:
    """The module with its averaged weights for a while."""
    held = {name: parameters[name].detach().clone() for name in average}
    _copy(average, parameters)
    module.eval()
    try:
        yield
    finally:
        _copy(held, parameters)
        module.train()


@contextmanager
def _stop_softly() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM wait for the end of the step."""
    asked: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda got, _: asked.append(got)) for number in signals]
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _log(out: Path, writer: Any, step: int, loss: float, learning_rate: float, seconds: float) -> None:
    with (out / METRICS).open("a") as file:
        file.write(json.dumps({"step": step, "loss": loss, "learning_rate": learning_rate, "seconds": round(seconds, 3)}) + "\n")
    if writer is not None:
        writer.add_scalar("loss", loss, step)
        writer.add_scalar("learning_rate", learning_rate, step)


def _tensorboard(out: Path, step: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(out / "logs"), purge_step=step)


def _show(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    image.save(path)

"""What a training run carries from step to step: weights, their average, the optimizer's moments and its number."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from arldm.config import TrainConfig
from arldm.errors import ArldmError, ConfigError
from arldm.model.noise import derived_seed, item_generators, seeded
from arldm.train import checkpoint
from arldm.train.engine import compile_parts, save_memory
from arldm.train.optimizer import build_optimizer, moments, take_moments
from arldm.train.sharing import joined_like, learning, share, shared_like, shared_out, whole
from arldm.train.step import Batch, Objective, averaged_further, gradients


class Learner:
    """A module in training. Only what requires a gradient is learned and averaged; checkpoints also keep what batch norms count.

    With FSDP2 the module itself is empty while its shared-out copy learns, but in `averaged` and after `adopt_average`.
    """

    def __init__(self, module: nn.Module, config: TrainConfig, accelerator: Accelerator) -> None:
        self.module, self.config, self.accelerator = module, config, accelerator
        self.step = 0
        self.waited = 0.0  # seconds of the last step, for its batches
        self._norm = torch.zeros(())  # of its gradient
        if config.gradient_checkpointing:
            save_memory(module)
        objective: nn.Module = Objective(module.train())
        if shared := config.fsdp and accelerator.num_processes > 1:
            objective = shared_out(objective, accelerator.device, accelerator.num_processes)
        if config.torch_compile:
            compile_parts(objective)
        self.weights = learning(objective.get_submodule("module"))
        self.plain = build_optimizer(objective.get_submodule("module"), config)
        self.optimizer = accelerator.prepare_optimizer(self.plain, device_placement=False)
        self.objective = objective if shared else accelerator.prepare_model(objective)
        self.average = {name: share(weight.detach()) for name, weight in self.weights.items()}
        if config.ema_decay:
            where = "cpu" if config.offload_ema else accelerator.device
            self.average = {name: weight.to(where, copy=True) for name, weight in self.average.items()}

    @property
    def main(self) -> bool:
        """Is this the process that writes?"""
        return self.accelerator.is_main_process

    @property
    def items_a_step(self) -> int:
        """How many stories (or pictures) all processes together learn from before they move."""
        return self.config.items_a_step(self.accelerator.num_processes)

    def advance(self, batches: Callable[[int], Batch]) -> tuple[Tensor, float]:
        """One step. Returns this process's loss and the learning rate."""
        learning_rate = rate(self.config, self.step)
        for group in self.plain.param_groups:
            group["lr"] = learning_rate
        self.waited = 0.0
        losses = [self._learn(batches, part) for part in range(self.config.gradient_accumulation_steps)]
        self.accelerator.unscale_gradients()
        norm = nn.utils.clip_grad_norm_(self.weights.values(), self.config.max_grad_norm or math.inf)
        if self.accelerator.scaler is None:  # which leaves out the steps whose gradient is no number
            self._norm = whole(norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.config.ema_decay:
            averaged_further(self.average, self.weights, self.config, self.step)
        self.step += 1
        return torch.stack(losses).mean(), learning_rate

    def _learn(self, batches: Callable[[int], Batch], part: int) -> Tensor:
        """Add the gradients of one batch of a step; its loss."""
        accumulation, processes = self.config.gradient_accumulation_steps, self.accelerator.num_processes
        number = (self.step * accumulation + part) * processes + self.accelerator.process_index
        places = range(number * self.config.batch_size, (number + 1) * self.config.batch_size)
        asked = time.monotonic()
        batch = batches(number)
        self.waited += time.monotonic() - asked
        batch = batch.to(self.accelerator.device)
        generators = item_generators(self.config.seed, places)
        more = part + 1 < accumulation
        with (
            self.accelerator.no_sync(self.objective) if more else nullcontext(),
            seeded(derived_seed(self.config.seed, places.start), self.accelerator.device),  # of dropout, where there is some
        ):
            return gradients(self.objective, batch, generators, self.config, self.accelerator.backward)

    def agree(self, loss: Tensor, stop: bool) -> tuple[float, bool]:
        """The mean loss of all processes, and True as soon as one is to stop, so that none waits for another that has gone.

        Raises ConfigError if the loss or the norm of the gradient is no number: such weights are not to be saved.
        """
        told = torch.stack([loss, self._norm.to(loss), torch.tensor(float(stop), device=loss.device)])
        if self.accelerator.num_processes > 1:
            told = self.accelerator.reduce(told, "mean")
        found, norm, stopping = told.tolist()  # type: ignore[union-attr]
        for name, value in (("loss", found), ("the norm of the gradient", norm)):
            if not math.isfinite(value):
                got = f"{name} is {value} at step {self.step}"
                raise ConfigError(f"{got}; expected a number, lower --train.learning-rate in another --out")
        return found, bool(stopping)

    def save(self, run: Path) -> None:
        """Write a checkpoint."""
        parts: dict[str, Mapping[str, Tensor]] = {"weights": self.weights, "optimizer": moments(self.plain, self.weights)}
        if counted := statistics(self.module):
            parts["statistics"] = counted
        if self.config.ema_decay:
            parts["average"] = {name: joined_like(average, self.weights[name]) for name, average in self.average.items()}
        if self.main:
            checkpoint.save(run, self.step, parts, self._facts(), self.config.checkpoints_total_limit)
        else:
            checkpoint.lend(parts)
        self.accelerator.wait_for_everyone()

    def resume(self, run: Path) -> None:
        """Take up the newest sound checkpoint, if there is one. Raises ModelError, and ConfigError for one of other steps."""
        found = self._found(run)
        if found is None:
            return
        if (begun := found.facts.get("items_a_step", self.items_a_step)) != self.items_a_step:
            raise ConfigError(self._other_steps(run, begun))
        for line in (*found.broken, *self._differences(found.facts)):
            self.accelerator.print(line)
        with torch.no_grad():
            for name, value in found.part("weights"):
                self.weights[name].copy_(shared_like(value, self.weights[name]))
            for name, value in found.part("average"):
                self.average[name].copy_(share(shared_like(value, self.weights[name])))
            counted = statistics(self.module)
            for name, value in found.part("statistics"):
                counted[name].copy_(value)
        take_moments(self.plain, self.weights, found.part("optimizer"))
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(found.facts["scaler"])
        self.step = found.step

    def _found(self, run: Path) -> checkpoint.Checkpoint | None:
        """The newest checkpoint, as the main process sees it, or its error."""
        found: list[Any] = [None]
        if self.main:
            try:
                found = [checkpoint.newest(run)]
            except ArldmError as error:
                found = [error]
        broadcast_object_list(found)
        if isinstance(found[0], ArldmError):
            raise found[0]
        return found[0]

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The module with its averaged weights, for a while."""
        held = {name: weight.data for name, weight in learning(self.module).items()}
        self.adopt_average()
        try:
            yield
        finally:
            for name, weight in learning(self.module).items():
                weight.data = held[name]
            self.module.train()

    def adopt_average(self) -> None:
        """Give the module its averaged weights, ready for use."""
        for name, weight in learning(self.module).items():
            weight.data = whole(joined_like(self.average[name], self.weights[name])).to(self.accelerator.device)
        self.module.eval()

    def _facts(self) -> dict[str, Any]:
        """What the bytes depend on beyond the config."""
        scaler = {} if self.accelerator.scaler is None else {"scaler": self.accelerator.scaler.state_dict()}
        processes = self.accelerator.num_processes
        facts = {"torch": torch.__version__, "threads": torch.get_num_threads(), "processes": processes}
        return {**facts, "precision": self.accelerator.mixed_precision, "items_a_step": self.items_a_step, **scaler}

    def _differences(self, facts: dict[str, Any]) -> list[str]:
        return [
            f"begun with {name} {facts[name]}, continued with {now}: the bytes may differ from an unbroken run's"
            for name, now in self._facts().items()
            if name in ("torch", "threads", "processes", "precision") and facts.get(name, now) != now
        ]

    def _other_steps(self, run: Path, begun: int) -> str:
        got = f"{self.items_a_step} items a step ({self.accelerator.num_processes} processes"
        got += f" x --train.batch-size {self.config.batch_size}"
        got += f" x --train.gradient-accumulation-steps {self.config.gradient_accumulation_steps})"
        return f"{got}; {run} was begun with {begun}, change one of the three so that it is the same"


def statistics(module: nn.Module) -> dict[str, Tensor]:
    """What batch normalisation has counted, by name: it moves at every step, though it does not learn."""
    norms = [(name, part) for name, part in module.named_modules() if isinstance(part, _NormBase)]
    return {f"{name}.{key}": counted for name, part in norms for key, counted in part.named_buffers(recurse=False)}


def rate(config: TrainConfig, step: int) -> float:
    """The learning rate of a step: linear warm-up, then a cosine to zero."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))

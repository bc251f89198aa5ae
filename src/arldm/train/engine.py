"""What carries a run: one process or many, by accelerate; precision; and the libraries' own switches for memory and speed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, PartialState
from accelerate.state import AcceleratorState
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import nn
from transformers import PreTrainedModel

from arldm.config import TrainConfig
from arldm.errors import ConfigError
from arldm.train.checks import check_train
from arldm.train.sharing import learning
from arldm.train.step import settled

#: a collective operation may have to wait while the main process draws a corpus or a sample; who is dead is found otherwise (peers)
LONGEST_WAIT = timedelta(days=2)


def set_up(config: TrainConfig) -> PartialState:
    """Be as a run wants it, beside the other processes of torchrun or `accelerate launch`, on CPUs where there is no GPU (gloo).

    Raises ConfigError for options that cannot be, here or together.
    """
    check_train(config)
    if config.precision == "fp16" and not torch.accelerator.is_available():
        raise ConfigError("--train.precision fp16: without a GPU nothing scales the loss; use --train.precision auto")
    if config.threads:
        torch.set_num_threads(config.threads)
    state = PartialState(cpu=not torch.accelerator.is_available(), timeout=LONGEST_WAIT)
    check(config, state.num_processes)
    # of products and, which torch does unless told otherwise, of convolutions of float32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = config.allow_tf32
    return state


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Meanwhile what is smaller than 1e-38 is nothing: gradients of what hardly matters yet are full of such, ten times as slow.

    To be begun before other threads, which do as the first one does.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def build_accelerator(config: TrainConfig) -> Accelerator:
    """One for this run. Raises ConfigError for options that cannot be, here or together."""
    set_up(config)
    # accelerate keeps the precision of a process's first run, which need not be that of its second
    AcceleratorState._reset_state(reset_partial_state=False)
    # positions, for one, are idle in a model without history; and DDP that looks for idle weights never moves weights to other
    # buckets after the first step, so a run that was resumed adds numbers in the same order
    idle = DistributedDataParallelKwargs(find_unused_parameters=True)
    accelerator = Accelerator(
        mixed_precision=settled(config.precision), cpu=not torch.accelerator.is_available(), kwargs_handlers=[idle]
    )
    if not accelerator.distributed_type.startswith(("NO", "MULTI_")):
        kind = accelerator.distributed_type.value
        raise ConfigError(f"started under {kind}; expected plain processes (torchrun), and --train.fsdp to share weights out")
    return accelerator


def check(config: TrainConfig, processes: int) -> None:
    """Raises ConfigError for options that cannot be together, or not on this machine."""
    if config.precision == "bf16" and torch.cuda.is_available() and not torch.cuda.is_bf16_supported(including_emulation=False):
        card = f"{torch.cuda.get_device_name()} (compute capability {'.'.join(map(str, torch.cuda.get_device_capability()))})"
        raise ConfigError(f"--train.precision bf16: {card} has no bf16, which begins with 8.0; use --train.precision fp16 or no")
    if config.fsdp and processes > 1:
        _check_shared(config)


def _check_shared(config: TrainConfig) -> None:
    for option, wrong, use in (
        ("muon_learning_rate", config.muon_learning_rate > 0, "0"),  # its updates are of whole matrices
        # bitsandbytes takes whole tensors; shared out, moments are small anyway
        ("optimizer", config.optimizer != "adamw", "adamw"),
        ("precision", config.precision == "fp16", "bf16"),  # whose scale would have to be agreed on
    ):
        if wrong:
            named = f"--train.{option.replace('_', '-')}"
            raise ConfigError(f"{named} {getattr(config, option)} cannot be had with --train.fsdp; use {named} {use}, or no fsdp")


def save_memory(module: nn.Module) -> None:
    """Turn gradient checkpointing on where the libraries have it, also where gradients only pass: a name learns through the U-Net.

    Raises ConfigError where they have it in nothing that learns.
    """
    for part in _parts(module, "--train.gradient-checkpointing"):
        if isinstance(part, UNet2DConditionModel):
            part.enable_gradient_checkpointing()
        else:
            part.supports_gradient_checkpointing = True  # transformers says so of BLIP, not of its text model, whose layers have it
            part.activation_checkpointing_enable()
            part.disable_input_require_grads()  # they would flow where nothing learns, and BLIP adds positions in place


def compile_parts(module: nn.Module) -> None:
    """Have torch compile what takes the time, at its first call. Raises ConfigError where there is nothing of that."""
    for part in _parts(module, "--train.torch-compile"):
        if learning(part):
            part.compile()


def _parts(module: nn.Module, option: str) -> list[UNet2DConditionModel | PreTrainedModel]:
    """The U-Net and the transformers of a module, if some of them learn."""
    kinds = (UNet2DConditionModel, PreTrainedModel)
    found = [part for part in module.modules() if isinstance(part, kinds)]
    if not any(map(learning, found)):
        raise ConfigError(f"{option}: this recipe trains neither a U-Net nor a transformer; leave it out")
    return found

"""FSDP2: every process keeps its share of each weight, and all are put together where they are needed.

Where each process has all the weights (DDP, or one process) the functions here change nothing, so nobody else need ask which it is.
"""

import copy

import torch
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers.modeling_layers import GradientCheckpointingLayer


def shared_out(module: nn.Module, device: torch.device, processes: int) -> nn.Module:
    """A copy of the module whose learning weights are shared out; those of `module` itself are emptied until it is used.

    What does not learn remains whole, and both have it.
    """
    module.to(device)
    tensors = [*module.parameters(), *module.buffers()]
    shared = copy.deepcopy(module, {id(tensor): tensor for tensor in tensors})
    frozen = {weight for weight in shared.parameters() if not weight.requires_grad}
    mesh = init_device_mesh(device.type, (processes,))
    for unit in (*reversed(_units(shared)), shared):  # from the inside out
        fully_shard(unit, mesh=mesh, ignored_params=frozen)
    for weight in learning(module).values():
        weight.data = torch.empty(0, device=device)
    return shared


def learning(module: nn.Module) -> dict[str, nn.Parameter]:
    """The weights that learn, by name."""
    return {name: weight for name, weight in module.named_parameters() if weight.requires_grad}


def share(tensor: Tensor) -> Tensor:
    """What of a tensor is kept by this process, itself."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor; where it is shared out, all processes must ask at once."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def shared_like(value: Tensor, weight: Tensor) -> Tensor:
    """A whole tensor, shared out as a weight of the same shape is."""
    if not isinstance(weight, DTensor) or value.shape != weight.shape:
        return value
    return distribute_tensor(value, weight.device_mesh, weight.placements, src_data_rank=None)  # all have the same: nothing is sent


def joined_like(kept: Tensor, weight: Tensor) -> Tensor:
    """The tensor of which `kept` is this process's share, as it is of a weight."""
    if not isinstance(weight, DTensor):
        return kept
    local = kept.to(weight.device)
    return DTensor.from_local(local, weight.device_mesh, weight.placements, shape=weight.shape, stride=weight.stride())


def _units(module: nn.Module) -> list[nn.Module]:
    """What is put together at once: what the libraries say must not be split, as far as it learns; outer ones before inner ones."""
    names = {name for part in module.modules() if isinstance(part, ModelMixin) for name in part._no_split_modules or ()}
    kinds = [unit for unit in module.modules() if isinstance(unit, GradientCheckpointingLayer) or type(unit).__name__ in names]
    return [unit for unit in kinds if learning(unit)]

"""Weights on disk: reading a published file, whatever wrote it, and putting tensors into a module, all of them and nothing else."""

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251 - only its name

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from arldm.errors import ModelError, said
from arldm.writing import put

Weights = dict[str, Tensor]


def read_weights(path: Path) -> Weights:
    """The tensors of a .safetensors file, or of a .bin, .pt or .pth that holds nothing else; fractions in float32.

    Raises ModelError.
    """
    if not path.exists():
        raise ModelError(f"{path}: not there; expected a file of weights, check the path")
    try:
        if path.suffix == ".safetensors":
            found = load_file(path)
        else:  # before torch 1.6 they were no zip files, and those cannot be mapped
            mapped = zipfile.is_zipfile(path)
            with warnings.catch_warnings(action="ignore"):  # torch also warns of what it refuses
                found = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)  # noqa: TID251 - tensors only
        return {key: value.float() if value.is_floating_point() else value for key, value in found.items()}
    except (
        SafetensorError,
        OSError,
        RuntimeError,
        UnpicklingError,
        AttributeError,
        TypeError,
        ValueError,
        LookupError,
        EOFError,
    ) as error:
        raise ModelError(f"{path}: is no whole file of weights ({said(error)}); fetch it again") from error


def fill(part: nn.Module, found: Mapping[str, Tensor], path: Path) -> None:
    """Make these tensors a part's weights, all of them and nothing else. Raises ModelError naming `path`, where they come from."""
    expected = part.state_dict()
    if odd := sorted(set(found) ^ set(expected)):
        state = "is missing" if odd[0] in expected else "is not part of this model"
        raise ModelError(f"{path}: {odd[0]} {state} ({len(odd)} such); expected the weights that its config describes")
    for name, tensor in expected.items():
        if found[name].shape != tensor.shape:
            got = f"{name} has shape {tuple(found[name].shape)}"
            raise ModelError(f"{path}: {got}; its config and tokenizer ask for {tuple(tensor.shape)}, fetch the model again")
        if found[name].is_floating_point() != tensor.is_floating_point():
            raise ModelError(f"{path}: {name} is of {found[name].dtype}; expected {tensor.dtype} or near it, fetch the model again")
    part.load_state_dict(found, strict=True, assign=True)


def save_half(module: nn.Module, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a module's weights in half precision, whole or not at all. Raises OutputError."""
    put(path, save({name: tensor.half().contiguous() for name, tensor in module.state_dict().items()}, metadata))


def fastest_device() -> torch.device:
    """Where networks are put that look at many pictures or draw them: the GPU if there is one."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")

"""Checkpoints of a training run: written whole or not at all, found again, and known to be sound before they are used.

`checkpoint-<step>/` holds named groups of tensors as safetensors, and `state.json` with the step and the SHA-256 of each file.
Its form is the same however many processes have written it: tensors are whole, and gathered, written and read one at a time.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from arldm.errors import BROKEN, ModelError, said
from arldm.train.sharing import whole
from arldm.writing import checksum, clear, is_half, replacing_folder

STATE = "state.json"
Tensors = Mapping[str, Tensor]
DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A sound checkpoint. `broken`: a line on each newer one that could not be used."""

    folder: Path
    step: int
    facts: dict[str, Any]
    broken: tuple[str, ...] = ()

    def part(self, name: str) -> Iterator[tuple[str, Tensor]]:
        """One of its groups of tensors, nothing if it has not got it. Raises ModelError where the file cannot be seen."""
        if f"{name}.safetensors" not in self.facts["sha256"]:
            return
        path = self.folder / f"{name}.safetensors"
        try:
            with safe_open(path, "pt") as file:
                for key in file.keys():  # noqa: SIM118, it is no dict
                    yield key, file.get_tensor(key)
        except (OSError, SafetensorError) as error:
            message = f"{path}: cannot be read ({said(error)}); expected --out on a disk that all processes see"
            raise ModelError(message) from error


def save(run: Path, step: int, parts: Mapping[str, Tensors], facts: dict[str, Any], keep: int) -> None:
    """Write `run/checkpoint-<step>`, then delete all but the newest `keep`. Raises OutputError.

    Where tensors are shared out among processes, one of them calls this while the others `lend` theirs.
    """
    final = run / f"checkpoint-{step:07d}"
    with replacing_folder(final) as beside:
        for stale in set(filter(is_half, run.glob(".checkpoint-*"))) - {beside}:  # of a process that was killed while it wrote
            clear(stale)
        _write(beside, step, parts, facts)
    past = [folder for folder in folders(run) if folder.name <= final.name]
    for old in set(folders(run)) - set(past[-max(keep, 1) :]):  # also broken ones from beyond this step
        shutil.rmtree(old, ignore_errors=True)


def lend(parts: Mapping[str, Tensors]) -> None:
    """Take part in the gathering of what another process writes."""
    for tensors in parts.values():
        for tensor in _ordered(tensors).values():
            whole(tensor)


def newest(run: Path) -> Checkpoint | None:
    """The newest sound checkpoint; None where there is none at all. Raises ModelError if there are some and none is sound."""
    broken: list[str] = []
    for folder in reversed(folders(run)):
        try:
            facts = json.loads((folder / STATE).read_text())
            for name, expected in facts["sha256"].items():
                if (got := checksum(folder / name)) != expected:
                    raise ValueError(f"{name} has SHA-256 {got[:12]}, expected {expected[:12]}")
            return Checkpoint(folder, facts["step"], facts, tuple(broken))
        except BROKEN as error:
            broken.append(f"{folder.name} is broken ({said(error)}); using the one before")
    if broken:
        reason = broken[0].removesuffix("; using the one before")
        raise ModelError(f"{run}: none of its {len(broken)} checkpoints is whole ({reason}); delete the folder to start again")
    return None


def halved(tensor: Tensor) -> Tensor:
    """In half precision, if it is of fractions."""
    return tensor.half() if tensor.is_floating_point() else tensor


def _write(folder: Path, step: int, parts: Mapping[str, Tensors], facts: dict[str, Any]) -> None:
    hashes = {f"{name}.safetensors": _stream(tensors, folder / f"{name}.safetensors") for name, tensors in parts.items()}
    (folder / STATE).write_text(json.dumps({"step": step, "sha256": hashes, **facts}, indent=1) + "\n")


def _stream(tensors: Tensors, path: Path) -> str:
    """Write a safetensors file with never more than one whole tensor in memory, for which the library has no call; its SHA-256."""
    tensors, header, end = _ordered(tensors), {}, 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.numel() * tensor.itemsize
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    start = json.dumps(header).encode()
    start += b" " * (-len(start) % 8)  # so that data are aligned
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for block in chain([len(start).to_bytes(8, "little"), start], map(_bytes, tensors.values())):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _ordered(tensors: Tensors) -> Tensors:
    """As the library orders them: large elements first, so that all are aligned."""
    return dict(sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])))


def _bytes(tensor: Tensor) -> memoryview:
    return whole(tensor.detach()).cpu().contiguous().flatten().view(torch.uint8).numpy().data


def folders(run: Path) -> list[Path]:
    """All checkpoints of a run by step; copies that somebody put beside them under other names are left alone."""
    return sorted(one for one in run.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d{7,}", one.name))

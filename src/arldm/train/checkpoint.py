"""Checkpoints of a training run: written whole or not at all, found again, and known to be sound before they are used.

`checkpoint-<step>/` holds named groups of tensors as safetensors, and `state.json` with the step and the SHA-256 of each file.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from arldm.errors import ModelError, OutputError

STATE = "state.json"
Tensors = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A sound checkpoint as read back. `broken`: a line on each newer one that could not be used."""

    step: int
    parts: dict[str, Tensors]
    facts: dict[str, Any]
    broken: tuple[str, ...] = ()


def save(run: Path, step: int, parts: dict[str, Tensors], facts: dict[str, Any], keep: int) -> Path:
    """Write `run/checkpoint-<step>`, then delete all but the newest `keep`. Raises OutputError."""
    final = run / f"checkpoint-{step:07d}"
    try:
        run.mkdir(parents=True, exist_ok=True)
        for stale in run.glob(".checkpoint-*"):  # of a process that was killed while it wrote
            shutil.rmtree(stale)
        beside = run / f".checkpoint-{os.getpid()}"
        beside.mkdir()
        _write(beside, step, parts, facts)
        if final.exists():
            shutil.rmtree(final)
        beside.replace(final)
        sync(run)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or _line(error)
        message = f"{run}: the checkpoint of step {step} cannot be written ({reason}); free space or choose another --out"
        raise OutputError(message) from error
    past = [folder for folder in _all(run) if folder.name <= final.name]
    for old in set(_all(run)) - set(past[-max(keep, 1) :]):  # also broken ones from beyond this step
        shutil.rmtree(old, ignore_errors=True)
    return final


def newest(run: Path) -> Checkpoint | None:
    """The newest sound checkpoint; None where there is none at all. Raises ModelError if there are some and none is sound."""
    broken: list[str] = []
    for folder in reversed(_all(run)):
        try:
            facts = json.loads((folder / STATE).read_text())
            for name, expected in facts["sha256"].items():
                if (got := sha256(folder / name)) != expected:
                    raise ValueError(f"{name} has SHA-256 {got[:12]}, expected {expected[:12]}")
            parts = {name.removesuffix(".safetensors"): load_file(folder / name) for name in facts["sha256"]}
            return Checkpoint(facts["step"], parts, facts, tuple(broken))
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            broken.append(f"{folder.name} is broken ({_line(error)}); using the one before")
    if broken:
        reason = broken[0].removesuffix("; using the one before")
        raise ModelError(f"{run}: none of its {len(broken)} checkpoints is whole ({reason}); delete the folder to start again")
    return None


def save_whole(tensors: Tensors, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write one safetensors file, whole or not at all. Raises OutputError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file(tensors, beside, metadata)
        sync(beside)
        beside.replace(path)
    except (OSError, SafetensorError) as error:
        raise OutputError(f"{path}: cannot be written ({_line(error)}); free space or choose another --out") from error
    finally:
        beside.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write(folder: Path, step: int, parts: dict[str, Tensors], facts: dict[str, Any]) -> None:
    for name, tensors in parts.items():
        save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, folder / f"{name}.safetensors")
    hashes = {path.name: sha256(path) for path in sorted(folder.glob("*.safetensors"))}
    (folder / STATE).write_text(json.dumps({"step": step, "sha256": hashes, **facts}, indent=1) + "\n")
    for path in folder.iterdir():
        sync(path)


def _all(run: Path) -> list[Path]:
    return sorted(run.glob("checkpoint-*"))


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

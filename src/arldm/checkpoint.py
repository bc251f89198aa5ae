"""Checkpoints of a training run: written whole or not at all, found again, and known to be sound before they are used.

`checkpoint-<step>/` holds weights, their moving average and the optimizer's moments as safetensors, and `state.json` with the step and
the SHA-256 of each file.
"""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from arldm.errors import ModelError, OutputError

STATE = "state.json"
Tensors = dict[str, Tensor]


def save(run: Path, step: int, parts: dict[str, Tensors], facts: dict[str, Any], keep: int) -> Path:
    """Write `run/checkpoint-<step>` from named groups of tensors, then delete all but the newest `keep`. Raises OutputError."""
    final = run / f"checkpoint-{step:07d}"
    try:
        run.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".checkpoint-", dir=run))
        for name, tensors in parts.items():
            save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, beside / f"{name}.safetensors")
        hashes = {path.name: _sha256(path) for path in sorted(beside.glob("*.safetensors"))}
        (beside / STATE).write_text(json.dumps({"step": step, "sha256": hashes, **facts}, indent=1) + "\n")
        for path in beside.iterdir():
            _sync(path)
        if final.exists():
            shutil.rmtree(final)
        beside.replace(final)
        _sync(run)
    except OSError as error:
        raise OutputError(f"{run}: the checkpoint of step {step} cannot be written ({error.strerror}); free space or choose another --out") from error
    for old in _all(run)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def newest(run: Path) -> tuple[dict[str, Tensors], dict[str, Any], list[str]] | None:
    """The newest sound checkpoint: its groups of tensors, its facts, and one line on each newer one that is broken.

    None where there is no checkpoint. Raises ModelError if there are some and none is sound.
    """
    broken: list[str] = []
    folders = _all(run)
    for folder in reversed(folders):
        try:
            facts = json.loads((folder / STATE).read_text())
            for name, expected in facts["sha256"].items():
                if (got := _sha256(folder / name)) != expected:
                    raise ValueError(f"{name} has SHA-256 {got[:12]}, expected {expected[:12]}")
            parts = {name.removesuffix(".safetensors"): load_file(folder / name) for name in facts["sha256"]}
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            broken.append(f"{folder.name} is broken ({error}); using the one before")
            continue
        return parts, facts, broken
    if folders:
        raise ModelError(f"{run}: none of its {len(folders)} checkpoints is whole ({broken[0]}); delete them to start again")
    return None


def _all(run: Path) -> list[Path]:
    return sorted(run.glob("checkpoint-*"))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

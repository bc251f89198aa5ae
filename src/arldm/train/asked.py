"""What a run was asked for, and what it starts from: neither may be another when it is continued."""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from arldm.config import to_dict
from arldm.model.folder import located
from arldm.recipes import Recipe
from arldm.writing import checksum

STARTS = ("autoencoder", "encoders", "denoiser", "model", "dataset", "weights")  # options that name files or folders
HELD = (".safetensors", ".json", ".jsonl")  # what counts in a folder; an archive has the checksums of its pictures there


def asked(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values, with a short name for what lies in each file and folder that the run starts from."""
    given = {name: located(path) for name in STARTS if isinstance(path := getattr(recipe, name, None), Path)}
    paths = {name: path for name, path in given.items() if path.exists()}
    return to_dict(recipe) | {"starts_from": {name: _name(path) for name, path in paths.items()}}


def _name(path: Path) -> str:
    """The same for the same bytes, wherever they lie."""
    if path.is_file():
        return _held(path, path.stat().st_mtime_ns)[:16]
    held = sorted(one for one in path.rglob("*") if one.suffix in HELD)
    names = [(one.relative_to(path).as_posix(), _held(one, one.stat().st_mtime_ns)) for one in held]
    return sha256(repr(names).encode()).hexdigest()[:16]


@cache
def _held(path: Path, written: int) -> str:
    """What a file written then holds: asked for before a run makes anything and again when it begins, and it may be gigabytes."""
    return checksum(path)

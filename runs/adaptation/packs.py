"""Packs as a user makes them: pictures in a folder, `arldm adapt` in a process of its own, and what that took."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from arldm.model.arldm import ARLDM
from arldm.pictures import encoded
from arldm.toonsv import painted
from arldm.toonsv.plot import Shot
from arldm.writing import put

PRECISION = os.environ.get("PRECISION", "auto")


def pictured(folder: Path, shots: list[Shot]) -> Path:
    """A folder with a set of pictures as a user would have it, written unless it is there."""
    lines = [json.dumps({"file_name": f"{number}.png", "text": shot.caption}) for number, shot in enumerate(shots)]
    if not (folder / "pictures" / "metadata.jsonl").exists():
        for number, frame in enumerate(painted(shots, "pictures").frames):
            assert frame.picture is not None
            put(folder / "pictures" / f"{number}.png", encoded(frame.picture))
        put(folder / "pictures" / "metadata.jsonl", ("\n".join(lines) + "\n").encode())
    return folder


def learned(folder: Path, names: Sequence[str], like: str, called: str, *more: str) -> tuple[ARLDM, dict[str, float]]:
    """The model with the pack `called` of a folder, made unless it is there; what making it took.

    What it is called begins with its mode; "none" is the model as it ships.
    """
    model = ARLDM.from_pretrained("toonsv")
    if called == "none":
        return model, {}
    if not (folder / called).exists():
        _adapt(folder, names, like, called, *more)
    taken = folder / f"{called}.taken.json"  # not there if we were stopped between the pack and this
    return model.load_pack(folder / called), json.loads(taken.read_text()) if taken.exists() else {}


def _adapt(folder: Path, names: Sequence[str], like: str, called: str, *more: str) -> None:
    command = [str(Path(sys.executable).with_name("arldm")), "adapt", "toonsv", "--pictures", str(folder / "pictures")]
    options = ["--name", *names, "--like", like, "--out", str(folder / called), "--mode", called.partition("-")[0], *more]
    before, started = _stepped(folder / f"{called}.run"), time.monotonic()
    child = subprocess.Popen([*command, *options, "--precision", PRECISION])
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(os.waitstatus_to_exitcode(status))
    size = sum(path.stat().st_size for path in (folder / called).rglob("*") if path.is_file())
    taken = {"peak_gib": usage.ru_maxrss / 2**20, "bytes": size}
    if "OMP_NUM_THREADS" not in os.environ:
        taken["minutes"] = (before + time.monotonic() - started) / 60
    put(folder / f"{called}.taken.json", json.dumps(taken).encode())


def _stepped(run: Path) -> float:
    """Seconds of the steps that a run which was stopped has done already."""
    metrics = run / "metrics.jsonl"
    return sum(json.loads(line)["seconds"] for line in metrics.read_text().splitlines()) if metrics.exists() else 0.0

"""The scripts of runs/ call the command with options that it has: a renamed one would end hours of training at the last stage."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from arldm.cli import parsed

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(path.name for path in (ROOT / "runs").glob("*.sh") if path.name != "row.sh")  # which the others source
#: notes what it is called with, and leaves folders where a script looks for them
COMMAND = """#!/usr/bin/env bash
{ printf '%s\\037' "${0##*/}" "$@"; echo; } >> "$CALLS"
while [ $# -gt 1 ]; do
    [ "$1" != --out ] || mkdir -p "$2/model"
    shift
done
"""


@pytest.fixture
def called(tmp_path: Path):
    """Runs a script in a copy of the project's scripts; what it called, as lists of words."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "src/arldm/weights").mkdir(parents=True)
    shutil.copytree(ROOT / "runs", tmp_path / "runs", ignore=shutil.ignore_patterns("out", "__pycache__"))
    for name in ("arldm", "python", "torchrun"):
        (tmp_path / "bin" / name).write_text(COMMAND)
        (tmp_path / "bin" / name).chmod(0o755)
    places = dict.fromkeys(("SD", "BLIP", "PORORO", "FLINTSTONES", "VIST"), "given")

    def call(script: str) -> list[list[str]]:
        (tmp_path / "calls").unlink(missing_ok=True)
        env = os.environ | places | {"CALLS": str(tmp_path / "calls")}
        done = subprocess.run(["bash", f"runs/{script}", "bin"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return [line.split("\037")[:-1] for line in (tmp_path / "calls").read_text().splitlines()]

    return call


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_calls_commands_that_there_are(called, script: str) -> None:
    lines = called(script)
    asked = [line[1:] for line in lines if line[0] == "arldm"]
    asked += [line[line.index("arldm") + 1 :] for line in lines if line[0] == "torchrun"]
    assert asked
    for arguments in asked:
        assert callable(parsed(arguments)), arguments
    for _, path, *_ in (line for line in lines if line[0] == "python"):
        assert (ROOT / path).exists()


def test_stages_that_are_done_are_not_done_again(called) -> None:
    first = [line[2] for line in called("toonsv.sh")]
    assert first[-2:] == ["toonsv-decoder", "toonsv-enlarger"]
    assert first.count("toonsv") == 5
    again = [line[2] for line in called("toonsv.sh")]
    assert set(again) == {"toonsv-autoencoder", "toonsv-encoders", "toonsv-context"}  # whose files nobody has written here

"""Training on several processes: the same as on one, however work is split; when one dies, none waits and nothing is lost."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist
from safetensors.torch import load_file

import several
from arldm.errors import ConfigError
from arldm.train.peers import FAILED, LEFT, Life

FSDP = {"batch_size": 2, "fsdp": True}
PARTS = ("weights", "average", "optimizer")


def torchrun(out: Path, ways: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Two processes, one way after the other."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", several.__file__]
    return subprocess.run(
        [*command, str(out), json.dumps(ways)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def begun(run: Path, other: Path, step: int) -> None:
    """Another run as it was at one of its checkpoints."""
    shutil.copytree(run, other)
    for later in other.glob("checkpoint-*"):
        if int(later.name[-7:]) > step:
            shutil.rmtree(later)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run in several ways: on one process, on two, on two of which one was killed, begun on one and continued on two."""
    out = tmp_path_factory.mktemp("runs")
    several.train(out, {"one": {}, "accumulated": {"batch_size": 2, "gradient_accumulation_steps": 2}})
    begun(out / "one", out / "grown", 4)
    killed = torchrun(out, {"killed": {**FSDP, "killed": [1, 3]}})
    assert killed.returncode != 0
    said = [line for line in killed.stderr.splitlines() if line.startswith("arldm: ")]
    assert said == ["arldm: another process was killed; start all processes again, the same command continues"]
    assert not (out / "killed" / "checkpoint-0000004").exists()
    done = torchrun(out, {"ddp": {"batch_size": 2}, "fsdp": FSDP, "killed": FSDP, "grown": FSDP})
    assert done.returncode == 0, done.stderr[-3000:]
    assert "begun with processes 1, continued with 2: the bytes may differ" in done.stdout
    return out


@pytest.mark.parametrize("way", ["accumulated", "ddp", "fsdp", "grown"])
def test_every_way_learns_the_same(runs: Path, way: str) -> None:
    assert losses(runs / way) == pytest.approx(losses(runs / "one"), abs=1e-5)
    for part in PARTS:
        found, expected = (load_file(runs / name / "checkpoint-0000006" / f"{part}.safetensors") for name in (way, "one"))
        assert found.keys() == expected.keys()
        for name, tensor in expected.items():
            assert found[name].shape == tensor.shape, name
            # AdamW moves by its rate however small a gradient is, and all of some are rounding
            assert (found[name] - tensor).abs().max() < 2 * several.TRAIN.learning_rate * several.TRAIN.steps, name


def test_a_killed_process_loses_nothing(runs: Path) -> None:
    assert losses(runs / "killed") == losses(runs / "fsdp")
    for part in PARTS:
        killed, unbroken = (runs / name / "checkpoint-0000006" / f"{part}.safetensors" for name in ("killed", "fsdp"))
        assert killed.read_bytes() == unbroken.read_bytes()


def test_begun_on_two_and_continued_on_one(runs: Path) -> None:
    begun(runs / "fsdp", runs / "shrunk", 4)
    several.train(runs, {"shrunk": {}})
    assert losses(runs / "shrunk") == pytest.approx(losses(runs / "one"), abs=1e-5)


def test_other_steps_are_refused(runs: Path) -> None:
    begun(runs / "ddp", runs / "halved", 4)
    expected = (
        r"2 items a step \(1 processes x --train.batch-size 2 x .*accumulation-steps 1\); .*halved was begun with 4, change one"
    )
    with pytest.raises(ConfigError, match=expected):
        several.train(runs, {"halved": {"batch_size": 2}})


class TestLife:
    @pytest.fixture
    def store(self) -> dist.Store:
        return dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)

    @pytest.fixture
    def lost(self) -> list[str]:
        return []

    @pytest.fixture
    def life(self, store: dist.Store, lost: list[str]) -> Iterator[Life]:
        """That of process 0 of 2, which gives the other one a second."""
        life = Life(store, 0, 2, lost.append, beat=0.02, patience=1.0)
        life.start()
        yield life
        life.end(LEFT)
        life.join()

    def test_one_that_falls_silent_is_missed(self, life: Life, store: dist.Store, lost: list[str]) -> None:
        for count in range(75):
            store.set("1", str(count))
            time.sleep(0.02)
        assert lost == []
        life.join(10)
        assert lost == ["process 1 has not been heard of for 1 seconds"]

    def test_one_that_never_came_is_missed(self, life: Life, lost: list[str]) -> None:
        life.join(10)
        assert len(lost) == 1

    def test_one_that_is_done_is_not_missed(self, life: Life, store: dist.Store, lost: list[str]) -> None:
        store.set("1", LEFT)
        life.join(1.5)
        assert lost == []

    def test_an_error_reaches_the_others_at_once(self, life: Life, store: dist.Store, lost: list[str]) -> None:
        store.set("1", FAILED + "the disk is full")
        life.join(10)
        assert lost == ["process 1 has stopped (the disk is full)"]


def test_options_that_processes_cannot_have_together() -> None:
    from arldm.train.engine import check

    for options, said in (
        (
            {"muon_learning_rate": 0.1},
            "--train.muon-learning-rate 0.1 cannot be had with --train.fsdp; use --train.muon-learning-rate 0",
        ),
        ({"optimizer": "adamw_8bit"}, "--train.optimizer adamw_8bit cannot be had with --train.fsdp; use --train.optimizer adamw"),
        ({"precision": "fp16"}, "--train.precision fp16 cannot be had with --train.fsdp; use --train.precision bf16"),
    ):
        config = replace(several.TRAIN, fsdp=True, **options)
        check(config, 1)
        with pytest.raises(ConfigError, match=said):
            check(config, 2)

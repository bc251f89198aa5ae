"""Training: a run that was stopped, killed or damaged and then continued is the unbroken run, bit for bit."""

import json
import math
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from arldm.config import TrainConfig
from arldm.errors import ConfigError, ModelError, OutputError
from arldm.train import checkpoint, fit
from arldm.train.learner import rate
from arldm.train.record import Sample
from toy import TRAIN, Numbers, Toy, batches, toy


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 40 steps that nothing has happened to."""
    out = tmp_path_factory.mktemp("unbroken")
    fit(toy(), batches, TRAIN, out)
    return out


def stopping_at(last: int, how: Callable[[], None]) -> Callable[[int], Numbers]:
    """Batches, and something that happens before a certain one."""

    def numbers(number: int) -> Numbers:
        if number == last:
            how()
        return batches(number)

    return numbers


def fail() -> None:
    raise RuntimeError("power cut")


def same_bytes(run: Path, other: Path, step: int = TRAIN.steps) -> bool:
    """Are weights, average and moments of two runs equal, and all that was measured but the seconds?"""
    for part in ("weights", "average", "optimizer"):
        found, expected = (load_file(out / f"checkpoint-{step:07d}" / f"{part}.safetensors") for out in (run, other))
        if found.keys() != expected.keys() or any(not torch.equal(found[name], expected[name]) for name in found):
            return False
    return measured(run) == measured(other)


def measured(run: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name not in ("seconds", "waited")} for row in rows]


def test_a_run_says_how_long_it_waited_for_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def late(number: int):
        time.sleep(0.05)
        return batches(number)

    fit(toy(), late, replace(TRAIN, steps=2, gradient_accumulation_steps=2), tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert all(0.1 <= row["waited"] <= row["seconds"] for row in rows)
    assert capsys.readouterr().out.startswith("waited for data: ")


def test_training_lowers_the_loss_and_leaves_the_average(unbroken: Path, tmp_path: Path) -> None:
    module = toy()
    fit(module, batches, TRAIN, tmp_path)
    losses = [row["loss"] for row in measured(tmp_path)]
    assert len(losses) == TRAIN.steps
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    average = load_file(tmp_path / "checkpoint-0000040" / "average.safetensors")
    assert torch.equal(module.state_dict()["net.0.weight"], average["net.0.weight"])
    assert not any(name.startswith("frozen") for name in average)
    assert not module.training
    assert same_bytes(tmp_path, unbroken)


@pytest.mark.parametrize("step", [3, 7, 20])
def test_continued_after_a_crash_is_unbroken(unbroken: Path, tmp_path: Path, step: int) -> None:
    with pytest.raises(RuntimeError, match="power cut"):
        fit(toy(), stopping_at(step, fail), TRAIN, tmp_path)
    fit(toy(), batches, TRAIN, tmp_path)
    assert same_bytes(tmp_path, unbroken)


def test_half_precision_is_as_exact(unbroken: Path, tmp_path: Path) -> None:
    half = replace(TRAIN, precision="bf16")
    fit(toy(), batches, half, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="power cut"):
        fit(toy(), stopping_at(20, fail), half, tmp_path / "broken")
    fit(toy(), batches, half, tmp_path / "broken")
    assert same_bytes(tmp_path / "broken", tmp_path / "whole")
    assert measured(tmp_path / "whole") != measured(unbroken)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_politely_keeps_every_step(unbroken: Path, tmp_path: Path, number: signal.Signals) -> None:
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]  # a shell's background job ignores SIGINT
    with pytest.raises(KeyboardInterrupt, match="after step 11 of 40; the same command continues"):
        fit(toy(), stopping_at(10, lambda: signal.raise_signal(number)), TRAIN, tmp_path)
    assert (tmp_path / "checkpoint-0000011").exists()
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers
    fit(toy(), batches, TRAIN, tmp_path)
    assert same_bytes(tmp_path, unbroken)


@pytest.mark.parametrize("trial", [0, 1])
def test_continued_after_kill_nine_is_unbroken(unbroken: Path, tmp_path: Path, trial: int) -> None:
    dice = random.Random(f"{os.getpid()} {trial}")
    command = [sys.executable, str(Path(__file__).with_name("toy.py")), str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not (tmp_path / "metrics.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(dice.uniform(0, 0.7))
    process.kill()
    assert process.wait() == -signal.SIGKILL
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    assert same_bytes(tmp_path, unbroken)


def test_a_finished_run_is_not_run_again(unbroken: Path, tmp_path: Path) -> None:
    module = toy()
    fit(module, stopping_at(0, fail), TRAIN, unbroken)
    assert torch.equal(module.net[0].weight, load_file(unbroken / "checkpoint-0000040" / "average.safetensors")["net.0.weight"])


def test_only_the_newest_checkpoints_are_kept(unbroken: Path) -> None:
    assert sorted(path.name for path in unbroken.glob("*checkpoint*")) == ["checkpoint-0000035", "checkpoint-0000040"]


def test_checkpoint_cut_in_half_is_passed_over(unbroken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError):
        fit(toy(), stopping_at(20, fail), TRAIN, tmp_path)
    weights = tmp_path / "checkpoint-0000014" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    fit(toy(), batches, TRAIN, tmp_path)
    said = [line for line in capsys.readouterr().out.splitlines() if "broken" in line]
    assert len(said) == 1
    assert said[0].startswith("checkpoint-0000014 is broken (weights.safetensors has SHA-256")
    assert said[0].endswith("using the one before")
    assert same_bytes(tmp_path, unbroken)


@pytest.mark.parametrize("harm", ["state.json", "average.safetensors"])
def test_no_whole_checkpoint_is_one_line(tmp_path: Path, harm: str) -> None:
    fit(toy(), batches, replace(TRAIN, steps=5), tmp_path)
    (tmp_path / "checkpoint-0000005" / harm).unlink()
    with pytest.raises(ModelError, match=r"none of its 1 checkpoints is whole .*; delete the folder to start again") as caught:
        fit(toy(), batches, replace(TRAIN, steps=5), tmp_path)
    assert "\n" not in str(caught.value)


def test_what_a_killed_writer_left_is_cleared(tmp_path: Path) -> None:
    for name in (".checkpoint-best", ".checkpoint-0000002.4242.new", f".checkpoint-0000003.{os.getpid()}.new"):
        (tmp_path / name).mkdir()
    (tmp_path / "checkpoint-0000099").mkdir()  # broken, and from beyond
    checkpoint.save(tmp_path, 3, {"weights": {"a": torch.ones(2)}}, {}, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".checkpoint-best", "checkpoint-0000003"]  # the first is somebody's


def test_copies_of_checkpoints_are_left_alone(tmp_path: Path) -> None:
    """The run went back to the one that sorts last, and deleted what came after it."""
    fit(toy(), batches, replace(TRAIN, steps=5, checkpoint_every=5), tmp_path)
    for name in ("checkpoint-best", "checkpoint-0000005-keep"):
        shutil.copytree(tmp_path / "checkpoint-0000005", tmp_path / name)
    for step in (6, 7, 8, 9):
        checkpoint.save(tmp_path, step, {"weights": {"a": torch.ones(2)}}, {}, keep=1)
    assert {path.name for path in tmp_path.glob("checkpoint-*")} == {
        "checkpoint-best",
        "checkpoint-0000005-keep",
        "checkpoint-0000009",
    }
    found = checkpoint.newest(tmp_path)
    assert found is not None
    assert found.step == 9


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ({"steps": 0}, "--train.steps: got 0; expected 1 or more"),
        ({"precision": "fp16"}, "--train.precision fp16: without a GPU nothing scales the loss; use --train.precision auto"),
        ({"batch_size": 0}, "--train.batch-size: got 0; expected 1 or more"),
        ({"ema_decay": 1.5}, "--train.ema-decay: got 1.5; expected 0 to 1"),
        ({"betas": (0.9, 1.0)}, "--train.betas: got 1.0; expected 0 to 0.999999"),
        ({"checkpoints_total_limit": 0}, "--train.checkpoints-total-limit: got 0; expected 1 or more"),
        ({"muon_learning_rate": 0.1, "learning_rate": 0.0}, "--train.learning-rate 0 with --train.muon-learning-rate 0.1"),
    ],
    ids=str,
)
def test_options_that_cannot_be_are_refused_whoever_gives_them(tmp_path: Path, option: dict, told: str) -> None:
    """Only the command line looked: a batch of none was a division by zero, and no rate for AdamW one for Muon."""
    with pytest.raises(ConfigError, match=re.escape(told)):
        fit(toy(), batches, replace(TRAIN, **option), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_a_gradient_that_is_no_number_is_not_saved(tmp_path: Path, clip: float) -> None:
    """The loss was one, and the weights were none from then on."""

    class Odd(Toy):
        def loss(self, batch: Numbers, generators: list[torch.Generator]) -> torch.Tensor:
            found = super().loss(batch, generators)
            found.register_hook(lambda gradient: gradient * math.nan)
            return found

    odd = Odd()
    odd.load_state_dict(toy().state_dict())
    with pytest.raises(ConfigError, match=r"the norm of the gradient is nan at step \d; expected a number, lower --train"):
        fit(odd, batches, replace(TRAIN, steps=9, checkpoint_every=1, max_grad_norm=clip), tmp_path / f"{clip}")
    assert not list((tmp_path / f"{clip}").glob("checkpoint-*"))


def test_what_a_power_cut_took_of_the_metrics_is_not_counted_twice(tmp_path: Path) -> None:
    fit(toy(), batches, replace(TRAIN, steps=20, checkpoint_every=10), tmp_path)
    path = tmp_path / "metrics.jsonl"
    rows = path.read_text().splitlines()
    path.write_text("\n".join([*rows[:5], *rows[8:15], rows[15][:9]]) + "\n")
    shutil.rmtree(tmp_path / "checkpoint-0000020")
    with pytest.raises(RuntimeError, match="power cut"):
        fit(toy(), stopping_at(12, fail), replace(TRAIN, steps=20, checkpoint_every=10), tmp_path)
    steps = [json.loads(row)["step"] for row in path.read_text().splitlines()]
    assert steps == [*range(1, 6), 9, 10, 11, 12]


def test_what_cannot_be_cleared_is_one_line_that_says_which_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".checkpoint-0000002.4242.new").symlink_to(tmp_path)  # a link is not removed as a folder is
    with pytest.raises(OutputError, match=r"checkpoint-0000003: cannot be written"):
        checkpoint.save(tmp_path / "run", 3, {"weights": {"a": torch.ones(2)}}, {}, keep=2)


def test_a_checkpoint_that_cannot_be_written_leaves_no_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It kept the space that was to be freed."""

    def full(folder: Path, *_: object) -> None:
        (folder / "weights.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "_write", full)
    with pytest.raises(OutputError, match=r"checkpoint-0000003: cannot be written .*No space left"):
        checkpoint.save(tmp_path, 3, {"weights": {"a": torch.ones(2)}}, {}, keep=2)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_cannot_say_what_folders_list_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint was there, and was said not to be."""
    written = os.fsync

    def of_files(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(22, "Invalid argument")
        written(handle)

    monkeypatch.setattr(os, "fsync", of_files)
    checkpoint.save(tmp_path, 3, {"weights": {"a": torch.ones(2)}}, {}, keep=2)
    found = checkpoint.newest(tmp_path)
    assert found is not None
    assert found.step == 3
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-0000003"]


def test_without_a_norm_gradients_are_not_clipped(tmp_path: Path) -> None:
    """They were all made nothing."""
    fit(toy(), batches, replace(TRAIN, steps=10, max_grad_norm=0.0), tmp_path / "free")
    fit(toy(), batches, replace(TRAIN, steps=10, max_grad_norm=1e9), tmp_path / "wide")
    assert same_bytes(tmp_path / "free", tmp_path / "wide", 10)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="checkpoint-0000003: cannot be written"):
        checkpoint.save(tmp_path / "file", 3, {}, {}, keep=2)


def test_other_options_are_refused(unbroken: Path) -> None:
    with pytest.raises(ConfigError, match=r"--train.learning-rate is 0.02; .* was begun with 0.01, keep it or choose"):
        fit(toy(), batches, replace(TRAIN, learning_rate=0.02), unbroken)


def test_a_refused_continuation_writes_nothing(unbroken: Path) -> None:
    """Its batch size stood in config.json, where one looks for what to go back to."""
    before = (unbroken / "config.json").read_bytes()
    with pytest.raises(ConfigError, match="items a step"):
        fit(toy(), batches, replace(TRAIN, batch_size=3 * TRAIN.batch_size), unbroken)
    assert (unbroken / "config.json").read_bytes() == before


def test_another_machines_precision_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """ "auto" is bf16 where that is faster, and was silently another one on the next machine."""
    with pytest.raises(RuntimeError, match="power cut"):
        fit(toy(), stopping_at(25, fail), replace(TRAIN, precision="auto"), tmp_path)
    for state in tmp_path.glob("checkpoint-*/state.json"):
        now = json.loads(state.read_text())["precision"]
        other = "no" if now == "bf16" else "bf16"
        state.write_text(state.read_text().replace(f'"precision": "{now}"', f'"precision": "{other}"'))
    fit(toy(), batches, replace(TRAIN, precision="auto"), tmp_path)
    assert f"begun with precision {other}, continued with {now}: the bytes may differ" in capsys.readouterr().out


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    class Lost(Toy):
        def loss(self, batch: Numbers, generators: list[torch.Generator]) -> torch.Tensor:
            return super().loss(batch, generators) * float("nan")

    with pytest.raises(ConfigError, match=r"loss is nan at step 1; .* lower --train.learning-rate"):
        fit(Lost(), batches, TRAIN, tmp_path)


def test_samples_show_the_average_and_change_nothing(unbroken: Path, tmp_path: Path) -> None:
    module, seen = toy(), []

    def preview() -> Sample:
        seen.append((module.training, module.net[0].weight.detach().clone()))
        return Sample(Image.new("RGB", (4, 4)), {"relevance": 0.5})

    fit(module, batches, replace(TRAIN, preview_every=20, report_to="tensorboard"), tmp_path, preview=preview)
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == [
        f"{step:07}.{kind}" for step in (20, 40) for kind in ("json", "png")
    ]
    assert json.loads((tmp_path / "samples" / "0000040.json").read_text()) == {"relevance": 0.5}
    assert [training for training, _ in seen] == [False, False]
    assert torch.equal(seen[1][1], module.net[0].weight)
    assert list((tmp_path / "logs").iterdir())
    assert same_bytes(tmp_path, unbroken)


def test_a_sample_lost_in_a_crash_is_drawn_again(unbroken: Path, tmp_path: Path) -> None:
    config = replace(TRAIN, preview_every=14)  # due with a checkpoint

    def no_preview() -> Sample:
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fit(toy(), batches, config, tmp_path, preview=no_preview)
    fit(toy(), batches, config, tmp_path, preview=lambda: Sample(Image.new("RGB", (4, 4))))
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == ["0000014.png", "0000028.png"]
    assert same_bytes(tmp_path, unbroken)


def test_learning_rate_rises_and_falls() -> None:
    config = TrainConfig(steps=110, warmup_steps=10, learning_rate=1.0)
    rates = [rate(config, step) for step in range(110)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1.0
    assert rates[60] == pytest.approx(0.5)
    assert 0 < rates[109] < 0.01
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_muon_learns_and_is_continued_bit_for_bit(unbroken: Path, tmp_path: Path) -> None:
    config = replace(TRAIN, muon_learning_rate=0.02)
    fit(toy(), batches, config, tmp_path / "whole")
    losses = [row["loss"] for row in measured(tmp_path / "whole")]
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    assert not same_bytes(tmp_path / "whole", unbroken)
    kinds = {key.rsplit(".", 1)[1] for key in load_file(tmp_path / "whole" / "checkpoint-0000040" / "optimizer.safetensors")}
    assert kinds == {"momentum_buffer", "exp_avg", "exp_avg_sq", "step"}
    with pytest.raises(RuntimeError, match="power cut"):
        fit(toy(), stopping_at(25, fail), config, tmp_path / "cut")
    fit(toy(), batches, config, tmp_path / "cut")
    assert same_bytes(tmp_path / "cut", tmp_path / "whole")

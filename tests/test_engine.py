"""What makes a training cheaper in memory or time changes what is learned by nothing, or by as little as it says."""

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import several
from arldm.errors import ConfigError
from arldm.train import fit, step
from arldm.train.engine import check, compile_parts, save_memory
from conftest import build
from toy import TRAIN, batches, toy

FINAL = Path("checkpoint-0000006")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain")
    several.train(out, {"plain": {}})
    return out / "plain"


def trained(out: Path, **options: Any) -> Path:
    several.train(out, {"run": options})
    return out / "run"


def weights(run: Path, part: str = "weights") -> bytes:
    return (run / FINAL / f"{part}.safetensors").read_bytes()


def test_gradient_checkpointing_learns_the_same(plain: Path, tmp_path: Path) -> None:
    assert weights(trained(tmp_path, gradient_checkpointing=True)) == weights(plain)


def test_gradient_checkpointing_keeps_less(shared_model) -> None:
    def kept() -> int:
        sizes: list[int] = []
        batch = several.batches(model, 2)(0)
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: sizes.append(tensor.numel()) or tensor, lambda tensor: tensor):
            model.loss(batch, [torch.Generator().manual_seed(k) for k in range(2)])
        return sum(sizes)

    model = build().train()
    before = kept()
    save_memory(model)
    assert kept() < 0.7 * before
    assert model.unet.is_gradient_checkpointing


@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated")  # torch by torch
def test_compiling_reaches_what_learns_and_keeps_the_names(plain: Path, tmp_path: Path) -> None:
    with torch.compiler.set_stance("force_eager"):  # inductor would take minutes
        run = trained(tmp_path, torch_compile=True)
    assert weights(run) == weights(plain)
    model = build()
    model.text_encoder.requires_grad_(False)
    compile_parts(model)
    compiled = {type(part).__name__ for part in model.modules() if part._compiled_call_impl is not None}
    assert compiled == {"UNet2DConditionModel", "BlipTextModel", "BlipVisionModel"}


@pytest.mark.parametrize(("switch", "option"), [(save_memory, "gradient-checkpointing"), (compile_parts, "torch-compile")])
def test_a_switch_that_nothing_has_is_refused(switch: Any, option: str) -> None:
    with pytest.raises(ConfigError, match=f"--train.{option}: this recipe trains neither a U-Net nor a transformer; leave it out"):
        switch(toy())


def test_the_average_on_the_cpu_is_the_same(plain: Path, tmp_path: Path) -> None:
    assert weights(trained(tmp_path, offload_ema=True), "average") == weights(plain, "average")


def test_without_an_average_the_weights_are_left(tmp_path: Path) -> None:
    module = toy()
    fit(module, batches, replace(TRAIN, ema_decay=0.0), tmp_path)
    folder = tmp_path / "checkpoint-0000040"
    assert not (folder / "average.safetensors").exists()
    assert torch.equal(module.net[0].weight, load_file(folder / "weights.safetensors")["net.0.weight"])
    fit(module, batches, replace(TRAIN, ema_decay=0.0), tmp_path)  # read back


def test_how_a_run_is_carried_out_may_change(tmp_path: Path) -> None:
    fit(toy(), batches, replace(TRAIN, steps=5), tmp_path)
    fit(toy(), batches, replace(TRAIN, steps=5, offload_ema=True, checkpoint_every=3), tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["train"]["checkpoint_every"] == 3
    with pytest.raises(ConfigError, match=r"--train.ema-decay is 0.5; .* was begun with"):
        fit(toy(), batches, replace(TRAIN, steps=5, ema_decay=0.5), tmp_path)
    begun = json.loads((tmp_path / "config.json").read_text())
    begun["train"]["ema"] = begun["train"].pop("ema_decay")
    (tmp_path / "config.json").write_text(json.dumps(begun))
    with pytest.raises(ConfigError, match=r"was begun by an earlier version, with train.ema; expected a run of this one"):
        fit(toy(), batches, replace(TRAIN, steps=5, ema_decay=0.5), tmp_path)


@pytest.fixture
def tf32() -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@pytest.mark.usefixtures("tf32")
def test_tf32_is_allowed_when_asked_for(tmp_path: Path) -> None:
    for allowed in (True, False):
        fit(toy(), batches, replace(TRAIN, steps=1, allow_tf32=allowed), tmp_path / str(allowed))
        assert torch.backends.cuda.matmul.allow_tf32 == torch.backends.cudnn.allow_tf32 == allowed


def test_a_gpu_without_bf16_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(TRAIN, precision="bf16")
    check(config, 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    expected = r"--train.precision bf16: Tesla T4 \(compute capability 7.5\) has no bf16, .*; use --train.precision fp16 or no$"
    with pytest.raises(ConfigError, match=expected):
        check(config, 1)
    check(TRAIN, 1)


@pytest.mark.parametrize(
    ("processor", "pays"),
    [
        ({"cpu_name": "AMD EPYC", "avx512_bf16": False, "amx_bf16": False}, False),  # torch would take twelve times as long
        ({"cpu_name": "AMD EPYC", "avx512_bf16": True, "amx_bf16": False}, True),
        ({"cpu_name": "Intel(R) Xeon(R)", "avx512_bf16": True, "amx_bf16": False}, False),
        ({"cpu_name": "Intel(R) Xeon(R)", "avx512_bf16": True, "amx_bf16": True}, True),
        ({"architecture": "aarch64"}, False),
    ],
)
def test_bf16_is_for_processors_that_know_it(processor: dict[str, Any], pays: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: processor)
    step.bf16_pays.cache_clear()
    assert step.settled("auto") == ("bf16" if pays else "no")
    assert step.settled("fp16") == "fp16"
    step.bf16_pays.cache_clear()


def test_a_run_may_choose_its_precision(plain: Path, tmp_path: Path) -> None:
    run = trained(tmp_path, precision="auto")
    assert (weights(run) == weights(plain)) == (step.settled("auto") == "no")


def test_two_optimizers_for_the_same_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arldm.train.checks.find_spec", lambda _: True)  # as if all were installed
    with pytest.raises(
        ConfigError, match=r"--train.optimizer adamw_8bit with --train.muon-learning-rate 0.1; .* use --train.muon-learning-rate 0"
    ):
        fit(toy(), batches, replace(TRAIN, optimizer="adamw_8bit", muon_learning_rate=0.1), tmp_path)


def interrupted(step: int) -> Any:
    def numbered(number: int) -> Any:
        if number == step:
            raise KeyboardInterrupt
        return batches(number)

    return numbered


def test_adamw_of_8_bits_learns_and_continues_or_says_what_is_missing(tmp_path: Path) -> None:
    config = replace(TRAIN, steps=6, optimizer="adamw_8bit")
    if importlib.util.find_spec("bitsandbytes") is None:
        with pytest.raises(ConfigError, match=r"bitsandbytes is not installed; pip install 'arldm\[8bit\]', or .*optimizer adamw"):
            fit(toy(), batches, config, tmp_path)
        fit(toy(), batches, replace(config, optimizer="adamw"), tmp_path)  # as it advises: the folder is not taken
        return
    fit(toy(), batches, config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(toy(), interrupted(4), replace(config, checkpoint_every=2), tmp_path / "cut")
    fit(toy(), batches, replace(config, checkpoint_every=2), tmp_path / "cut")
    for part in ("weights", "optimizer"):
        assert weights(tmp_path / "cut", part) == weights(tmp_path / "whole", part)


@pytest.mark.parametrize("tracker", ["wandb", "trackio"])
def test_trackers_are_told_or_said_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracker: str) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    config = replace(TRAIN, steps=2, report_to=tracker)
    if importlib.util.find_spec(tracker) is None:
        with pytest.raises(ConfigError, match=f"{tracker} is not installed; pip install {tracker}, or --train.report-to none"):
            fit(toy(), batches, config, tmp_path)
        return
    fit(toy(), batches, config, tmp_path)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2

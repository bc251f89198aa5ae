"""Memory that was predicted is memory that is taken."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker
from tqdm import tqdm

from arldm.cli import main, planning
from arldm.config import TellConfig, TrainConfig
from arldm.errors import ConfigError
from arldm.model.arldm import ARLDM
from arldm.sample import tell_batch
from arldm.train.engine import save_memory
from arldm.train.memory import (
    Setting,
    Tracker,
    blank_tokenizers,
    parameters,
    sampling_peak,
    stories_of,
    training_peak,
)
from arldm.train.optimizer import build_optimizer
from arldm.train.step import gradients
from conftest import TINY, story

PLAIN = Setting(precision="no")
FRAMES = 3


def total(setting: Setting, gpu: bool = False) -> int:
    return training_peak(TINY, setting, FRAMES, gpu=gpu).total


def counted(setting: Setting) -> int:
    """The bytes of a real training's second step."""
    with Tracker() as tracker:
        model = ARLDM.build(TINY, *blank_tokenizers(TINY)).train()
        if setting.gradient_checkpointing:
            save_memory(model)
        weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        average = [weight.detach().clone() for weight in weights.values()]
        optimizer = build_optimizer(model, weights, TrainConfig())
        stories = stories_of(TINY, setting.batch, FRAMES)
        for _ in range(2):
            tracker.peak = 0
            for _ in range(setting.gradient_accumulation_steps):
                generators = [torch.Generator().manual_seed(k) for k in range(setting.batch)]
                gradients(model, stories, generators, TrainConfig(precision=setting.precision))
            nn.utils.clip_grad_norm_(weights.values(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        assert average
        return tracker.peak


@pytest.mark.parametrize(
    "setting",
    [
        PLAIN,
        replace(PLAIN, gradient_checkpointing=True),
        replace(PLAIN, batch=2, gradient_accumulation_steps=2),
        Setting(precision="bf16"),
    ],
)
def test_a_real_step_takes_what_its_rehearsal_did(setting: Setting) -> None:
    assert total(setting) == pytest.approx(counted(setting), rel=0.01)


def test_a_real_telling_takes_what_its_rehearsal_did() -> None:
    with Tracker() as tracker:
        model = ARLDM.build(TINY, *blank_tokenizers(TINY)).eval()
        caption = " ".join(["1"] * (TINY.text.max_tokens - 2))
        told = [replace(one, frames=tuple(replace(frame, caption=caption) for frame in one.frames)) for one in (story(FRAMES),) * 2]
        tracker.peak = 0
        assert len(list(tell_batch(model, told, TellConfig(steps=2)))) == FRAMES
    assert sampling_peak(TINY, 2, FRAMES).total == pytest.approx(tracker.peak, rel=0.03)


def test_the_tracker_counts_what_torchs_own_does() -> None:
    def learned(tracker: Tracker | MemTracker) -> None:
        with FakeTensorMode(), tracker:
            net = nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 64))
            net(torch.ones(32, 64)).square().mean().backward()

    ours, theirs = Tracker(), MemTracker()
    learned(ours)
    learned(theirs)
    assert ours.peak == theirs.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"]


def test_each_option_saves_what_it_is_for() -> None:
    plain = training_peak(TINY, PLAIN, FRAMES)
    assert 4 * parameters(TINY) < plain.weights < 4.2 * parameters(TINY)  # and what transformers numbers positions with
    assert training_peak(TINY, replace(PLAIN, optimizer="adamw_8bit"), FRAMES).moments < 0.7 * plain.moments
    assert training_peak(TINY, replace(PLAIN, offload_ema=True), FRAMES).average == 0
    assert training_peak(TINY, replace(PLAIN, ema=0.0), FRAMES).total == plain.total - plain.average
    frozen = training_peak(TINY, replace(PLAIN, freeze=("text_encoder", "history_encoder")), FRAMES)
    assert frozen.weights == plain.weights
    assert frozen.moments < plain.moments
    assert frozen.average < plain.average


def test_a_gpu_keeps_float32_of_normalised_layers() -> None:
    assert total(Setting(precision="bf16"), gpu=True) > total(Setting(precision="bf16"), gpu=False)
    assert total(PLAIN, gpu=True) == total(PLAIN, gpu=False)


def test_nothing_is_left_of_a_gpus_rules() -> None:
    before = nn.functional.group_norm
    training_peak(TINY, Setting(precision="bf16"), FRAMES)
    assert nn.functional.group_norm is before


class TestPlan:
    @pytest.mark.parametrize(
        ("said", "size"), [("24GB", 24 * 2**30), ("24 gib", 24 * 2**30), ("0.5g", 2**29), ("800MB", 800 * 2**20), ("1T", 2**40)]
    )
    def test_sizes_are_read_as_gpus_are_sold(self, said: str, size: int) -> None:
        assert planning.parsed(said) == size

    @pytest.mark.parametrize("said", ["24", "24 parsecs", "0GB", "-8GB", "GB", "", "nan GB", "1e9GB"])
    def test_no_size_is_refused_in_one_line(self, said: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["plan", f"--memory={said}"]) == 2
        assert capsys.readouterr().err == f"arldm: --memory: got {said!r}; expected a size such as 24GB\n"

    def test_with_room_the_fastest_is_chosen_and_without_the_smallest_looked_at(self) -> None:
        work = planning.Work(TINY, FRAMES, 2, "bf16")
        with tqdm(disable=True) as bar:
            roomy, cramped = planning.training(2**40, work, bar), planning.training(0, work, bar)
        assert roomy[-1][0] == Setting(batch=2)
        assert [setting.freeze for setting, _ in cramped[-2:]] == [(), ("text_encoder", "history_encoder")]
        totals = [peak.total for _, peak in cramped]
        assert totals[-1] == min(totals)

    def test_the_largest_batch_that_fits_is_taken(self) -> None:
        one = Setting(batch=1, gradient_accumulation_steps=2)
        with tqdm(disable=True) as bar:
            found = planning.training(training_peak(TINY, one, FRAMES).total, planning.Work(TINY, FRAMES, 2, "bf16"), bar)
        assert [setting for setting, _ in found] == [one]

    def test_too_little_for_anything_says_the_least(self) -> None:
        with pytest.raises(ConfigError, match=r"too little for this model; sampling takes 1GB, training 1GB at least"):
            planning.described("700MB", 700 * 2**20, planning.Work(TINY, FRAMES, 2, "bf16"))

    def test_options_are_printed_to_be_pasted(self) -> None:
        last = planning.described("24GB", 24 * 2**30, planning.Work(TINY, FRAMES, 2, "bf16"))[-2:]
        assert last[0].strip() == (
            "arldm train ROW --out RUN --train.batch 2 --train.gradient-accumulation-steps 1 --train.precision bf16"
            " --train.optimizer adamw"
        )
        assert last[1].strip() == "arldm sample DATASET --model MODEL --out DIR --batch 64"

"""Memory that was predicted is memory that is taken."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker
from tqdm import tqdm

from arldm.adapt.modes import let_learn
from arldm.cli import main, parsed, planning
from arldm.config import Mode, TellConfig, TrainConfig
from arldm.errors import ConfigError
from arldm.model.arldm import ARLDM
from arldm.sample import tell_batch
from arldm.story import Frame, Story
from arldm.train import fitting
from arldm.train.engine import build_accelerator
from arldm.train.learner import Learner
from arldm.train.memory import (
    EightBitAdamW,
    Prepare,
    Tracker,
    blank_tokenizers,
    parameters,
    sampling_peak,
    stories_of,
    training_peak,
)
from conftest import TINY

PLAIN = TrainConfig(batch_size=1)
MIXED = replace(PLAIN, precision="bf16")
FRAMES = 5


def total(train: TrainConfig, gpu: bool = False) -> int:
    return training_peak(TINY, train, gpu=gpu).total


def test_a_name_that_learns_through_the_unet_alone_is_checkpointed_there() -> None:
    peaks = [
        training_peak(TINY, replace(PLAIN, gradient_checkpointing=saved), prepare=partial(let_learn, mode="token", new=1, rank=2))
        for saved in (False, True)
    ]
    assert peaks[1].working < 0.7 * peaks[0].working


@pytest.mark.parametrize("mode", ["full", "lora", "token"])
def test_a_new_character_takes_what_its_rehearsal_did(mode: Mode) -> None:
    prepare = partial(let_learn, mode=mode, new=1, rank=2)
    assert training_peak(TINY, PLAIN, FRAMES, gpu=False, prepare=prepare).total == pytest.approx(
        counted(PLAIN, 0, prepare), rel=0.02
    )


def counted(train: TrainConfig, given: int, prepare: Prepare = id) -> int:
    """The bytes of a real training's second step."""
    with Tracker() as tracker:
        model = ARLDM.build(TINY, *blank_tokenizers(TINY))
        prepare(model)
        learner = Learner(model, train, build_accelerator(train))
        stories = stories_of(TINY, train.batch_size, FRAMES, given)
        for _ in range(2):
            tracker.peak = 0
            learner.advance(lambda _: stories)
        return tracker.peak


@pytest.mark.parametrize(
    ("train", "given"),
    [
        (PLAIN, 0),
        (replace(PLAIN, gradient_checkpointing=True), 1),
        (replace(MIXED, batch_size=2, gradient_accumulation_steps=2), 0),
        (replace(PLAIN, muon_learning_rate=1e-3, ema_decay=0.0), 0),
    ],
)
def test_a_real_step_takes_what_its_rehearsal_did(train: TrainConfig, given: int) -> None:
    assert training_peak(TINY, train, FRAMES, given, gpu=False).total == pytest.approx(counted(train, given), rel=0.01)


@pytest.mark.parametrize("stories", [2, 20])  # more than are decoded at once, of which four times as much was predicted
def test_a_real_telling_takes_what_its_rehearsal_did(stories: int) -> None:
    with Tracker() as tracker:
        model = ARLDM.build(TINY, *blank_tokenizers(TINY)).eval()
        caption = " ".join(["1"] * (TINY.text.max_tokens - 2))
        told = [Story(str(number), (Frame(caption),) * FRAMES) for number in range(stories)]
        tracker.peak = 0
        assert len(list(tell_batch(model, told, TellConfig(steps=2)))) == FRAMES
    assert sampling_peak(TINY, stories).total == pytest.approx(tracker.peak, rel=0.03)


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
    plain = training_peak(TINY, PLAIN, gpu=False)
    assert 4 * parameters(TINY) < plain.weights < 4.2 * parameters(TINY)  # and what transformers numbers positions with
    assert training_peak(TINY, replace(PLAIN, optimizer="adamw_8bit"), gpu=False).moments < 0.7 * plain.moments
    assert training_peak(TINY, replace(PLAIN, offload_ema=True), gpu=False).average == 0
    assert total(replace(PLAIN, ema_decay=0.0)) == plain.total - plain.average
    frozen = training_peak(TINY, PLAIN, freeze=("text_encoder", "history_encoder"), gpu=False)
    assert frozen.weights == plain.weights
    assert frozen.moments < plain.moments
    assert frozen.average < plain.average


def test_moments_of_8_bits_are_bytes_and_a_scale_for_each_256_of_them() -> None:
    large, small = nn.Parameter(torch.zeros(100, 100)), nn.Parameter(torch.zeros(63, 65))
    for weight, held in ((large, 2 * (10_000 + 4 * 40)), (small, 2 * 4 * 63 * 65)):  # small ones are float32
        optimizer = EightBitAdamW([weight])
        optimizer.step()
        assert sum(one.numel() * one.element_size() for one in optimizer.state[weight].values()) == held


def test_a_gpu_keeps_float32_of_normalised_layers() -> None:
    before = nn.functional.group_norm
    assert total(MIXED, gpu=True) > total(MIXED, gpu=False)
    assert nn.functional.group_norm is before
    assert total(PLAIN, gpu=True) == total(PLAIN, gpu=False)


class TestPlan:
    WORK = fitting.Work(TINY, MIXED, 0, 2)
    HALF = fitting.Setting(replace(MIXED, gradient_accumulation_steps=2))  # as one batch of two, in two batches of one

    @pytest.mark.parametrize(
        ("said", "size"), [("24GB", 24 * 2**30), ("24 gib", 24 * 2**30), ("0.5g", 2**29), ("800MB", 800 * 2**20), ("1T", 2**40)]
    )
    def test_sizes_are_read_as_cards_are_sold(self, said: str, size: int) -> None:
        assert planning.parsed(said) == size

    @pytest.mark.parametrize("said", ["24", "24 parsecs", "0GB", "-8GB", "GB", "nan GB", "1e9GB"])
    def test_no_size_is_refused_in_one_line(self, said: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["plan", f"--memory={said}"]) == 2
        assert capsys.readouterr().err == f"arldm: --memory: got {said!r}; expected a size such as 24GB\n"

    def test_with_room_the_fastest_is_chosen_and_without_the_smallest_looked_at(self) -> None:
        with tqdm(disable=True) as bar:
            roomy, cramped = fitting.training(2**40, self.WORK, bar), fitting.training(0, self.WORK, bar)
        assert roomy[-1][0] == fitting.Setting(replace(MIXED, batch_size=2))
        assert [setting.freeze for setting, _ in cramped[-2:]] == [(), ("text_encoder", "history_encoder")]
        totals = [peak.total for _, peak in cramped]
        assert totals[-1] == min(totals)

    def test_the_largest_batch_that_fits_is_taken(self) -> None:
        with tqdm(disable=True) as bar:
            found = fitting.training(total(self.HALF.train, gpu=True), self.WORK, bar)
        assert [setting for setting, _ in found] == [self.HALF]

    def test_a_larger_batch_may_take_less(self) -> None:
        """Gradients stand beside others where there are several batches a step; with one story at a time too large, all were."""
        whole, parts = (
            replace(MIXED, gradient_checkpointing=True, batch_size=2 // parts, gradient_accumulation_steps=parts)
            for parts in (1, 2)
        )
        assert total(whole, gpu=True) < total(parts, gpu=True)
        with tqdm(disable=True) as bar:
            found = fitting.training(total(whole, gpu=True), self.WORK, bar)
        assert found[-1][0] == fitting.Setting(whole)

    def test_too_little_for_anything_says_the_least(self) -> None:
        with pytest.raises(ConfigError, match=r"too little for this model; sampling takes 1GB, training 1GB at least"):
            planning.described("700MB", 700 * 2**20, self.WORK, "pororo-visualization")

    @pytest.mark.parametrize("setting", fitting.settings(replace(MIXED, batch_size=4, gradient_accumulation_steps=2)))
    def test_what_is_printed_can_be_pasted(self, setting: fitting.Setting) -> None:
        command = parsed(["train", "pororo-visualization", "--out", "run", *planning.flags(setting).split()])
        recipe = command.run.recipe
        for name in (
            "batch_size",
            "gradient_accumulation_steps",
            "precision",
            "optimizer",
            "gradient_checkpointing",
            "offload_ema",
        ):
            assert getattr(recipe.train, name) == getattr(setting.train, name)
        assert recipe.freeze == setting.freeze

"""What nothing tells is decided once, by lot, and drawn as decided; what is told is told as one value."""

import dataclasses
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from arldm.config import TellConfig
from arldm.model.arldm import ARLDM
from arldm.model.noise import item_generators
from arldm.model.prior import Prior
from arldm.sample import tell
from conftest import TINY, array, build, story

DIM, CHOICES = 16, 4


def prior(values: Tensor) -> Prior:
    made = Prior(len(values), CHOICES, DIM)
    made.values[:, : values.shape[1]] = values
    return made


def apart(count: int) -> Tensor:
    """Values that have nothing in common (count, dim)."""
    return torch.eye(DIM)[:count] * 3


class TestPrior:
    def test_what_is_told_is_told_without_what_else_is_in_it(self) -> None:
        told = (apart(3)[1] + 0.1 * torch.randn(DIM, generator=torch.Generator().manual_seed(1)))[None, None]
        expected = torch.nn.functional.normalize(apart(3)[1], dim=0) * told.norm()
        for lot in (0.0, 0.5, 0.999):
            torch.testing.assert_close(prior(apart(3)[None])(told, torch.tensor([[lot]]))[0, 0], expected)

    def test_who_is_nearly_a_newcomer_is_told_as_that_one(self) -> None:
        first, second, other = apart(3) / 3
        made = prior(torch.stack((apart(1), torch.zeros(1, DIM))))  # the second token has no values
        answers = torch.stack(
            [5 * (0.8 * first + 0.6 * other), 5 * (0.5 * first + 0.87 * other), 5 * (0.7 * first + 0.71 * second)]
        )
        answers = torch.stack((answers, answers), 1)
        unmet = made(answers, torch.zeros(3, 2))
        assert torch.equal(unmet[:, 1], answers[:, 1])
        made.welcome(first)
        made.welcome(second)
        met = made(answers, torch.zeros(3, 2))
        assert torch.equal(met[:, 0], unmet[:, 0])
        lengths = answers[:, 1].norm(dim=-1)
        torch.testing.assert_close(met[:, 1], torch.stack((first * lengths[0], answers[1, 1], second * lengths[2])))

    @given(st.floats(0, 1, exclude_max=True), st.integers(2, CHOICES))
    def test_what_is_open_becomes_one_of_its_values(self, lot: float, count: int) -> None:
        values = apart(count)
        answer = values.mean(0)[None, None] * 7
        found = prior(values[None])(answer, torch.tensor([[lot]], dtype=torch.float64))[0, 0]
        likeness = torch.nn.functional.cosine_similarity(found[None], values)
        assert likeness.max() == pytest.approx(1, abs=1e-6)
        assert found.norm() == pytest.approx(answer.norm().item(), rel=1e-5)
        assert likeness.argmax() == min(int(lot * count), count - 1)

    def test_lots_fall_as_often_as_the_odds_have_it(self) -> None:
        values = apart(3)
        answer = (values[0] + 0.9 * values[1])[None, None]  # the third is unlikely, and out
        one = prior(values[None])
        odds = one.odds(answer)[0, 0]
        assert odds[0] == 1
        assert 0.5 < odds[1] < 1
        assert not odds[2:].any()
        lots = torch.linspace(0, 0.999, 1000)[:, None]
        found = one(answer.expand(1000, 1, -1), lots)[:, 0]
        first = (found @ values[0] > found @ values[1]).float().mean()
        assert first.item() == pytest.approx((odds[0] / odds.sum()).item(), abs=2e-3)

    def test_what_is_true_overrules_lots_where_it_is_known(self) -> None:
        values = apart(3)
        one, answers = prior(torch.stack([values, values])), values.mean(0).expand(1, 2, -1)
        found = one(answers, torch.tensor([[0.1, 0.1]]), torch.tensor([[2, -100]]))[0]
        assert [int((row @ values.T).argmax()) for row in found] == [2, 0]

    def test_a_token_without_values_is_left_alone(self) -> None:
        answers = torch.randn(2, 1, DIM, generator=torch.Generator().manual_seed(2))
        assert torch.equal(prior(torch.zeros(1, CHOICES, DIM))(answers, torch.rand(2, 1)), answers)


@pytest.fixture
def undecided() -> ARLDM:
    """A model whose every token could as well be any of four things."""
    model = build(dataclasses.replace(TINY, choices=CHOICES))
    generator = torch.Generator().manual_seed(3)
    assert model.prior is not None
    model.prior.values.copy_(torch.randn(1, 1, DIM, generator=generator) + 0.5 * torch.randn(3, CHOICES, DIM, generator=generator))
    return model


class TestModel:
    def test_a_choice_is_made_anew_only_for_another_take(self, undecided: ARLDM) -> None:
        with torch.no_grad():
            for values in undecided.unet.parameters():  # what is drawn depends much on what is told
                values.mul_(3)
        config = TellConfig(steps=1, guidance=1)
        told = [array(next(tell(undecided, story(1), config, take=take))) for take in (0, 0, 1)]
        assert (told[0] == told[1]).all()
        assert (told[0] != told[2]).any()

    def test_the_noise_is_that_of_a_model_without_one(self, model: ARLDM) -> None:
        bare = build(dataclasses.replace(TINY, choices=CHOICES))  # nothing to choose from
        pair = [array(next(tell(one, story(1), TellConfig(steps=2)))) for one in (model, bare)]
        assert (pair[0] == pair[1]).all()

    def test_it_is_saved_and_read(self, undecided: ARLDM, tmp_path: Path) -> None:
        undecided.save_pretrained(tmp_path / "model")
        read = ARLDM.from_pretrained(tmp_path / "model")
        assert read.hash() == undecided.hash()
        assert read.narrowed("none").prior is not None
        pair = [array(next(tell(one, story(1), TellConfig(steps=1)))) for one in (undecided, read)]
        assert (pair[0] == pair[1]).all()

    def test_every_token_is_told_as_a_value(self, undecided: ARLDM) -> None:
        batch = undecided.batch([story(3, given=3)])
        with torch.no_grad():
            condition = undecided.condition(batch, torch.zeros(1, 3, dtype=torch.bool))
        assert undecided.prior is not None
        queries = undecided.conditioner.queries
        assert queries is not None
        likely = (undecided.prior.odds((condition.tokens - queries).flatten(0, 1)) > 0).sum(-1)
        assert (likely > 1).any()
        found = undecided.decided(condition, torch.full((1, 3, len(queries)), 0.5))
        values = torch.nn.functional.normalize(undecided.prior.values, dim=-1)
        told = torch.nn.functional.normalize(found.tokens - queries, dim=-1).flatten(0, 1)
        torch.testing.assert_close(torch.einsum("nsd,scd->nsc", told, values).amax(-1), torch.ones(3, len(queries)))
        assert torch.equal(found.keep, condition.keep)

    def test_training_decides_as_the_picture_has_it(self, undecided: ARLDM) -> None:
        batch = undecided.batch([story(3, given=3), story(3, given=3, shift=5)])
        assert undecided.prior is not None
        lost = torch.tensor([[True, False, False], [False, True, False]])
        with torch.no_grad():
            dropped, true = undecided.condition(batch, lost), torch.tensor([[2, -1, 0]]).expand(2, 3, 3)
            expected = undecided.decided(dropped, torch.zeros(2, 3, 3), true)
            found = undecided.shown(dropped, lost, item_generators(1, range(2)), true)
        sure = ~lost[:, :, None] & (true >= 0)
        assert torch.equal(found.tokens[sure], expected.tokens[sure])
        assert torch.equal(found.tokens[lost], dropped.tokens[lost])

    def test_a_picture_is_seen_as_a_next_frame_would_see_it(self, undecided: ARLDM) -> None:
        assert undecided.prior is not None
        known = story(3, given=3)
        longer = dataclasses.replace(known, frames=(*known.frames, known.frames[2]))  # the last caption once more
        batch = undecided.batch([longer])
        with torch.no_grad():
            tokens = undecided.condition(batch, torch.zeros(1, 4, dtype=torch.bool)).tokens[0, 3:]
            expected = undecided.prior.sure(tokens - undecided.conditioner.queries)
            assert torch.equal(undecided.seen(undecided.batch([known]))[0, 2], expected[0])

    def test_what_is_learned_from_is_what_was_decided(self, undecided: ARLDM) -> None:
        assert undecided.prior is not None
        batch = undecided.batch([story(3, given=3)])

        def loss() -> float:
            with torch.no_grad():
                return undecided.loss(batch, item_generators(1, range(1))).item()

        undecided.conditioning_dropout = 0.0
        decided, values = loss(), undecided.prior.values
        values.neg_()
        assert loss() != decided
        undecided.conditioning_dropout = 1.0
        dropped = loss()
        values.neg_()
        assert loss() == dropped

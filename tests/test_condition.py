"""Who may see whom, and that what may not be seen is not there."""

import dataclasses

import pytest
import torch

from arldm.errors import ConfigError
from arldm.model.arldm import ARLDM
from arldm.model.condition import Condition, Conditioner, PastTokens
from arldm.model.denoiser import predict
from arldm.model.noise import seeded
from conftest import TINY, build, story

DIM = 16


def leaf(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)).requires_grad_()


def tokens(frames: int) -> tuple[torch.Tensor, torch.Tensor, PastTokens]:
    caption, past = leaf(2, frames, 3, DIM), leaf(2, frames, 4, DIM)
    keep = torch.ones(2, frames, 3, dtype=torch.bool)
    return caption, keep, PastTokens(past, torch.ones(2, frames, 4, dtype=torch.bool), range(frames))


@pytest.mark.parametrize("positions", ["absolute", "relative"])
def test_frame_sees_its_caption_and_the_past_and_nothing_else(positions) -> None:
    conditioner = Conditioner(DIM, 4, positions)
    caption, keep, past = tokens(5)
    condition = conditioner(caption, keep, range(5), past)
    for t in range(5):
        kept = condition.tokens[:, t][condition.keep[:, t]]
        to_caption, to_past = torch.autograd.grad(
            kept.square().sum(), (caption, past.tokens), retain_graph=True, materialize_grads=True
        )
        assert [bool(to_caption[:, k].any()) for k in range(5)] == [k == t for k in range(5)]
        assert [bool(to_past[:, k].any()) for k in range(5)] == [k < t for k in range(5)]


def test_window_and_pinned_frames() -> None:
    conditioner = Conditioner(DIM, 4, "relative")
    assert conditioner.visible(39, range(39)) == [35, 36, 37, 38]
    assert conditioner.visible(39, range(39), pinned=(0, 36)) == [0, 35, 36, 37, 38]
    assert conditioner.visible(2, range(39), pinned=(5,)) == [0, 1]
    assert conditioner.visible(39, [3, 38, 39, 40], pinned=(3,)) == [0, 1]


def test_relative_position_counts_back_and_stays_in_the_table() -> None:
    conditioner = Conditioner(DIM, 4, "relative")
    assert [conditioner.row(9, j) for j in (8, 7, 6, 5, 0)] == [1, 2, 3, 4, 4]


def remembering() -> Conditioner:
    with seeded(0):
        return Conditioner(DIM, 2, "relative", layers=2, heads=2, summary=5, memory=8).eval()


def test_the_context_remembers_more_than_the_window() -> None:
    conditioner = remembering()
    assert conditioner.visible(12, range(12), pinned=(0,)) == [0, 4, 5, 6, 7, 8, 9, 10, 11]
    assert [conditioner.row(20, j) for j in (19, 18, 17, 16, 15, 12, 11, 0)] == [1, 2, 3, 3, 4, 4, 4, 4]
    assert Conditioner(DIM, 2, "relative", memory=8).visible(9, range(9)) == [7, 8]  # nobody would read more


def test_all_that_is_remembered_reaches_the_summary_and_nothing_later_does() -> None:
    conditioner = remembering()
    caption, keep, past = tokens(6)
    condition = conditioner(caption, keep, range(6), past)
    assert condition.tokens.shape == (2, 6, 5, DIM)
    assert condition.keep.all()
    to_caption, to_past = torch.autograd.grad(condition.tokens[:, 4].square().sum(), (caption, past.tokens))
    assert [bool(to_past[:, k].any()) for k in range(6)] == [True] * 4 + [False] * 2
    assert [bool(to_caption[:, k].any()) for k in range(6)] == [k == 4 for k in range(6)]


def test_tokens_that_are_not_kept_are_inert_to_the_context() -> None:
    conditioner = remembering()
    caption, keep, past = tokens(6)
    keep[0, :, 2], past.keep[1, 3, 1:] = False, False
    others = torch.where(keep[..., None], caption, 100.0), torch.where(past.keep[..., None], past.tokens, 100.0)
    summary = conditioner(caption, keep, range(6), past).tokens
    assert torch.equal(summary, conditioner(others[0], keep, range(6), PastTokens(others[1], past.keep, past.frames)).tokens)
    keep[0, :, 2] = True
    assert not torch.equal(summary, conditioner(caption, keep, range(6), past).tokens)


def test_absolute_position_is_the_frame_and_ends() -> None:
    conditioner = Conditioner(DIM, 4, "absolute")
    assert [conditioner.row(4, j) for j in range(4)] == [0, 1, 2, 3]
    conditioner.check_length(5)
    with pytest.raises(ConfigError, match="6 frames; absolute positions end at 5"):
        conditioner.check_length(6)


def test_type_and_position_are_added_where_they_belong() -> None:
    conditioner = Conditioner(DIM, 4, "absolute")
    caption, keep, past = tokens(3)
    condition = conditioner(caption, keep, range(3), past)
    type_, position = conditioner.types.weight, conditioner.positions.weight
    torch.testing.assert_close(condition.tokens[:, 2, :3], caption[:, 2] + type_[0])
    torch.testing.assert_close(condition.tokens[:, 2, 3:7], past.tokens[:, 0] + type_[1] + position[0])
    torch.testing.assert_close(condition.tokens[:, 2, 7:11], past.tokens[:, 1] + type_[1] + position[1])


def test_all_frames_at_once_and_one_at_a_time_are_the_same_condition() -> None:
    conditioner = Conditioner(DIM, 2, "relative")
    caption, keep, past = tokens(5)
    together = conditioner(caption, keep, range(5), past)
    for t in range(5):
        seen = slice(max(0, t - 2), t)
        some = PastTokens(past.tokens[:, seen], past.keep[:, seen], range(5)[seen])
        alone = conditioner(caption[:, t : t + 1], keep[:, t : t + 1], [t], some)
        assert torch.equal(alone.tokens[alone.keep], together.tokens[:, t : t + 1][together.keep[:, t : t + 1]])


def test_hidden_history_leaves_the_caption_alone() -> None:
    conditioner = Conditioner(DIM, 4, "relative")
    caption, keep, past = tokens(3)
    hidden = torch.tensor([[False, False, True], [False, False, False]])
    condition = conditioner(caption, keep, range(3), past, hidden=hidden)
    assert condition.keep.sum(-1).tolist() == [[3, 7, 3], [3, 7, 11]]


def conditioned(model: ARLDM) -> Condition:
    """Five frames of two stories with captions of unequal length: many hidden tokens."""
    batch = model.batch([story(given=5), story(given=5, name="other", shift=2)])
    dropped = torch.zeros(2, 5, dtype=torch.bool)
    dropped[1, 3] = True
    return model.condition(batch, dropped).folded()


@pytest.fixture(scope="module")
def plain() -> ARLDM:
    """A model whose U-Net attends to captions and history as they are, as the paper's does."""
    return build(dataclasses.replace(TINY, context=0, summary=0))


@torch.no_grad()
def test_hidden_tokens_are_exactly_inert(plain: ARLDM) -> None:
    model = plain
    condition = conditioned(model)
    latents, timesteps = leaf(10, 4, 8, 8).detach(), torch.arange(10) * 100
    said = predict(model.unet, latents, timesteps, condition)
    noise = torch.where(condition.keep[..., None], condition.tokens, 1e3 * leaf(*condition.tokens.shape).detach())
    assert torch.equal(said, predict(model.unet, latents, timesteps, Condition(noise, condition.keep)))
    seen = torch.where(condition.keep[..., None], condition.tokens * 1.1, condition.tokens)
    assert not torch.equal(said, predict(model.unet, latents, timesteps, Condition(seen, condition.keep)))


@torch.no_grad()
def test_dropping_hidden_tokens_changes_nothing(plain: ARLDM) -> None:
    model = plain
    condition = conditioned(model)
    latents, timesteps = leaf(10, 4, 8, 8).detach(), torch.arange(10) * 100
    said = predict(model.unet, latents, timesteps, condition)
    for row in range(10):
        kept = condition.tokens[row][condition.keep[row]][None]
        few = Condition(kept, torch.ones(kept.shape[:2], dtype=torch.bool))
        one = slice(row, row + 1)
        torch.testing.assert_close(predict(model.unet, latents[one], timesteps[one], few), said[one], rtol=1e-5, atol=1e-5)


def test_config_that_cannot_be_joined_is_refused() -> None:
    for change, said in (
        ({"text": dataclasses.replace(TINY.text, width=32)}, "text.width is 32 and past.text_width 16"),
        ({"picture_size": 30}, "picture_size is 30; expected a multiple of 8"),
        ({"past": dataclasses.replace(TINY.past, picture_size=20)}, "past.picture_size is 20; expected a multiple of 8"),
        ({"denoiser": dataclasses.replace(TINY.denoiser, prediction="epsilon")}, "zero_terminal_snr"),
    ):
        with pytest.raises(ConfigError, match=said):
            build(dataclasses.replace(TINY, **change))

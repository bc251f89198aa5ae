"""Muon: what it makes of a gradient."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from arldm.config import TrainConfig
from arldm.train.optimizer import MuonAdamW, matrices, orthogonal


def iterated(matrix: Tensor) -> Tensor:
    """Newton-Schulz as Jordan et al. (2024) write it down, in double precision."""
    wide = matrix.double() if matrix.shape[0] <= matrix.shape[1] else matrix.double().T
    wide = wide / wide.norm()
    for _ in range(5):
        gram = wide @ wide.T
        wide = 3.4445 * wide + (-4.775 * gram + 2.0315 * gram @ gram) @ wide
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 24), st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=4), st.integers(0, 1000))
def test_it_is_newton_schulz_of_each_matrix_alone(side: int, others: list[tuple[int, bool]], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(side, side + more) if wide else (side + more, side) for more, wide in others]
    matrices = [torch.randn(shape, generator=generator) * 10 ** (k - 2) for k, shape in enumerate(shapes)]
    for made, matrix in zip(orthogonal(matrices), matrices, strict=True):
        assert made.shape == matrix.shape
        torch.testing.assert_close(made.double(), iterated(matrix), atol=2e-3, rtol=0)


def test_no_direction_of_a_gradient_is_lost() -> None:
    left, right = (torch.linalg.qr(torch.randn(40, 40, generator=torch.Generator().manual_seed(k)))[0] for k in (0, 1))
    values = torch.logspace(0, -2, 40)
    found = torch.linalg.svdvals(orthogonal([left @ torch.diag(values) @ right])[0])
    assert 0.6 < found.min() <= found.max() < 1.25


def test_nothing_comes_of_nothing() -> None:
    assert orthogonal([]) == []
    assert orthogonal([torch.zeros(3, 5)])[0].abs().max() == 0


@pytest.mark.parametrize("shape", [(6, 4, 3, 3), (5, 8)], ids=["convolution", "linear"])
def test_a_step_is_as_large_as_one_of_adamw(shape: tuple[int, ...]) -> None:
    weight, bias = nn.Parameter(torch.zeros(shape)), nn.Parameter(torch.zeros(4))
    optimizer = MuonAdamW([weight, bias], [weight], TrainConfig(learning_rate=0.1, muon_learning_rate=0.3, weight_decay=0.0))
    generator = torch.Generator().manual_seed(0)
    weight.grad, bias.grad = torch.randn(shape, generator=generator), torch.ones(4)
    optimizer.step()
    assert bias.detach().tolist() == pytest.approx([-0.1] * 4)
    assert weight.detach().square().mean().sqrt().item() == pytest.approx(0.2 * 0.3, rel=0.25)


def test_of_a_model_the_denoisers_matrices_alone() -> None:
    """Weighted cell by cell, a model stands in another module; there, encoders had Muon's rate, too."""

    def denoiser() -> nn.ModuleDict:
        return nn.ModuleDict({"unet": nn.Sequential(nn.Linear(2, 3), nn.Conv2d(1, 1, 3)), "encoder": nn.Linear(2, 2)})

    for module in (denoiser(), nn.ModuleDict({"model": denoiser()})):
        assert [tuple(weight.shape) for weight in matrices(module)] == [(3, 2), (1, 1, 3, 3)]
    assert [tuple(weight.shape) for weight in matrices(nn.Sequential(nn.Linear(2, 3)))] == [(3, 2)]


def test_muon_moves_what_learns_though_a_denoiser_that_does_not_lies_beside_it() -> None:
    """Lessons and the decoder hold one, and for two days nothing of them was moved by Muon."""
    whole = nn.ModuleDict({"unet": nn.Linear(4, 4).requires_grad_(False), "head": nn.Linear(4, 4)})
    assert [id(weight) for weight in matrices(whole) if weight.requires_grad] == [id(whole["head"].weight)]
    whole["unet"].requires_grad_(True)
    assert [id(weight) for weight in matrices(whole)] == [id(whole["unet"].weight)]

"""The autoencoder: shapes, normalisation, and a loss that is worth descending."""

import dataclasses
from pathlib import Path

import pytest
import torch

from arldm import ARLDM
from arldm.config import LatentConfig
from arldm.errors import ModelError
from arldm.model.latents import Latents, drawn_like, edges
from arldm.model.noise import item_generators, seeded
from conftest import TINY, build

DC = LatentConfig(kind="dc", channels=4, widths=(8, 16), layers=1, unshuffle=2)
KL = LatentConfig(kind="kl", channels=4, widths=(8, 16), layers=1)


def pictures(count: int = 4, size: int = 32) -> torch.Tensor:
    coarse = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (size, size))


@pytest.mark.parametrize("config", [DC, KL], ids=["dc", "kl"])
def test_there_and_back(config: LatentConfig) -> None:
    latents = Latents(config)
    encoded = latents.encode(pictures())
    assert encoded.shape == (4, 4, 32 // config.downsample, 32 // config.downsample)
    decoded = latents.decode(encoded)
    assert decoded.shape == (4, 3, 32, 32)
    assert decoded.abs().max() <= 1


@pytest.mark.parametrize("config", [DC, KL], ids=["dc", "kl"])
def test_measured_latents_have_no_mean_and_unit_variance(config: LatentConfig, tmp_path: Path) -> None:
    latents = Latents(config)
    wanted = torch.ones(4)
    if latents.patches is not None:
        latents.patches.measure(pictures().split(2))
        wanted = latents.patches.deviation.sqrt()
        assert wanted[0] > 1.2 * wanted[3]
    before = latents.decode(latents.encode(pictures()))
    latents.measure(pictures().split(2))
    encoded = latents.encode(pictures())
    assert encoded.mean((0, 2, 3)).abs().max() < 1e-3
    torch.testing.assert_close(encoded.std((0, 2, 3)), wanted / wanted.square().mean().sqrt(), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(latents.decode(encoded), before, rtol=1e-3, atol=1e-3)
    latents.write_statistics(tmp_path)
    other = Latents(config)
    other.read_statistics(tmp_path)
    assert torch.equal(other.scale, latents.scale)
    assert torch.equal(other.shift, latents.shift)


def test_statistics_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        Latents(DC).read_statistics(tmp_path)


@pytest.mark.parametrize("config", [DC, KL], ids=["dc", "kl"])
def test_training_brings_pictures_back(config: LatentConfig) -> None:
    with seeded(0):
        latents = Latents(config)
    batch, optimizer = pictures(), torch.optim.AdamW(latents.parameters(), lr=5e-3)

    def distance() -> float:
        return (latents.decode(latents.encode(batch)) - batch).abs().mean().item()

    before = distance()
    for step in range(40):
        loss = latents.loss(batch, item_generators(step, range(len(batch))))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert distance() < 0.6 * before


def test_edges_are_found_on_both_sides_and_nowhere_else() -> None:
    halves = torch.full((1, 3, 8, 8), -1.0)
    halves[..., 4:] = 1.0
    assert edges(halves)[0, 0, 0].tolist() == [0, 0, 1, 1, 1, 0, 0, 0]


def test_loss_depends_on_its_generator_alone() -> None:
    with seeded(0):
        latents = Latents(DC)
    batch = pictures()
    one, same, other = (latents.loss(batch, item_generators(seed, range(len(batch)))).item() for seed in (1, 1, 2))
    assert one == same != other


def test_a_finish_adds_nothing_at_first_and_comes_back_from_a_folder(tmp_path: Path) -> None:
    plain, config = Latents(DC), dataclasses.replace(DC, finish=2)
    latents = Latents(config)
    latents.load_state_dict({**latents.state_dict(), **plain.state_dict()})
    encoded = plain.encode(pictures())
    torch.testing.assert_close(latents.decode(encoded), plain.decode(encoded))
    model = build(dataclasses.replace(TINY, latents=dataclasses.replace(TINY.latents, finish=2)))
    assert model.latents.finish is not None
    torch.nn.init.normal_(model.latents.finish.end.weight)
    model.save_pretrained(tmp_path)
    assert ARLDM.from_pretrained(tmp_path).hash() == model.hash()


def test_what_is_decoded_freely_passes_gradients_where_it_is_too_bright() -> None:
    latents = Latents(DC)
    encoded = (latents.encode(pictures()) + 100).detach().requires_grad_()
    (1 - latents.unclamped(encoded)).abs().mean().backward()
    assert encoded.grad is not None
    assert encoded.grad.any()


def test_grain_counts_more_than_a_shift_of_brightness() -> None:
    flat = torch.zeros(1, 3, 8, 8)
    grain = 0.1 * (-1.0) ** torch.arange(8)[:, None].add(torch.arange(8)).expand(1, 3, 8, 8)
    assert drawn_like(flat, flat) == 0
    assert drawn_like(flat + 0.1, flat).item() == pytest.approx(0.1)
    assert drawn_like(flat + grain, flat).item() == pytest.approx(0.1 + 2 * 0.2)

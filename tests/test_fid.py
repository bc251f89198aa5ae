"""The Fréchet and the kernel distance: against closed forms, an independent library, and the chains that others measure by."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance

from arldm.errors import PictureError
from arldm.evaluate.features import Features
from arldm.evaluate.fid import Gaussian, frechet, frechet_distance, kernel_distance
from arldm.evaluate.inception import FIDInception
from arldm.evaluate.networks import InceptionNetwork, small, whole
from arldm.model.noise import seeded


def rows(count: int, dim: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    dice = np.random.default_rng(seed)
    return dice.normal(size=(count, dim)) @ dice.normal(size=(dim, dim)) * scale + shift


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return frechet(Features.held(a), Features.held(b)).distance


def alone(features: np.ndarray) -> np.ndarray:
    """Every picture a story."""
    return np.arange(len(features))


def picture(seed: int, width: int = 96, height: int = 96) -> Image.Image:
    patches = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def body() -> FIDInception:
    """FID's network at an eighth of its widths, its statistics those of some pictures, so that features are of ordinary size."""
    with seeded(3):
        network = FIDInception(thin=8).train().requires_grad_(False)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1.0
    network.look(torch.from_numpy(np.stack([whole(picture(seed)) for seed in range(8)])).movedim(-1, 1) * 2 - 1)
    return network.eval()


class TestFrechet:
    @pytest.mark.parametrize("dim", [1, 7, 64])
    def test_gaussians_that_share_their_axes_have_a_closed_form(self, dim: int) -> None:
        dice = np.random.default_rng(dim)
        axes = np.linalg.qr(dice.normal(size=(dim, dim)))[0]
        means, spreads = dice.normal(size=(2, dim)), dice.uniform(0.1, 4, (2, dim))
        covariances = [axes * np.square(spread) @ axes.T for spread in spreads]
        expected = np.square(means[0] - means[1]).sum() + np.square(spreads[0] - spreads[1]).sum()
        assert frechet_distance(Gaussian(means[0], covariances[0]), Gaussian(means[1], covariances[1])) == pytest.approx(
            expected, rel=1e-6
        )

    def test_two_dimensions_have_one_for_any_axes(self) -> None:
        a, b = np.array([[2.0, 0.7], [0.7, 1.0]]), np.array([[0.5, -0.3], [-0.3, 3.0]])
        root = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a) * np.linalg.det(b)))  # tr of a 2 x 2 root
        assert frechet_distance(Gaussian(np.zeros(2), a), Gaussian(np.zeros(2), b)) == pytest.approx(
            np.trace(a) + np.trace(b) - 2 * root, rel=1e-6
        )

    @pytest.mark.parametrize(("count", "dim"), [(200, 16), (9, 40)])
    def test_a_set_is_no_way_from_itself(self, count: int, dim: int) -> None:
        features = rows(count, dim, 1)
        assert distance(features, features) == pytest.approx(0, abs=1e-6 * np.trace(np.cov(features, rowvar=False)))
        assert frechet(Features.held(features), Features.held(features)).pull_a == pytest.approx(np.zeros(count), abs=1e-4 * dim)

    @given(st.permutations(range(40)), st.integers(1, 39))
    @settings(max_examples=20, deadline=None)
    def test_order_and_chunks_do_not_matter(self, order: list[int], chunk: int) -> None:
        a, b = rows(40, 12, 1), rows(30, 12, 2, 1.3)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("arldm.evaluate.features.CHUNK", chunk)
            found = frechet(Features.held(a[order]), Features.held(b))
        expected = frechet(Features.held(a), Features.held(b))
        assert found.distance == pytest.approx(expected.distance, rel=1e-9)
        assert found.pull_a == pytest.approx(expected.pull_a[order], rel=1e-6, abs=1e-6)

    @pytest.mark.parametrize(("count", "dim"), [(300, 32), (20, 64)])
    def test_it_is_that_of_torchmetrics(self, count: int, dim: int) -> None:
        a, b = rows(count, dim, 1), rows(count + 5, dim, 2, 1.2, 0.3)
        other = FrechetInceptionDistance(feature=_Identity(dim), normalize=True, antialias=False).set_dtype(torch.float64)
        other.update(torch.from_numpy(a)[:, :, None, None], real=True)
        other.update(torch.from_numpy(b)[:, :, None, None], real=False)
        assert distance(a, b) == pytest.approx(float(other.compute()), rel=1e-4)

    def test_it_is_that_of_pytorch_fid_where_few_pictures_leave_directions_empty(self) -> None:
        """Its function, scipy's square root of the product, gave this for the same rows (pytorch-fid 0.3.0)."""
        assert distance(rows(300, 32, 1), rows(305, 32, 2, 1.2, 0.3)) == pytest.approx(680.7282229299715, rel=1e-6)

    def test_pulls_are_its_derivative(self) -> None:
        """A picture that counts a thousandth more moves the distance by a thousandth of its pull."""
        a, b = rows(50, 8, 1), rows(60, 8, 2, 1.4, 0.2)
        found, other = frechet(Features.held(a), Features.held(b)), Gaussian.of(Features.held(b))
        for number in (0, 17):
            weights = np.full(50, 1 - 1e-4) / 50
            weights[number] += 1e-4
            mean = weights @ a
            covariance = (a - mean).T * weights @ (a - mean) * 50 / 49
            moved = frechet_distance(Gaussian(mean, covariance), other) - found.distance
            assert moved / 1e-4 == pytest.approx(found.pull_a[number], rel=0.05, abs=0.05)

    def test_intervals_are_as_wide_as_the_distance_scatters(self) -> None:
        """Frames of a story are alike: an interval over frames would be too narrow."""
        owners, dice, values, errors = np.repeat(np.arange(60), 5), np.random.default_rng(5), [], []
        for _ in range(60):
            a, b = (dice.normal(size=(60, 1, 6)) + 0.5 * dice.normal(size=(60, 5, 6)) for _ in range(2))
            found = frechet(Features.held(a.reshape(-1, 6)), Features.held(1.5 * b.reshape(-1, 6)))
            one = found.estimate(owners, owners, paired=False)
            values.append(one.value)
            errors.append((one.high - one.low) / 2 / 2.0)
        assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.3)

    def test_stories_in_both_sets_are_counted_together(self) -> None:
        a = rows(100, 6, 1)
        found, owners = frechet(Features.held(a), Features.held(1.3 * a)), np.repeat(np.arange(20), 5)
        together, apart = (found.estimate(owners, owners, paired) for paired in (True, False))
        assert together.value == apart.value
        assert together.high - together.low < apart.high - apart.low

    @pytest.mark.parametrize("count", [0, 1])
    def test_one_picture_is_no_set(self, count: int) -> None:
        with pytest.raises(PictureError, match=rf"{count} pictures? to compare; expected 2 or more"):
            distance(rows(5, 4, 1)[:count], rows(5, 4, 2))


class TestKernelDistance:
    @pytest.mark.parametrize("paired", [False, True])
    def test_it_is_the_unbiased_estimate_of_its_definition(self, paired: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("arldm.evaluate.fid.BLOCKS", 1)
        a, b, owners = rows(6, 5, 1), rows(7, 5, 2), ([0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 2, 2, 2])

        def mean(x: np.ndarray, of_x: list[int], y: np.ndarray, of_y: list[int], apart: bool = True) -> float:
            pairs = [(i, j) for i in range(len(x)) for j in range(len(y)) if not apart or of_x[i] != of_y[j]]
            return sum(float((x[i] @ y[j] / 5 + 1) ** 3) for i, j in pairs) / len(pairs)

        within = mean(a, owners[0], a, owners[0]) + mean(b, owners[1], b, owners[1])
        held = Features.held(a), np.array(owners[0]), Features.held(b), np.array(owners[1])
        found = kernel_distance(*held, paired)
        assert found.value == pytest.approx(within - 2 * mean(a, owners[0], b, owners[1], apart=paired))
        assert np.isnan(found.low)  # one block tells no spread

    def test_it_is_near_nothing_for_equal_sources_and_far_for_others(self) -> None:
        a, b, c = (Features.held(np.random.default_rng(seed).normal(size=(600, 8)) * (1 + (seed == 3))) for seed in (1, 2, 3))
        owners = np.repeat(np.arange(120), 5)
        alike, unlike = (kernel_distance(a, owners, other, owners, paired=False) for other in (b, c))
        assert alike.low < 0 < alike.high
        assert unlike.low > alike.high

    @pytest.mark.parametrize("paired", [False, True])
    def test_frames_of_a_story_that_are_alike_do_not_move_it(self, paired: bool) -> None:
        """Two sets of one source, half of whose variance is their stories' (the same stories in both, if paired): it is 0."""
        dice, owners, found = np.random.default_rng(7), np.repeat(np.arange(60), 5), []
        for _ in range(40):
            a, b = (dice.normal(size=(60, 1, 8)) for _ in range(2))
            sets = [(story + dice.normal(size=(60, 5, 8))).reshape(-1, 8) / 2**0.5 for story in (a, a if paired else b)]
            found.append(kernel_distance(Features.held(sets[0]), owners, Features.held(sets[1]), owners, paired))
        values = np.array([one.value for one in found])
        assert abs(values.mean()) < 2.5 * values.std(ddof=1) / 40**0.5
        assert sum(one.low < 0 < one.high for one in found) >= 34

    def test_stories_of_any_length_have_one_and_a_single_story_has_none(self) -> None:
        a, b = (Features.held(rows(6, 4, seed)) for seed in (1, 2))
        short_first, long_first = (np.repeat(np.arange(3), some) for some in ([1, 1, 4], [4, 1, 1]))
        assert np.isfinite(kernel_distance(a, short_first, b, long_first, paired=False).value)
        one = np.zeros(6, int)
        assert np.isnan(kernel_distance(a, one, b, one, paired=False).value)
        with pytest.raises(PictureError, match="1 picture to compare"):
            kernel_distance(Features.held(rows(1, 4, 1)), one[:1], b, one, paired=False)

    def test_stories_of_a_thousand_pictures_have_one(self) -> None:
        """The first thousand of a block could be one story, of which no pair counts: the distance was no number."""
        a, b = (Features.held(rows(4800, 4, seed)) for seed in (1, 2))
        owners = np.repeat(np.arange(4), 1200)
        assert np.isfinite(kernel_distance(a, owners, b, owners, paired=True).value)

    def test_of_uneven_stories_the_large_ones_count_more(self) -> None:
        """A block of two lone windows counted as much as one of a thousand pictures of long films."""
        owners = np.repeat(np.arange(50), [100] * 10 + [5] * 40)
        found = []
        for seed in range(12):
            dice = np.random.default_rng(seed)
            a, b = (Features.held(dice.normal(shift, 1, (len(owners), 4))) for shift in (0, 0.5))
            found.append(kernel_distance(a, owners, b, owners, paired=False))
        error = np.std([one.value for one in found])
        assert 1.5 * error < np.mean([one.high - one.low for one in found]) / 2 < 2.6 * error  # and not 3

    def test_of_large_sets_no_part_is_left_out(self) -> None:
        rows = np.zeros((20_000, 2), np.float32)
        rows[10_000:] = 3.0  # as where a corpus is ordered by episode
        some = Features.held(rows[::10].copy())
        found = kernel_distance(some, np.arange(2000), Features.held(rows), np.arange(20_000), paired=False)
        assert abs(found.value) < 20  # it would be 250 if only the first thousand of a block counted


class TestChains:
    """What others do to a picture, written from its definition."""

    @pytest.mark.parametrize("size", [(96, 96), (64, 64), (40, 40), (512, 512)])
    def test_paper(self, body: FIDInception, size: tuple[int, int]) -> None:
        pictures = [picture(seed, *size) for seed in range(3)]
        shrunk = np.stack([np.asarray(one.resize((64, 64), Image.Resampling.BILINEAR)) for one in pictures])
        signed = (torch.from_numpy(shrunk).permute(0, 3, 1, 2).float().div(255) - 0.5) / 0.5  # Normalize([0.5], [0.5])
        enlarged = F.interpolate((signed + 1) / 2, size=(299, 299), mode="bilinear", align_corners=False)
        seen = body.look(2 * enlarged - 1)[1].mean((2, 3)).numpy()
        assert InceptionNetwork(body, "", "paper").features(pictures) == pytest.approx(seen, rel=1e-6, abs=1e-4)

    @pytest.mark.parametrize("size", [(96, 96), (512, 512), (320, 200)])
    def test_clean(self, body: FIDInception, size: tuple[int, int]) -> None:
        pictures = [picture(seed, *size) for seed in range(3)]
        planes = [
            np.asarray(Image.fromarray(np.asarray(one)[..., c].astype(np.float32)).resize((299, 299), Image.Resampling.BICUBIC))
            for one in pictures
            for c in range(3)
        ]
        levels = torch.from_numpy(np.stack(planes).clip(0, 255).reshape(3, 3, 299, 299))
        seen = body.look((levels - 128) / 128)[1].mean((2, 3)).numpy()
        assert InceptionNetwork(body, "", "clean").features(pictures) == pytest.approx(seen, rel=1e-6, abs=1e-4)

    def test_photographs_are_cut_to_their_middle_for_the_paper_alone(self) -> None:
        wide = Image.new("RGB", (300, 100), "red")
        wide.paste("blue", (100, 0, 200, 100))
        assert np.allclose(small(wide)[:, 2:-2], (0, 0, 1), atol=0.02)
        assert small(wide).shape == (64, 64, 3)
        assert np.allclose(whole(wide)[:, 20], (255 / 256, 0, 0), atol=0.02)

    def test_batches_do_not_matter(self, body: FIDInception) -> None:
        network, pictures = InceptionNetwork(body, "", "paper"), [picture(seed) for seed in range(5)]
        one_by_one = np.concatenate([network.features([one]) for one in pictures])
        looks: list[int] = []
        with body.register_forward_pre_hook(lambda _, inputs: looks.append(len(inputs[0]))):
            assert network.features(pictures, batch=2) == pytest.approx(one_by_one, abs=1e-4)
        assert looks == [2, 2, 1]  # never all pictures of a set at once


class _Identity(nn.Module):
    """Hands on features that were made before."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.num_features = dim

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features.flatten(1)

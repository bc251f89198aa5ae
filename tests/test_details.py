"""What is small counts more: where it is seen in a picture, what that makes of the loss, and a U-Net that learns on with it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from arldm.model.arldm import ARLDM
from arldm.model.noise import item_generators
from arldm.toonsv import paint, plot
from arldm.toonsv.cast import MOODS, Figure, Look, Place, Prop, Scene
from arldm.toonsv.details import KINDS, details
from arldm.train.details import Detailed, detailed, weights
from conftest import story

ALONE = Scene(Place("beach", "rose", "palm", "left"), "clear", "day", (Figure("tilo", "happy", "stand", "red"),))
STRANGER = Figure("stranger", "calm", "hold", None, Look("red", "topper", "blue", "tan"))
ALL = Scene(Place("kitchen", "mint", "stove", "right"), "clear", "day", (STRANGER,), Prop("ball", "green"))


def seen(scene: Scene) -> dict[str, np.ndarray]:
    return dict(zip(KINDS, details(scene, 16), strict=True))


class TestDetails:
    def test_what_is_not_there_is_nowhere(self) -> None:
        assert {name for name, cells in seen(ALONE).items() if cells.any()} == {"mood"}
        assert all(cells.any() for cells in seen(ALL).values())
        bare = replace(STRANGER, look=Look("red", "none", "blue", "tan"))
        assert not seen(replace(ALL, figures=(bare,)))["hat_colour"].any()

    def test_a_hat_is_above_the_face_and_a_face_is_small(self) -> None:
        found = seen(ALL)
        hat, face = (np.argwhere(found[name]).mean(0) for name in ("hat_colour", "mood"))
        assert hat[0] < face[0]
        assert 0 < found["mood"].mean() < 0.15

    @pytest.mark.parametrize("index", range(4))
    def test_another_mood_changes_nothing_elsewhere(self, index: int) -> None:
        scene = plot("val", index)[index].scene
        others = tuple(replace(one, mood=MOODS[(MOODS.index(one.mood) + 1) % len(MOODS)]) for one in scene.figures)
        other = replace(scene, figures=others)
        apart = abs(np.asarray(paint(scene, 128), int) - np.asarray(paint(other, 128), int)).max(-1) > 16
        missed = apart & ~np.kron(seen(scene)["mood"], np.ones((8, 8), bool))
        assert apart.any()
        assert not missed.any()


class TestWeights:
    def test_what_is_seldom_counts_more(self, tmp_path: Path) -> None:
        counted = weights(tmp_path, "train", range(8), 5, 16, 2.0)
        assert counted.shape == (40, 16, 16)
        assert counted.mean() == pytest.approx(1, abs=1e-5)
        assert counted.max() / counted.min() > 5
        kinds = np.lib.format.open_memmap(next(tmp_path.glob("*details*.npy")))
        assert np.array_equal(counted > counted.min() * 1.01, kinds.any(1))
        again = weights(tmp_path, "train", range(8), 5, 16, 4.0)  # of what was looked at before
        assert again.max() / again.min() > counted.max() / counted.min() * 1.5

    def test_nothing_more_is_nothing_looked_at(self, tmp_path: Path) -> None:
        assert (weights(tmp_path, "train", range(2), 5, 16, 0.0) == 1).all()
        assert not any(tmp_path.iterdir())

    def test_the_loss_is_weighted(self, model: ARLDM) -> None:
        batch = model.batch([story(3, given=3), story(3, given=3, shift=5)])
        frames, (h, w) = 6, batch.latents.shape[-2:]

        def loss(counted: np.ndarray) -> float:
            return Detailed(model).loss(detailed(batch, counted.astype(np.float32)), item_generators(7, range(2))).item()

        even = np.ones((frames, h, w))
        assert loss(even) == pytest.approx(model.loss(batch, item_generators(7, range(2))).item(), rel=1e-6)
        upper, lower = even.copy(), even.copy()
        upper[:, : h // 2], lower[:, h // 2 :] = 0, 0
        assert loss(upper) + loss(lower) == pytest.approx(loss(even), rel=1e-5)
        assert loss(3 * even) == pytest.approx(3 * loss(even), rel=1e-5)

"""The benchmark's plainly written original procedure gives what ours gives, so that only time is compared."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from arldm.config import TellConfig
from arldm.model.arldm import ARLDM
from arldm.model.batch import floats
from arldm.model.noise import item_generators
from arldm.sample import tell
from conftest import array, story

sys.path.append(str(Path(__file__).parents[1] / "runs" / "bench"))
import original


@pytest.mark.parametrize("guidance", [2.0, 1.0])
def test_it_tells_the_same_pictures(model: ARLDM, guidance: float) -> None:
    config = TellConfig(steps=3, guidance=guidance, seed=7)
    ours = [array(frame) for frame in tell(model, story(5), config)]
    theirs = [np.asarray(picture).astype(int) for picture in original.tell(model, story(5), config)]
    assert max(np.abs(one - other).max() for one, other in zip(ours, theirs, strict=True)) <= 2


@pytest.mark.parametrize("anew", [True, False])
def test_it_learns_from_the_same_loss(model: ARLDM, anew: bool) -> None:
    model.conditioning_dropout = 0.3
    stories = [story(5, given=5, name=str(k), shift=k) for k in range(3)]
    batch = model.batch(stories)
    pictures = torch.stack([floats(np.stack([np.asarray(frame.picture) for frame in one.frames])) for one in stories])
    expected = model.loss(batch, item_generators(5, range(3)))
    found = original.loss(model, pictures, original.batch(model, stories), item_generators(5, range(3)), anew=anew)
    torch.testing.assert_close(found, expected)

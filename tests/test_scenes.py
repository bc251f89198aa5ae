"""Scenes beside the stories: which are chosen, who lends them their tokens, and a batch that holds both."""

import numpy as np
import pytest
import torch

from arldm.errors import ConfigError
from arldm.model.condition import Condition
from arldm.toonsv.questions import TO_DRAW, all_to_draw
from arldm.toonsv.scenes import is_trained, random_scene
from arldm.train.details import DetailedStories
from arldm.train.read import ReadStories
from arldm.train.scenes import Scenes, lenders, wanted
from arldm.train.stories import CachedStories
from arldm.train.toonsv import shown

STORIES, FRAMES, COUNT = 300, 5, 10
SHOWN = shown(STORIES, FRAMES)


def lending() -> ReadStories:
    """Stories whose tokens say which frame and which fact they are of."""
    rows = np.arange(STORIES * FRAMES, dtype=np.float32)
    tokens = np.stack(np.broadcast_arrays(rows[:, None], np.arange(len(TO_DRAW), dtype=np.float32)), axis=-1)
    none = torch.zeros(len(rows), 1, dtype=torch.bool)
    latents = np.zeros((len(rows), 4, 2, 2), np.float16)
    stories = CachedStories(FRAMES, latents, np.zeros((len(rows), 1, 1, 3), np.uint8), (none, none, none, none), "train", "here")
    return ReadStories(stories, tokens, Condition(torch.zeros(1, 1, len(TO_DRAW), 2), torch.ones(1, 1, len(TO_DRAW)).bool()))


@pytest.fixture(scope="module")
def facts() -> dict[int, np.ndarray]:
    return wanted(SHOWN.numpy(), COUNT)


def test_half_are_crowds_and_the_others_hold_something(facts: dict[int, np.ndarray]) -> None:
    scenes = [random_scene("train", index) for index in facts]
    assert [len(scene.figures) for scene in scenes].count(3) == COUNT // 2
    assert all(len(scene.figures) == 3 or scene.prop for scene in scenes)
    assert all(map(is_trained, scenes))
    assert all(np.array_equal(all_to_draw(random_scene("train", index)), one) for index, one in facts.items())


def test_each_fact_is_lent_by_a_frame_that_shows_it(facts: dict[int, np.ndarray]) -> None:
    asked = np.stack(list(facts.values()))
    found = lenders(SHOWN.numpy(), asked)
    assert np.array_equal(np.take_along_axis(SHOWN.numpy(), found, 0), asked)
    assert len(np.unique(found)) > COUNT  # not all by the same one
    assert np.array_equal(found, lenders(SHOWN.numpy(), asked))


def test_what_no_story_shows_is_not_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"--scenes 8: found \d crowds and \d things"):
        wanted(SHOWN[:4].numpy(), 8)


def test_a_batch_of_both(facts: dict[int, np.ndarray]) -> None:
    read = lending()
    latents = np.broadcast_to(np.arange(1, COUNT + 1, dtype=np.float16)[:, None, None, None], (COUNT, 4, 2, 2))
    lent = lenders(SHOWN.numpy(), np.stack(list(facts.values())))
    scenes = Scenes(read, list(facts), latents, lent)
    assert len(scenes) == COUNT // FRAMES
    told, untold = (
        DetailedStories(one, np.full((len(one) * FRAMES, 2, 2), weight, np.float32)).batch(3, 2, 7)
        for one, weight in ((read, 1.0), (scenes, 2.0))
    )
    both = told.beside(untold)
    assert both.stories.latents.shape == (4, FRAMES, 4, 2, 2)
    assert both.stories.latents[2:].amin() > 0
    assert both.weights[:, 0, 0, 0].tolist() == [1, 1, 2, 2]
    number = int(both.stories.latents[2, 1, 0, 0, 0]) - 1  # of a scene
    tokens = both.stories.condition.tokens[2, 1]
    assert tokens[:, 0].tolist() == lent[number].tolist()
    assert tokens[:, 1].tolist() == list(range(len(TO_DRAW)))
    assert both.stories.condition.keep.all()

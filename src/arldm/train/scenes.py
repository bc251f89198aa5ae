"""Single scenes mixed into training, in which what stories seldom show is frequent: three figures together, things that are held.

Nobody tells a scene. So its condition is lent: each fact's token by some frame of the stories in which that fact is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from arldm.errors import ConfigError
from arldm.model.arldm import ARLDM
from arldm.model.batch import ReadBatch
from arldm.rendered import Rows, drawn, look
from arldm.toonsv.questions import STANDS, all_to_draw
from arldm.toonsv.scenes import is_trained, random_scene
from arldm.train.read import ReadStories
from arldm.train.stories import fingerprint, in_latents

SEARCHED = 200  # random scenes, at most, for each that is wanted


@dataclass(frozen=True, slots=True, eq=False)
class Scenes:
    """Scenes with tokens that stories lend them; as many as a story has frames take the place of one."""

    lending: ReadStories
    indices: list[int]  # of random scenes
    latents: np.ndarray  # (scene, channel, h, w) float16, normalised
    lenders: np.ndarray  # (scene, summary); which frame of the stories lends each token

    @classmethod
    def drawn(cls, model: ARLDM, lending: ReadStories, shown: Tensor, count: int, folder: Path) -> "Scenes":
        """As many scenes, half of them crowds, that stories can tell, as `shown` (story * frame, summary) says what they show.

        Latents are kept in `folder`, continued if interrupted. Raises ConfigError where the stories show too little.
        """
        facts = shown.numpy()
        found = wanted(facts, count)
        indices = list(found)
        origin = f"{look(model.config.picture_size, 'train', 1, indices)} {fingerprint(model.latents)}"
        rows = Rows(folder, f"train-{count}x1-latents", (count, *lending.stories.latents.shape[1:]), np.float16, origin)
        for block in drawn("train", indices[rows.done :], model.config.picture_size, 1):
            rows.put(rows.done, in_latents(model, block[:, 0]))
        return cls(lending, indices, rows.array, lenders(facts, np.stack(list(found.values()))))

    def __len__(self) -> int:
        return len(self.indices) // self.lending.stories.frames

    def rows(self, stories: Sequence[int]) -> np.ndarray:
        """Which scenes stand in the place of some stories."""
        return self.lending.stories.rows(stories)

    def batch(self, stories: Sequence[int]) -> ReadBatch:
        """Scenes in the place of stories, by number."""
        rows = self.rows(stories)
        lent = self.lending.tokens[self.lenders[rows], np.arange(self.lenders.shape[1])]
        return self.lending.batch_of(lent, self.latents[rows])


def wanted(shown: np.ndarray, count: int) -> dict[int, np.ndarray]:
    """Random scenes by number, half of them crowds, with their facts (summary), all of which are among those `shown`.

    Raises ConfigError where too few are found.
    """
    there = [frozenset(facts.tolist()) for facts in shown.T]
    found: dict[bool, dict[int, np.ndarray]] = {True: {}, False: {}}
    for index in range(SEARCHED * count):
        scene = random_scene("train", index)
        some = found[crowded := len(scene.figures) == len(STANDS)]
        if len(some) < (count + crowded) // 2 and (crowded or scene.prop is not None) and is_trained(scene):
            facts = all_to_draw(scene)
            if all(fact in one for fact, one in zip(facts.tolist(), there, strict=True)):
                some[index] = facts
        if sum(map(len, found.values())) == count:
            return dict(sorted((found[True] | found[False]).items()))
    got = f"{len(found[True])} crowds and {len(found[False])} things of which all facts are in a story"
    raise ConfigError(f"--scenes {count}: found {got}; expected half as many of each, give more --stories or fewer --scenes")


def lenders(shown: np.ndarray, facts: np.ndarray) -> np.ndarray:
    """For each of the facts (scene, summary) a frame, by lot, that shows the same: (scene, summary) numbers of rows of `shown`."""
    dice, found = np.random.Generator(np.random.Philox(key=len(facts))), np.empty(facts.shape, np.int64)
    for k, (frames, asked) in enumerate(zip(shown.T, facts.T, strict=True)):
        for fact in np.unique(asked):
            where = asked == fact
            found[where, k] = dice.choice(np.flatnonzero(frames == fact), where.sum())
    return found

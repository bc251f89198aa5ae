"""Single scenes mixed into training, in which what stories seldom show is frequent: three figures together, things that are held.

Nobody tells a scene. So its condition is lent: each fact's token by some frame of the stories in which that fact is the same.
A model that knows forms (toonsv/forms.py) is shown them in the place of most of the named figures, and told them by their numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from arldm.errors import ConfigError
from arldm.model.arldm import ARLDM
from arldm.model.batch import ReadBatch
from arldm.model.prior import Prior, turned
from arldm.rendered import Rows, drawn, look, picture
from arldm.toonsv.cast import Scene
from arldm.toonsv.forms import strange
from arldm.toonsv.questions import STANDS, TO_DRAW, all_to_draw
from arldm.toonsv.scenes import is_trained, random_scene
from arldm.train.read import ReadStories
from arldm.train.stories import fingerprint, in_latents

#: of scenes: three figures together; fewer, one of whom holds something; the rest, of which stories have enough but for forms
KINDS = ("crowds", "things", "others")
SEARCHED = 200  # random scenes, at most, for each that is wanted
WHO = [k for k, key in enumerate(TO_DRAW) if key.attribute == "who" and key.entity in STANDS]  # who stands where, in the summary


@dataclass(frozen=True, slots=True, eq=False)
class Scenes:
    """Scenes with tokens that stories lend them; as many as a story has frames take the place of one."""

    lending: ReadStories
    indices: list[int]  # of random scenes
    latents: np.ndarray  # (scene, channel, h, w) float16, normalised
    lenders: np.ndarray  # (scene, summary); which frame of the stories lends each token
    who: np.ndarray | None = None  # (scene, stand, dim); tokens of who stands where, in the place of what is lent

    @classmethod
    def drawn(cls, model: ARLDM, lending: ReadStories, shown: Tensor, count: int, folder: Path) -> "Scenes":
        """As many scenes that stories can tell, as `shown` (story * frame, summary) says what they show.

        Latents are kept in `folder`, continued if interrupted. Raises ConfigError where the stories show too little.
        """
        facts = shown.numpy()
        found = wanted(facts, count, KINDS if model.config.forms else KINDS[:2])
        indices = list(found)
        size, formed = model.config.picture_size, bool(model.config.forms)
        origin = f"{look(size, 'train', 1, indices)} {fingerprint(model.latents)}{' ' + strangely() if formed else ''}"
        rows = Rows(folder, f"train-{count}x1-latents", (count, *lending.stories.latents.shape[1:]), np.float16, origin)
        for block in drawn("train", indices[rows.done :], size, 1, strange_picture if formed else picture):
            rows.put(rows.done, in_latents(model, block[:, 0]))
        scenes = cls(lending, indices, rows.array, lenders(facts, np.stack(list(found.values()))))
        return scenes.with_forms(model) if formed else scenes

    def with_forms(self, model: ARLDM) -> "Scenes":
        """The same, told with the forms that are to be seen: as loud as whom they stand for."""
        assert model.prior is not None
        assert model.conditioner.queries is not None
        forms = torch.stack([directions(model.prior, random_scene("train", index)) for index in self.indices])
        queries = model.conditioner.queries.detach().float().cpu()[WHO]
        answers = torch.from_numpy(self.lending.tokens[self.lenders[:, WHO], WHO]) - queries
        told = torch.where(forms.any(-1, keepdim=True), turned(answers, forms), answers)
        return replace(self, who=(queries + told).numpy())

    def __len__(self) -> int:
        return len(self.indices) // self.lending.stories.frames

    def rows(self, stories: Sequence[int]) -> np.ndarray:
        """Which scenes stand in the place of some stories."""
        return self.lending.stories.rows(stories)

    def batch(self, stories: Sequence[int]) -> ReadBatch:
        """Scenes in the place of stories, by number."""
        rows = self.rows(stories)
        return self.lending.batch_of(self.tokens(rows), self.latents[rows])

    def tokens(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """What some scenes are told by, by number: (scene, summary, dim)."""
        lent = self.lending.tokens[self.lenders[rows], np.arange(self.lenders.shape[1])]
        if self.who is not None:
            lent[:, WHO] = self.who[rows]
        return lent


def strange_picture(scene: Scene, size: int) -> np.ndarray:
    """The picture of a scene with forms in it."""
    return picture(strange(scene), size)


def strangely() -> str:
    """A fingerprint of how forms look."""
    seen = np.stack([strange_picture(random_scene("train", index), 64) for index in range(8)])
    return sha256(seen.tobytes()).hexdigest()[:16]


@torch.no_grad()
def directions(prior: Prior, scene: Scene) -> Tensor:
    """How the forms of a scene are told: (stand, dim), 0 where there is none."""
    found = torch.zeros(len(STANDS), prior.forms.shape[1])
    for row, figure in zip(found, strange(scene).figures, strict=False):
        if figure.form is not None:
            row[:] = prior.of_form(torch.tensor(figure.form.numbers, device=prior.forms.device))
    return found


def wanted(shown: np.ndarray, count: int, kinds: Sequence[str] = KINDS[:2]) -> dict[int, np.ndarray]:
    """Random scenes by number, as many of each kind, with their facts (summary), all of which are among those `shown`.

    Raises ConfigError where too few are found.
    """
    there = [frozenset(facts.tolist()) for facts in shown.T]
    found: dict[str, dict[int, np.ndarray]] = {kind: {} for kind in kinds}
    enough = {kind: (count + len(kinds) - 1 - place) // len(kinds) for place, kind in enumerate(kinds)}
    for index in range(SEARCHED * count):
        scene = random_scene("train", index)
        kind = KINDS[0] if len(scene.figures) == len(STANDS) else KINDS[1] if scene.prop is not None else KINDS[2]
        if kind in found and len(found[kind]) < enough[kind] and is_trained(scene):
            facts = all_to_draw(scene)
            if all(fact in one for fact, one in zip(facts.tolist(), there, strict=True)):
                found[kind][index] = facts
        if sum(map(len, found.values())) == count:
            return dict(sorted(pair for some in found.values() for pair in some.items()))
    got = " and ".join(f"{len(some)} {kind}" for kind, some in found.items())
    expected = "expected as many of each, give more --stories or fewer --scenes"
    raise ConfigError(f"--scenes {count}: found {got} of which all facts are in a story; {expected}")


def lenders(shown: np.ndarray, facts: np.ndarray) -> np.ndarray:
    """For each of the facts (scene, summary) a frame, by lot, that shows the same: (scene, summary) numbers of rows of `shown`."""
    dice, found = np.random.Generator(np.random.Philox(key=len(facts))), np.empty(facts.shape, np.int64)
    for k, (frames, asked) in enumerate(zip(shown.T, facts.T, strict=True)):
        for fact in np.unique(asked):
            where = asked == fact
            found[where, k] = dice.choice(np.flatnonzero(frames == fact), where.sum())
    return found

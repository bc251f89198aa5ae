"""The second lesson, of the context alone: it finds, in what the encoders tell of all that was, what a frame needs to know.

What strangers wear is asked seldom, so here rare questions count more than they come, and nothing else learns any more.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from accelerate import PartialState
from torch import Tensor

from arldm.model.arldm import ARLDM
from arldm.model.noise import seeded
from arldm.recipes import Context, ToonSV
from arldm.toonsv.questions import ABSENT, TO_DRAW
from arldm.train.asked import asked
from arldm.train.encoders import HEADS, MODES, FactReading, Lesson, save, school_and_exam, worn
from arldm.train.loop import fit
from arldm.train.stories import turn
from arldm.train.toonsv import begin, load_parts


def context(recipe: Context, out: Path) -> None:
    """Train the context further; leaves it, with the encoders as they were, in `out/encoders.safetensors`. Raises ModelError."""
    model = begin(ToonSV(recipe.model, recipe.train, encoders=recipe.encoders, freeze=("text_encoder", "history_encoder")))
    with seeded(recipe.train.seed):
        module = ContextReading(model, recipe.doubt)
    module.take_heads(recipe.encoders)
    with PartialState().main_process_first():
        school, exam = school_and_exam(model, recipe, out)

    def lesson(number: int) -> Lesson:
        return school.batch(turn(number, recipe.train.batch_size, len(school.stories), recipe.train.seed))

    fit(module, lesson, recipe.train, out, options=asked(recipe))
    save(module, exam, out)


class ContextReading(FactReading):
    """Encoders that have learned, and a context that learns on; with `doubt`, how likely each answer is where nothing tells it."""

    def __init__(self, model: ARLDM, doubt: bool) -> None:
        super().__init__(model)
        self.doubt = doubt

    def take_heads(self, path: Path) -> None:
        """Begin with the heads that the encoders learned with; only those of the context learn on. Raises ModelError."""
        heads = {name: self.get_submodule(name).requires_grad_(name == "to_draw") for name in HEADS}
        load_parts(heads, path, "heads for these encoders")

    def loss(self, batch: Lesson, generators: Sequence[torch.Generator]) -> Tensor:
        """How well the context tells what is to be drawn, in all frames of the stories; chance as in the first lesson."""
        generator = generators[0]
        history = MODES[int(torch.randint(len(MODES), (1,), generator=generator))]
        batch = batch.until(length := int(torch.randint(3, batch.true.shape[1] + 1, (1,), generator=generator)))
        seen = replace(batch, stories=replace(batch.stories, past_pictures=worn(batch.stories.past_pictures, generator)))
        *_, (_, scores, answered) = self(seen, history, range(length), self.doubt)
        return evened(scores, answered)


def evened(scores: list[Tensor], answered: Tensor) -> Tensor:
    """The mean over all that has an answer, where an attribute that has n counts as the root of n.

    Scores (n, value) for each question, answers (n, question).
    """
    sums, counts = defaultdict(list), defaultdict(int)
    for key, score, wanted in zip(TO_DRAW, scores, answered.T, strict=True):
        sums[key.attribute].append(F.cross_entropy(score, wanted, reduction="sum", ignore_index=ABSENT))
        counts[key.attribute] += int((wanted != ABSENT).sum())
    weights = {name: count**-0.5 for name, count in counts.items() if count}
    return torch.stack([weight * torch.stack(sums[name]).sum() for name, weight in weights.items()]).sum() / sum(
        weight * counts[name] for name, weight in weights.items()
    )

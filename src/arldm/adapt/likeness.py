"""Whom a new character looks like, of all whom a denoiser that knows forms could draw: Textual Inversion (Gal et al. 2023) among
the numbers of a form, of which a few pictures can tell more than of a whole direction."""

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch
from arldm.model.condition import Condition
from arldm.model.noise import item_generators
from arldm.model.prior import turned
from arldm.toonsv.forms import random_form
from arldm.toonsv.world import Dice

TRIED, STEPS, RATE = 64, 150, 0.05
ASKED = 2  # noises under which each of the first forms is compared
SURE = 16  # and under which what was found is compared with whom the names began as


def likeness(model: ARLDM, story: StoryBatch, told: Tensor, named: Tensor, seed: int) -> Tensor:
    """The direction (dim) in which the pictures of a story are told best: a form's, or where no form is better, what it was.

    told (1, frame, summary, dim) are answers, of which `named` (1, frame, summary) speak of the character: as of whom its names
    began as. A stranger whom captions call by many words is still a stranger.
    """
    prior = model.prior
    assert prior is not None

    def error(direction: Tensor, places: range) -> Tensor:
        errors = torch.zeros((), device=model.device)
        for place in places:
            noised = model.noised(story.latents, item_generators(seed, [place]))
            tokens = model.conditioner.summary(torch.where(named[..., None], turned(told, direction), told))
            errors = errors + model.errors_of(noised, Condition(tokens, torch.ones_like(tokens[..., 0], dtype=torch.bool))).mean()
        return errors / len(places)

    forms = torch.tensor([random_form(Dice(f"like/{seed}/{k}")).numbers for k in range(TRIED)], device=model.device)
    with torch.no_grad():
        errors = [error(prior.of_form(numbers), range(ASKED)) for numbers in tqdm(forms, desc="comparing", leave=False)]
    numbers = forms[int(torch.stack(errors).argmin())].clone().requires_grad_()
    optimizer = torch.optim.Adam([numbers], RATE)
    for step in tqdm(range(ASKED, ASKED + STEPS), desc="likening", leave=False):
        loss = error(prior.of_form(numbers), range(step, step + 1))
        numbers.grad = torch.autograd.grad(loss, numbers)[0]  # and nothing for the model's own weights
        optimizer.step()
    began = F.normalize(F.normalize(told[named], dim=-1).mean(0), dim=0)
    found = prior.of_form(numbers).detach()
    with torch.no_grad():
        last = range(ASKED + STEPS, ASKED + STEPS + SURE)
        return min(began, found, key=lambda direction: float(error(direction, last)))

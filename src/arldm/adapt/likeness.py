"""Whom a new character looks like, of all whom a denoiser that knows forms could draw: Textual Inversion (Gal et al. 2023) among
the numbers of a form, of which a few pictures can tell more than of a whole direction."""

import torch
from torch import Tensor
from tqdm import tqdm

from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch
from arldm.model.condition import Condition
from arldm.model.noise import item_generators
from arldm.toonsv.forms import random_form
from arldm.toonsv.world import Dice

TRIED, STEPS, RATE = 64, 150, 0.05


def turned(answers: Tensor, direction: Tensor) -> Tensor:
    """Answers (.., dim), as long as they were, that all point in one direction (dim), of length 1."""
    return direction.to(answers) * answers.norm(dim=-1, keepdim=True)


def form_of(model: ARLDM, story: StoryBatch, told: Tensor, named: Tensor, seed: int) -> Tensor:
    """The direction (dim) in which the pictures of a story are told best: the best of some forms at random, bettered step by step.

    told (1, frame, summary, dim) are answers, of which `named` (1, frame, summary) speak of the character.
    """
    prior = model.prior
    assert prior is not None

    def error(numbers: Tensor, place: int) -> Tensor:
        noised = model.noised(story.latents, item_generators(seed, [place]))
        answers = torch.where(named[..., None], turned(told, prior.of_form(numbers)), told)
        tokens = model.conditioner.summary(answers)
        return model.errors_of(noised, Condition(tokens, torch.ones_like(tokens[..., 0], dtype=torch.bool))).mean()

    forms = torch.tensor([random_form(Dice(f"like/{seed}/{k}")).numbers for k in range(TRIED)], device=model.device)
    with torch.no_grad():
        errors = [sum(error(numbers, place) for place in range(2)) for numbers in tqdm(forms, desc="comparing", leave=False)]
    numbers = forms[int(torch.tensor(errors).argmin())].clone().requires_grad_()
    optimizer = torch.optim.Adam([numbers], RATE)
    for step in tqdm(range(STEPS), desc="likening", leave=False):
        numbers.grad = torch.autograd.grad(error(numbers, 2 + step), numbers)[0]  # and nothing for the model's own weights
        optimizer.step()
    return prior.of_form(numbers).detach()

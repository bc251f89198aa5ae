"""Characters whom nobody knows: what they look like, how scenes with them are told, and how a new one is found among them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from arldm.adapt import likeness as likening
from arldm.adapt.lessons import as_read
from arldm.adapt.likeness import likeness
from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch
from arldm.model.condition import Condition
from arldm.model.noise import item_generators
from arldm.model.prior import Prior, turned
from arldm.recipes import TINY
from arldm.story import Frame, Story
from arldm.toonsv import paint
from arldm.toonsv.cast import NAMES
from arldm.toonsv.forms import FORMS, PARTS, STRONG, random_form, strange
from arldm.toonsv.parts import CROWN, EAR, MARK, MUZZLE
from arldm.toonsv.scenes import random_scene
from arldm.toonsv.world import Dice
from arldm.train.scenes import directions, strange_picture
from conftest import build, picture


@given(st.integers(0, 10**6))
def test_a_form_is_a_point_among_all(seed: int) -> None:
    form = random_form(Dice(str(seed)))
    assert form == random_form(Dice(str(seed)))
    assert len(form.numbers) == FORMS
    assert all(-STRONG <= number <= STRONG for number in form.numbers)
    assert replace(form, ears="round").numbers != replace(form, ears="long").numbers


def test_every_part_can_be_drawn() -> None:
    for name, drawn in (("ears", EAR), ("crown", CROWN), ("mark", MARK), ("muzzle", MUZZLE)):
        assert set(PARTS[name]) == set(drawn)


def test_only_some_who_have_names_are_drawn_as_others() -> None:
    pairs = [(scene, strange(scene)) for scene in (random_scene("train", index) for index in range(40))]
    named = [figure for _, other in pairs for figure in other.figures if figure.who in NAMES]
    assert 0.6 < sum(figure.form is not None for figure in named) / len(named) < 0.9
    for scene, other in pairs:
        assert other == strange(scene)
        assert all(figure.form is None for figure in other.figures if figure.who not in NAMES)
        formed = any(figure.form is not None for figure in other.figures)
        assert (strange_picture(scene, 32) != np.asarray(paint(scene, 32))).any() == formed


def test_nothing_but_the_figures_looks_otherwise() -> None:
    scene = next(
        scene for k in range(99) if (scene := strange(random_scene("train", k))).figures[0].form and len(scene.figures) == 1
    )
    changed = np.asarray(paint(scene)) != np.asarray(paint(replace(scene, figures=(replace(scene.figures[0], form=None),))))
    assert 0.01 < changed.any(-1).mean() < 0.2
    assert not changed[:40].any()


def test_answers_that_turn_stay_as_loud() -> None:
    prior = Prior(3, 4, 16, FORMS)
    index = next(k for k in range(99) if strange(random_scene("train", k)).figures[0].form)
    forms = directions(prior, random_scene("train", index))
    assert float(forms[0].norm()) == pytest.approx(1, abs=1e-5)
    assert forms.any(-1).tolist() == [bool(figure.form) for figure in strange(random_scene("train", index)).figures] + [False] * (
        3 - len(random_scene("train", index).figures)
    )
    answers = torch.randn(5, 3, 16)
    told = turned(answers, forms)
    torch.testing.assert_close(told[:, 0].norm(dim=-1), answers[:, 0].norm(dim=-1))
    torch.testing.assert_close(told[:, 0] @ forms[0], answers[:, 0].norm(dim=-1))


def test_what_forms_mean_is_always_the_same() -> None:
    assert torch.equal(Prior(3, 4, 16, FORMS).forms, Prior(5, 2, 16, FORMS).forms)
    assert not hasattr(Prior(3, 4, 16), "forms")


@pytest.fixture
def knowing() -> ARLDM:
    return build(replace(TINY, choices=4, forms=FORMS))


@pytest.fixture
def told(knowing: ARLDM, monkeypatch: pytest.MonkeyPatch) -> tuple[StoryBatch, Tensor, Tensor]:
    """A story, what it is told as, and which answers speak of the character."""
    for name, few in (("TRIED", 3), ("STEPS", 4), ("SURE", 2)):
        monkeypatch.setattr(likening, name, few)
    story = knowing.batch([Story("n", tuple(Frame("Rumo waves.", picture(t)) for t in range(2)))])
    answers = as_read(knowing, story).told
    assert answers is not None
    named = torch.zeros(answers.shape[:3], dtype=torch.bool)
    named[..., 0] = True
    return story, answers, named


def test_a_new_character_is_found_without_moving_the_model(knowing: ARLDM, told: tuple[StoryBatch, Tensor, Tensor]) -> None:
    before = knowing.hash()
    found = likeness(knowing, *told, 0)
    assert torch.equal(found, likeness(knowing, *told, 0))
    assert float(found.norm()) == pytest.approx(1, abs=1e-5)
    assert knowing.hash() == before
    assert all(weight.grad is None for weight in knowing.parameters())
    assert not torch.equal(found, likeness(knowing, *told, 1))


def test_who_is_told_better_than_by_any_form_stays_who_it_was(knowing: ARLDM, told: tuple[StoryBatch, Tensor, Tensor]) -> None:
    story, answers, named = told

    @torch.no_grad()
    def error(direction: Tensor) -> float:
        tokens = knowing.conditioner.summary(torch.where(named[..., None], turned(answers, direction), answers))
        condition = Condition(tokens, torch.ones(tokens.shape[:-1], dtype=torch.bool))
        places = range(likening.ASKED + likening.STEPS, likening.ASKED + likening.STEPS + likening.SURE)
        return sum(
            float(knowing.errors_of(knowing.noised(story.latents, item_generators(0, [k])), condition).mean()) for k in places
        )

    tried = sorted(F.normalize(torch.randn(200, answers.shape[-1], generator=torch.Generator().manual_seed(0)), dim=-1), key=error)
    for began, stays in ((tried[0], True), (tried[-1], False)):
        answers[named] = turned(answers[named], began)
        assert torch.allclose(likeness(knowing, story, answers, named, 0), began, atol=1e-5) == stays

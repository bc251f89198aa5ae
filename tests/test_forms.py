"""Characters whom nobody knows: what they look like, how scenes with them are told, and how a new one is found among them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from arldm.adapt import likeness
from arldm.adapt.lessons import as_read
from arldm.adapt.likeness import form_of
from arldm.model.arldm import ARLDM
from arldm.model.prior import Prior
from arldm.recipes import TINY
from arldm.story import Frame, Story
from arldm.toonsv import paint
from arldm.toonsv.cast import NAMES
from arldm.toonsv.forms import FORMS, PARTS, random_form, strange
from arldm.toonsv.parts import CROWN, EAR, MARK, MUZZLE
from arldm.toonsv.scenes import random_scene
from arldm.toonsv.world import Dice
from arldm.train.scenes import directions, strange_picture, told_as
from conftest import build, picture


@given(st.integers(0, 10**6))
def test_a_form_is_a_point_among_all(seed: int) -> None:
    form = random_form(Dice(str(seed)))
    assert form == random_form(Dice(str(seed)))
    assert len(form.numbers) == FORMS
    assert all(-1 <= number <= 1 for number in form.numbers)
    assert replace(form, ears="round").numbers != replace(form, ears="long").numbers


def test_every_part_can_be_drawn() -> None:
    for name, drawn in (("ears", EAR), ("crown", CROWN), ("mark", MARK), ("muzzle", MUZZLE)):
        assert set(PARTS[name]) == set(drawn)


def test_only_some_who_have_names_are_drawn_as_others() -> None:
    pairs = [(scene, strange(scene)) for scene in (random_scene("train", index) for index in range(40))]
    named = [figure for _, other in pairs for figure in other.figures if figure.who in NAMES]
    assert 0.3 < sum(figure.form is not None for figure in named) / len(named) < 0.7
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


def test_forms_are_told_as_loud_as_names() -> None:
    prior = Prior(3, 4, 16, FORMS)
    index = next(k for k in range(99) if strange(random_scene("train", k)).figures[0].form)
    forms = directions(prior, random_scene("train", index))
    assert np.linalg.norm(forms[0]) == pytest.approx(1, abs=1e-5)
    dice = np.random.default_rng(0)
    tokens, queries = dice.normal(size=(1, 3, 16)).astype(np.float32), dice.normal(size=(3, 16)).astype(np.float32)
    told = told_as(tokens, forms[None], queries)
    there = forms.any(-1)
    assert np.array_equal(told[:, ~there], tokens[:, ~there])
    np.testing.assert_allclose(np.linalg.norm(told - queries, axis=-1), np.linalg.norm(tokens - queries, axis=-1), rtol=1e-5)
    np.testing.assert_allclose((told - queries)[0, 0] @ forms[0], np.linalg.norm(tokens[0, 0] - queries[0]), rtol=1e-5)


def test_what_forms_mean_is_always_the_same() -> None:
    assert torch.equal(Prior(3, 4, 16, FORMS).forms, Prior(5, 2, 16, FORMS).forms)
    assert not hasattr(Prior(3, 4, 16), "forms")


@pytest.fixture
def knowing() -> ARLDM:
    return build(replace(TINY, choices=4, forms=FORMS))


def test_a_new_character_is_found_without_moving_the_model(knowing: ARLDM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "TRIED", 3)
    monkeypatch.setattr(likeness, "STEPS", 4)
    story = knowing.batch([Story("n", tuple(Frame("Rumo waves.", picture(t)) for t in range(2)))])
    told = as_read(knowing, story).told
    assert told is not None
    named = torch.zeros(told.shape[:3], dtype=torch.bool)
    named[..., 0] = True
    before = knowing.hash()
    found = form_of(knowing, story, told, named, 0)
    assert torch.equal(found, form_of(knowing, story, told, named, 0))
    assert float(found.norm()) == pytest.approx(1, abs=1e-5)
    assert knowing.hash() == before
    assert all(weight.grad is None for weight in knowing.parameters())
    assert not torch.equal(found, form_of(knowing, story, told, named, 1))

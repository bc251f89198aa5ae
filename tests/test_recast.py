"""Stories and portraits of the characters that training never holds."""

from itertools import islice

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from arldm.errors import ConfigError
from arldm.toonsv import painted, plot
from arldm.toonsv.cast import CAST, NAMES, Key, Look, truth
from arldm.toonsv.recast import CALLED, PRONOUNS, called_by_many, portraits, recast, starring

HELD_OUT = tuple(character.name for character in CAST if character.held_out)


@given(st.sampled_from(["val", "test"]), st.integers(0, 400), st.sampled_from(HELD_OUT))
def test_only_the_part_changes(split: str, index: int, new: str) -> None:
    shots = plot(split, index)
    met = {figure.who for shot in shots for figure in shot.scene.figures} & set(NAMES)
    old = next((who for who in sorted(met) if PRONOUNS[who] == PRONOUNS[new]), None)
    assume(old is not None)
    assert old is not None
    for before, after in zip(shots, recast(shots, {old: new}), strict=True):
        assert old not in after.caption.lower().split()
        assert after.caption.lower().replace(new, old) == before.caption.lower()
        assert {(fact.entity, fact.attribute): fact.value for fact in after.facts} == dict(truth(after.scene).items())
        assert [fact.source for fact in after.facts] == [fact.source for fact in before.facts]
        back = recast([after], {new: old})[0]
        assert back == before


@pytest.mark.parametrize("names", [("pako",), ("vesna",), ("pako", "vesna"), ("rumo", "pako")])
def test_they_star(names: tuple[str, ...]) -> None:
    for _, shots in islice(starring("test", names), 5):
        seen = {figure.who for shot in shots for figure in shot.scene.figures}
        assert set(names) <= seen
        assert shots[0].scene.figures[0].who == names[0]
    assert len(painted(shots, "s", 32).frames) == 5


def test_portraits_show_one_alone_and_differ() -> None:
    sets = [portraits(name, draw) for name in HELD_OUT for draw in range(3)]
    for shots, name in zip(sets, [name for name in HELD_OUT for _ in range(3)], strict=True):
        assert len(shots) == 5
        assert all([figure.who for figure in shot.scene.figures] == [name] for shot in shots)
        assert all(name.capitalize() in shot.caption for shot in shots)
    captions = {tuple(shot.caption for shot in shots) for shots in sets}
    assert len(captions) == len(sets)


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_stranger_is_called_by_many_words(split: str) -> None:
    look = Look("purple", "topper", "white", "tan")
    words = set()
    for _, shots in islice(called_by_many(split, look), 20):
        assert all("stranger" not in shot.caption.lower() for shot in shots)
        words |= {name for name in CALLED for shot in shots if name in shot.caption.lower()}
        shown = [figure.look for shot in shots for figure in shot.scene.figures if figure.who == "stranger"]
        assert len(shown) >= 3
        assert set(shown) == {look}
        assert look in [figure.look for figure in shots[0].scene.figures]
        seen = [fact.attribute for fact in shots[0].facts if fact.entity == "stranger" and fact.source == "history"]
        assert not {"coat", "hat", "hat_colour", "skin"} & set(seen)  # in the first frame nothing is known of him
        for shot in shots:
            assert {Key(fact.entity, fact.attribute): fact.value for fact in shot.facts} == truth(shot.scene)
    assert words == set(CALLED)


def test_a_part_is_of_one_pronoun() -> None:
    with pytest.raises(ConfigError, match="got tilo as vesna; expected two of the cast with the same pronoun"):
        recast(plot("test", 0), {"tilo": "vesna"})


def test_two_can_play_each_others_parts() -> None:
    shots = plot("test", 25)
    swapped = recast(shots, {"tilo": "bromm", "bromm": "tilo"})
    assert any("Tilo" in shot.caption and "Bromm" in shot.caption for shot in shots)
    for old, new in zip(shots, swapped, strict=True):
        assert new.caption == old.caption.replace("Tilo", "*").replace("Bromm", "Tilo").replace("*", "Bromm")

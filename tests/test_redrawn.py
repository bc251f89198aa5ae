"""The same captions drawn by another hand, and by one that forgets: all that is told is right, the rest as it must be."""

from collections.abc import Callable

import pytest

from arldm.evaluate.consistency import character_f1, consistency, frame_accuracy, relevance
from arldm.evaluate.measures import by_attribute, measure
from arldm.story import Story
from arldm.toonsv import painted, plot, story
from arldm.toonsv.cast import Key, truth
from arldm.toonsv.plot import Shot
from arldm.toonsv.redrawn import forgotten, otherwise

Readings = list[list[dict[Key, str]]]
COUNT = 40


@pytest.fixture(scope="module")
def told() -> list[Story]:
    return [Story(str(index), tuple(painted(plot("val", index), "", 16).frames)) for index in range(COUNT)]


def scenes(redraw: Callable[[list[Shot], str], list[Shot]]) -> Readings:
    return [[truth(shot.scene) for shot in redraw(plot("val", index), f"drawn/{index}")] for index in range(COUNT)]


@pytest.mark.parametrize("redraw", [forgotten, otherwise])
def test_what_captions_tell_is_right(told: list[Story], redraw: Callable[[list[Shot], str], list[Shot]]) -> None:
    for metric in (relevance, frame_accuracy, character_f1):
        assert measure(list(metric(told, scenes(redraw)))).value == 1


@pytest.mark.parametrize("redraw", [forgotten, otherwise])
def test_facts_are_those_of_the_new_scenes(redraw: Callable[[list[Shot], str], list[Shot]]) -> None:
    for shot in redraw(plot("val", 3, 8), "seed"):
        assert {Key(fact.entity, fact.attribute): fact.value for fact in shot.facts} == truth(shot.scene)


class TestForgotten:
    def test_what_history_tells_is_not(self, told: list[Story]) -> None:
        kept = [one for one in consistency(told, scenes(forgotten)) if one.attribute != "present"]
        assert 0.05 < measure(kept).value < 0.5
        named = [one for one in consistency(told, scenes(forgotten)) if one.attribute == "present"]
        assert measure(named).value == 1  # who is there stays right, though only a pronoun tells it

    def test_every_kind_of_memory_is_lost(self, told: list[Story]) -> None:
        found = by_attribute(list(consistency(told, scenes(forgotten))))
        assert {"hue", "landmark", "side", "shirt", "coat", "mood", "weather", "time", "kind"} <= set(found)
        assert all(one.value < 0.75 for name, one in found.items() if name != "present")

    def test_its_pictures_are_others(self) -> None:
        pictures = [frame.picture for frame in painted(forgotten(plot("val", 3, 4), "seed"), "", 48).frames]
        again = [frame.picture for frame in painted(forgotten(plot("val", 3, 4), "seed"), "", 48).frames]
        true = [frame.picture for frame in story("val", 3, 4, 48).frames]
        assert all(one and two and one.tobytes() == two.tobytes() for one, two in zip(pictures, again, strict=True))
        assert all(one and two and one.tobytes() != two.tobytes() for one, two in zip(pictures, true, strict=True))


class TestOtherwise:
    def test_it_remembers(self, told: list[Story]) -> None:
        assert measure(list(consistency(told, scenes(otherwise)))).value == 1

    def test_it_draws_what_nothing_tells_in_another_way(self, told: list[Story]) -> None:
        drawn = scenes(otherwise)
        free = [
            (fact.attribute, drawn[number][t][Key(fact.entity, fact.attribute)] != fact.value)
            for number, story in enumerate(told)
            for t, frame in enumerate(story.frames)
            for fact in frame.facts
            if fact.source == "free" and fact.attribute not in ("action", "kind")
        ]
        for attribute in ("hue", "landmark", "shirt", "coat", "mood"):
            others = [other for name, other in free if name == attribute]
            assert sum(others) / len(others) > 0.5

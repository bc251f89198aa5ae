"""What a story has settled so far, and how it changes from frame to frame: place, sky, clothes."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from arldm.toonsv import captions as say
from arldm.toonsv.cast import CAST, COLOURS, EXTRA_KINDS, HATS, HUES, PLACES, SIDES, SKINS, TIMES, WEATHERS, Look, Place, Prop

TRAINED = tuple(character.name for character in CAST if not character.held_out)

T = TypeVar("T")


class Dice:
    """Draws that stay the same in every version of Python: only `random()` of a seeded generator is used."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed).random

    def chance(self, share: float) -> bool:
        """True with this probability."""
        return self._random() < share

    def pick(self, values: Sequence[T]) -> T:
        """One of the values, all alike."""
        return values[int(self._random() * len(values))]

    def weighted(self, pairs: Sequence[tuple[T, float]]) -> T:
        """One of the values, by weight."""
        left = self._random() * sum(weight for _, weight in pairs)
        for value, weight in pairs:
            left -= weight
            if left < 0:
                return value
        return pairs[-1][0]


@dataclass
class World:
    """What the story has settled so far."""

    dice: Dice
    frames: int
    roles: dict[str, str]  # lead, friend, extra -> who
    place: Place
    weather: str
    time: str
    training: bool = False  # then no frame holds a combination that is held out
    places: dict[str, Place] = field(default_factory=dict)
    shirts: dict[str, str] = field(default_factory=dict)
    looks: dict[str, Look] = field(default_factory=dict)
    moods: dict[str, str] = field(default_factory=dict)
    prop: Prop | None = None
    prop_seen: bool = False
    holder: str = ""  # who had the prop last
    shown: tuple[str, ...] = ()  # who was in the frame before
    met: set[str] = field(default_factory=set)
    been: dict[str, set[str]] = field(default_factory=dict)  # kind of a place -> who was seen there


def begin(dice: Dice, frames: int, training: bool = False) -> World:
    """A world before its first frame: who will be in the story, where it begins, the sky."""
    lead = dice.pick(TRAINED)
    friend = dice.pick([name for name in TRAINED if name != lead])
    roles = {"lead": lead, "friend": friend}
    if dice.chance(0.75):
        roles["extra"] = dice.pick(EXTRA_KINDS)
    place = _new_place(dice, tuple(PLACES))
    return World(dice, frames, roles, place, dice.pick(WEATHERS), dice.pick(TIMES), training)


def _new_place(dice: Dice, kinds: Sequence[str]) -> Place:
    kind = dice.pick(kinds)
    return Place(kind, dice.pick(HUES), dice.pick(PLACES[kind]), dice.pick(SIDES))


def move(world: World, t: int) -> bool:
    """Goes elsewhere now and then, to a place that is new or known. Returns whether the story goes."""
    dice, old = world.dice, world.place
    world.places[old.kind] = old
    if t == 0:
        return True
    if not dice.chance(0.36):
        return False
    known = [kind for kind in world.places if kind != old.kind]
    if known and (dice.chance(0.7) or len(world.places) >= min(len(PLACES), 2 + world.frames // 6)):
        world.place = world.places[dice.pick(known)]
        return True
    world.place = _new_place(dice, [kind for kind in PLACES if kind not in world.places])
    world.places[world.place.kind] = world.place
    return True


def sky(world: World, t: int) -> list[tuple[str, str]]:
    """Weather and time go on; what changes is always said. Returns (attribute, sentence), one at most."""
    dice = world.dice
    if dice.chance(0.4 if t == 0 else 0.12):
        if t:
            world.weather = dice.pick([weather for weather in WEATHERS if weather != world.weather])
        return [("weather", dice.pick(say.WEATHER[world.weather]))]
    if dice.chance(0.4 if t == 0 else 0.12):
        if t:
            world.time = TIMES[(TIMES.index(world.time) + 1) % 3]
        return [("time", dice.pick(say.TIME[world.time]))]
    return []


def dress(world: World, who: tuple[str, ...]) -> None:
    """Give those who are new the clothes that they keep; no caption ever names them."""
    dice = world.dice
    for one in who:
        if one in TRAINED:
            world.shirts.setdefault(one, dice.pick(COLOURS))
        elif one not in world.looks:
            world.looks[one] = Look(dice.pick(COLOURS), dice.pick(HATS), dice.pick(COLOURS), dice.pick(SKINS))

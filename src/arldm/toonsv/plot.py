"""Stories: a seed becomes scenes, captions, and for every fact of every frame where it can be known from.

`python -m arldm.toonsv.plot` prints some.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from arldm.errors import ConfigError
from arldm.story import Fact, Source
from arldm.toonsv import captions as say
from arldm.toonsv.cast import (
    CAST,
    COLOURS,
    EXTRA_KINDS,
    HATS,
    HUES,
    MOODS,
    PAIR_ACTIONS,
    PLACES,
    PROPS,
    SIDES,
    SKINS,
    TIMES,
    WEATHERS,
    Figure,
    Key,
    Look,
    Place,
    Prop,
    Scene,
    truth,
)

SPLITS = ("train", "val", "test")
LONGEST = 100  # frames
PRONOUNS = {character.name: character.pronoun for character in CAST} | dict(
    zip(EXTRA_KINDS, ("he", "he", "she", "she"), strict=True)
)
TRAINED = tuple(character.name for character in CAST if not character.held_out)
#: who a frame is about, by role, and how often
CASTINGS: tuple[tuple[tuple[str, ...], float], ...] = (
    (("lead",), 0.27),
    (("friend",), 0.12),
    (("extra",), 0.11),
    (("lead", "friend"), 0.22),
    (("lead", "extra"), 0.20),
    (("lead", "friend", "extra"), 0.08),
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame before it is drawn."""

    scene: Scene
    caption: str
    facts: tuple[Fact, ...]


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
class _World:
    """What the story has settled so far."""

    dice: Dice
    frames: int
    roles: dict[str, str]  # lead, friend, extra -> who
    place: Place
    weather: str
    time: str
    places: dict[str, Place] = field(default_factory=dict)
    shirts: dict[str, str] = field(default_factory=dict)
    looks: dict[str, Look] = field(default_factory=dict)
    moods: dict[str, str] = field(default_factory=dict)
    prop: Prop | None = None
    prop_seen: bool = False
    shown: tuple[str, ...] = ()  # who was in the frame before
    met: set[str] = field(default_factory=set)


@dataclass
class _Event:
    """What happens in a frame: who does what, in which words, and which facts the words tell."""

    who: tuple[str, ...]
    actions: dict[str, str]
    verb: str
    subject: str
    many: bool
    told: set[Key] = field(default_factory=set)
    prop: Prop | None = None
    new_prop: bool = False


def plot(split: str, index: int, frames: int = 5) -> list[Shot]:
    """The story number `index` of a split, `frames` long (2 to 100). The same arguments always give the same story."""
    if split not in SPLITS:
        raise ConfigError(f"split: got {split!r}, expected one of {', '.join(SPLITS)}")
    if not 2 <= frames <= LONGEST:
        raise ConfigError(f"frames: got {frames}, expected 2 to {LONGEST}")
    world = _begin(Dice(f"toonsv/{split}/{index}"), frames)
    seen: dict[Key, str] = {}
    return [_shot(world, t, seen) for t in range(frames)]


def _begin(dice: Dice, frames: int) -> _World:
    lead = dice.pick(TRAINED)
    friend = dice.pick([name for name in TRAINED if name != lead])
    roles = {"lead": lead, "friend": friend}
    if dice.chance(0.75):
        roles["extra"] = dice.pick(EXTRA_KINDS)
    place = _new_place(dice, tuple(PLACES))
    return _World(dice, frames, roles, place, dice.pick(WEATHERS), dice.pick(TIMES))


def _new_place(dice: Dice, kinds: Sequence[str]) -> Place:
    kind = dice.pick(kinds)
    return Place(kind, dice.pick(HUES), dice.pick(PLACES[kind]), dice.pick(SIDES))


def _shot(world: _World, t: int, seen: dict[Key, str]) -> Shot:
    movement = _move(world, t)
    told_sky = _sky(world, t)
    event = _event(world, t)
    _dress(world, event.who)
    mood_words = _feel(world, event, t)
    figures = tuple(
        Figure(who, world.moods[who], event.actions[who], world.shirts.get(who), world.looks.get(who)) for who in event.who
    )
    scene = Scene(world.place, world.weather, world.time, figures, event.prop, world.dice.pick(range(16)))
    told = event.told | {Key("scene", what) for what, _ in told_sky}
    if movement:
        told.add(Key("scene", "kind"))
    caption = _caption(world, event, mood_words, movement, [words for _, words in told_sky])
    if event.prop and event.new_prop:  # another one of its kind tells nothing of its colour
        seen.pop(Key(event.prop.kind, "colour"), None)
    facts = tuple(Fact(*key, value, _source(key, value, told, seen, event)) for key, value in truth(scene).items())
    seen.update(truth(scene))
    world.shown = event.who
    world.met.update(event.who)
    return Shot(scene, caption, facts)


def _source(key: Key, value: str, told: set[Key], seen: dict[Key, str], event: _Event) -> Source:
    if key in told:
        return "caption"
    if key.attribute == "action":
        return "free"  # whoever is only there stands, and nothing says so
    if key.attribute == "present":
        return "history"  # meant by a pronoun
    return "history" if seen.get(key) == value else "free"


def _move(world: _World, t: int) -> str:
    """Goes elsewhere now and then. Returns "arrive", "return" or "" (stays)."""
    dice, old = world.dice, world.place
    world.places[old.kind] = old
    if t == 0:
        return "arrive"
    if not dice.chance(0.36):
        return ""
    known = [kind for kind in world.places if kind != old.kind]
    if known and (dice.chance(0.7) or len(world.places) >= min(len(PLACES), 2 + world.frames // 6)):
        world.place = world.places[dice.pick(known)]
        return "return"
    world.place = _new_place(dice, [kind for kind in PLACES if kind not in world.places])
    world.places[world.place.kind] = world.place
    return "arrive"


def _sky(world: _World, t: int) -> list[tuple[str, str]]:
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


def _event(world: _World, t: int) -> _Event:
    dice = world.dice
    if world.frames > 8 and t % 8 == 7 and "extra" in world.roles:  # a long story meets others
        world.roles["extra"] = dice.pick(EXTRA_KINDS[:3] if len(world.looks) < 3 else tuple(world.looks))
    options = [pair for pair in CASTINGS if all(role in world.roles for role in pair[0]) and (t or pair[0][0] == "lead")]
    who = tuple(world.roles[role] for role in dice.weighted(options))
    if len(who) == 1:
        return _alone(world, who[0])
    return _together(world, who)


def _alone(world: _World, who: str) -> _Event:
    dice = world.dice
    subject, told = _refer(world, who)
    if dice.chance(0.3):
        prop, words, prop_told = _take(world)
        new, world.prop_seen = not world.prop_seen, True
        verb = dice.pick(say.TAKE if new else say.KEEP).format(p=words)
        return _Event((who,), {who: "hold"}, verb, subject, False, told | prop_told | {Key(who, "action")}, prop, new)
    action = dice.pick(tuple(say.SOLO))
    return _Event((who,), {who: action}, dice.pick(say.SOLO[action])[0], subject, False, told | {Key(who, "action")})


def _take(world: _World) -> tuple[Prop, str, set[Key]]:
    """The prop of the story, in words: new with or without its colour, or known."""
    dice = world.dice
    if world.prop is None or (not world.prop_seen) or dice.chance(0.25 if world.frames > 8 else 0.1):
        world.prop, world.prop_seen = Prop(dice.pick(PROPS), dice.pick(COLOURS)), False
    told = {Key(world.prop.kind, "present")}
    if world.prop_seen:
        return world.prop, f"the {world.prop.kind}", told
    if dice.chance(0.5):
        return world.prop, f"a {world.prop.colour} {world.prop.kind}", told | {Key(world.prop.kind, "colour")}
    return world.prop, f"{'an' if world.prop.kind == 'umbrella' else 'a'} {world.prop.kind}", told


def _together(world: _World, who: tuple[str, ...]) -> _Event:
    dice = world.dice
    style = dice.weighted((("towards", 0.3), ("both", 0.24), ("pair", 0.26), ("give", 0.2)))
    first, second = who[:2]
    actions = dict.fromkeys(who, "stand")
    (subject, told), (other, other_told) = _refer(world, first), _name(world, second)
    prop, new = None, False
    if style == "give" and not (world.prop_seen and world.prop):
        style = "towards"
    if style == "both":
        action = dice.pick(tuple(say.SOLO))
        actions |= {first: action, second: action}
        verb = dice.pick(say.SOLO[action])[1]
        told, subject = _couple(world, (first, second))
        told |= {Key(first, "action"), Key(second, "action")}
    elif style == "pair":
        action = dice.pick(PAIR_ACTIONS)
        actions |= {first: action, second: action}
        told |= other_told | {Key(first, "action"), Key(second, "action")}
        verb = dice.pick(say.PAIR[action])[0].format(o=other)
        if dice.chance(0.4):
            told, subject = _couple(world, (first, second))
            told |= {Key(first, "action"), Key(second, "action")}
            verb, style = dice.pick(say.PAIR[action])[1], "both"
    elif style == "give":
        prop, words, prop_told = _take(world)
        verb = dice.pick(say.GIVE).format(p=words, o=other)
        new, world.prop_seen = not world.prop_seen, True
        actions[second] = "hold"
        told |= other_told | prop_told | {Key(second, "action")}
    else:
        action = dice.pick(tuple(say.TOWARDS))
        actions[first] = action
        verb = dice.pick(say.TOWARDS[action]).format(o=other)
        told |= other_told | {Key(first, "action")}
    if len(who) == 3:
        watcher, watcher_told = _name(world, who[2])
        verb += dice.pick(say.WATCHES).format(w=watcher)
        told |= watcher_told
    return _Event(who, actions, verb, subject, style == "both", told, prop, new)


def _name(world: _World, who: str) -> tuple[str, set[Key]]:
    """A figure by name or noun, which tells that it is there."""
    words = who if who in TRAINED else say.article(who, who in world.met)
    return words, {Key(who, "present")}


def _refer(world: _World, who: str) -> tuple[str, set[Key]]:
    """A figure by pronoun, where the frame before leaves no doubt whom it means; else by name."""
    same = [other for other in world.shown if PRONOUNS[other] == PRONOUNS[who]]
    if same == [who] and world.dice.chance(0.55):
        return PRONOUNS[who], set()
    return _name(world, who)


def _couple(world: _World, who: tuple[str, str]) -> tuple[set[Key], str]:
    """Two as one subject: "they" if the frame before showed just these two, else both names."""
    if set(world.shown) == set(who) and world.dice.chance(0.65):
        return set(), world.dice.pick(say.COUPLE)
    (first, told), (second, other) = (_name(world, one) for one in who)
    return told | other, f"{first} and {second}"


def _dress(world: _World, who: tuple[str, ...]) -> None:
    dice = world.dice
    for one in who:
        if one in TRAINED:
            world.shirts.setdefault(one, dice.pick(COLOURS))
        elif one not in world.looks:
            world.looks[one] = Look(dice.pick(COLOURS), dice.pick(HATS), dice.pick(COLOURS), dice.pick(SKINS))


def _feel(world: _World, event: _Event, t: int) -> str:
    """Moods last until a caption changes them. Returns the words for the subject's mood, or nothing."""
    dice = world.dice
    for one in event.who:
        world.moods.setdefault(one, dice.pick(MOODS))
    if not dice.chance(0.45):
        return ""
    subjects = event.who[:2] if event.many else event.who[:1]
    mood = dice.pick(MOODS)
    for one in subjects:
        world.moods[one] = mood
        event.told.add(Key(one, "mood"))
    return dice.pick(say.MOOD[mood])


def _caption(world: _World, event: _Event, mood: str, movement: str, sky: list[str]) -> str:
    dice, kind = world.dice, world.place.kind
    verb = event.verb + mood
    if movement:
        pattern = dice.pick(say.ARRIVE if movement == "arrive" else say.RETURN)
        pattern = say.plural(pattern) if event.many else pattern
        # the words of a mood go last, after the place
        core, tail = (event.verb, mood) if pattern.endswith("{place}") else (verb, "")
        place = say.PLACE_IN[kind]
        text = pattern.format(s=event.subject, v=core, place=place, Place=place[:1].upper() + place[1:], to=say.to(kind)) + tail
    else:
        text = f"{event.subject} {verb}"
    return " ".join([*sky, say.sentence(text)] if dice.chance(0.5) else [say.sentence(text), *sky])


def split_hash(split: str = "test", count: int = 200, frames: int = 5) -> str:
    """A fingerprint of the first stories of a split: captions, scenes and facts."""
    digest = hashlib.sha256()
    for index in range(count):
        digest.update(repr(plot(split, index, frames)).encode())
    return digest.hexdigest()


if __name__ == "__main__":
    for number in range(10):
        print(f"\nval {number}")
        for shot in plot("val", number):
            print("  " + shot.caption)
            for source in ("caption", "history", "free"):
                print(
                    f"      {source:8}", "; ".join(f"{f.entity} {f.attribute} {f.value}" for f in shot.facts if f.source == source)
                )

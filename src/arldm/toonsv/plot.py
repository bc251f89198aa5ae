"""Stories: a seed becomes scenes, captions, and for every fact of every frame where it can be known from."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from arldm.errors import ConfigError
from arldm.story import Fact, Source
from arldm.toonsv import captions as say
from arldm.toonsv.cast import Figure, Key, Scene, truth
from arldm.toonsv.events import Event, event_of, feel
from arldm.toonsv.world import Dice, World, begin, dress, move, sky

SPLITS = ("train", "val", "test")
LONGEST = 100  # frames


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame before it is drawn."""

    scene: Scene
    caption: str
    facts: tuple[Fact, ...]

    @property
    def sources(self) -> dict[Key, Source]:
        """Where each fact can be known from."""
        return {Key(fact.entity, fact.attribute): fact.source for fact in self.facts}


def plot(split: str, index: int, frames: int = 5) -> list[Shot]:
    """The story number `index` of a split, `frames` long (2 to 100). The same arguments always give the same story."""
    if split not in SPLITS:
        raise ConfigError(f"split: got {split!r}, expected one of {', '.join(SPLITS)}")
    if not 2 <= frames <= LONGEST:
        raise ConfigError(f"frames: got {frames}, expected 2 to {LONGEST}")
    world = begin(Dice(f"toonsv/{split}/{index}"), frames, training=split == "train")
    seen: dict[Key, str] = {}
    return [_shot(world, t, seen) for t in range(frames)]


def _shot(world: World, t: int, seen: dict[Key, str]) -> Shot:
    moved = move(world, t)
    told_sky = sky(world, t)
    event = event_of(world, t)
    dress(world, event.who)
    mood_words = feel(world, event, t)
    figures = tuple(
        Figure(who, world.moods[who], event.actions[who], world.shirts.get(who), world.looks.get(who)) for who in event.who
    )
    scene = Scene(world.place, world.weather, world.time, figures, event.prop, world.dice.pick((0, 1)))
    told = event.told | {Key("scene", what) for what, _ in told_sky}
    if moved:
        told.add(Key("scene", "kind"))
    caption = _caption(world, event, mood_words, moved, [words for _, words in told_sky])
    if event.prop and event.new_prop:  # another one of its kind tells nothing of its colour
        seen.pop(Key(event.prop.kind, "colour"), None)
    facts = tuple(Fact(*key, value, _source(key, value, told, seen, event)) for key, value in truth(scene).items())
    seen.update(truth(scene))
    world.shown = event.who
    world.met.update(event.who)
    world.been.setdefault(world.place.kind, set()).update(event.who)
    return Shot(scene, caption, facts)


def _source(key: Key, value: str, told: set[Key], seen: dict[Key, str], event: Event) -> Source:
    if key in told:
        return "caption"
    if key.attribute == "action":
        return "free"  # whoever is only there stands, and nothing says so
    if key.attribute == "present":
        return "history"  # meant by a pronoun
    return "history" if seen.get(key) == value else "free"


def _caption(world: World, event: Event, mood: str, moved: bool, sky: list[str]) -> str:
    dice, kind, place = world.dice, world.place.kind, say.PLACE_IN[world.place.kind]
    pattern = "{s} {v}"
    if moved:
        back = world.been.get(kind, set()).issuperset(event.subjects)
        pattern = dice.pick(say.RETURN if back else say.ARRIVE)
        pattern = say.plural(pattern) if event.many else pattern
    text = pattern.format(s=event.subject, v=event.verb, place=place, Place=place[:1].upper() + place[1:], to=say.to(kind))
    text += say.beside(mood, event.watching)
    return " ".join([*sky, say.sentence(text)] if dice.chance(0.5) else [say.sentence(text), *sky])


def split_hash(split: str, stories: Iterable[int], frames: int = 5) -> str:
    """A fingerprint of some stories of a split, by number: captions, scenes and facts, not how they are painted."""
    digest = hashlib.sha256()
    for index in stories:
        digest.update(repr(plot(split, index, frames)).encode())
    return digest.hexdigest()

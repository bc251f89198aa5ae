"""Who and what exists in ToonSV: the closed sets of values, and the records a picture is drawn from.

Everything that can be judged in a picture is a discrete value from one of these tuples, so that reading it back is exact.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

MOODS = ("calm", "happy", "sad", "angry", "surprised", "sleepy")
ACTIONS = ("stand", "wave", "cheer", "sit", "jump", "run", "hold", "hug", "highfive")
PAIR_ACTIONS = ("hug", "highfive")  # done by exactly the first two figures of a scene, towards each other
COLOURS = ("red", "yellow", "green", "blue", "purple", "white")  # shirts, coats, hats and props
HUES = ("rose", "mint", "sky", "honey")  # the unnamed colouring of a place
SIDES = ("left", "right")  # where the landmark of a place stands
WEATHERS = ("clear", "cloudy", "rain", "snow")
TIMES = ("day", "dusk", "night")
PROPS = ("ball", "balloon", "umbrella", "book", "lantern", "cake", "kite", "flower")
EXTRA_KINDS = ("stranger", "old man", "old woman", "child")
HATS = ("none", "cap", "topper", "beanie")
SKINS = ("pale", "tan", "brown")

#: place -> its four possible landmarks, never named in a caption
PLACES: dict[str, tuple[str, str, str, str]] = {
    "beach": ("lighthouse", "palm", "sailboat", "beach hut"),
    "forest": ("hollow oak", "toadstool", "tent", "well"),
    "street": ("clock tower", "lamp post", "fountain", "bus stop"),
    "market": ("fruit stall", "flower cart", "windmill", "carousel"),
    "mountain": ("cabin", "tall pine", "snowman", "ruined tower"),
    "kitchen": ("stove", "fridge", "dresser", "hanging pans"),
    "library": ("globe", "ladder", "long-case clock", "fireplace"),
    "bedroom": ("bed", "wardrobe", "rocking horse", "mirror"),
}
INDOOR = ("kitchen", "library", "bedroom")


@dataclass(frozen=True, slots=True)
class Character:
    """A named character: its body never changes; mood, action and shirt do.

    `held_out` characters never occur in training: they are for adaptation.
    """

    name: str
    species: str
    pronoun: Literal["he", "she"]
    held_out: bool = False


CAST: tuple[Character, ...] = (
    Character("tilo", "fox", "he"),
    Character("fenna", "rabbit", "she"),
    Character("bromm", "bear", "he"),
    Character("zuzi", "frog", "she"),
    Character("quill", "hedgehog", "he"),
    Character("mirla", "bird", "she"),
    Character("lumi", "robot", "she"),
    Character("gorp", "monster", "he"),
    Character("oona", "elephant", "she"),
    Character("pako", "mouse", "he", held_out=True),
    Character("vesna", "deer", "she", held_out=True),
    Character("rumo", "dog", "he", held_out=True),
)
NAMES = tuple(character.name for character in CAST)


@dataclass(frozen=True, slots=True)
class Look:
    """The look of an unnamed extra. Drawn at random once a story, kept all through it, never described."""

    coat: str
    hat: str
    hat_colour: str
    skin: str


@dataclass(frozen=True, slots=True)
class Figure:
    """Someone in a scene. `who` is a cast name or an extra kind; exactly one of `shirt` (cast) and `look` (extra) is set."""

    who: str
    mood: str
    action: str
    shirt: str | None = None
    look: Look | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A place with its free parameters: `hue`, `landmark` and `side` are never described."""

    kind: str
    hue: str
    landmark: str
    side: str


@dataclass(frozen=True, slots=True)
class Prop:
    """The one thing held in a scene, by the figure whose action is `hold`."""

    kind: str
    colour: str


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a picture shows: one to three figures from left to right, at most one of them an extra."""

    place: Place
    weather: str
    time: str
    figures: tuple[Figure, ...]
    prop: Prop | None = None
    aside: int = 0  # 1 = figures stand a step away from the landmark; without meaning, drawn afresh every frame


def held_out(who: str, place: str, prop: str) -> bool:
    """Is this combination of a character, a place and a prop one that training never holds? Every seventh of them is."""
    return who in NAMES and (NAMES.index(who) + 2 * tuple(PLACES).index(place) + 3 * PROPS.index(prop)) % 7 == 0


def holds_held_out(scene: Scene) -> bool:
    """Does a scene hold such a combination?"""
    prop = scene.prop
    return prop is not None and any(held_out(figure.who, scene.place.kind, prop.kind) for figure in scene.figures)


class Key(NamedTuple):
    """What a fact is about, e.g. ("beach", "hue") or ("tilo", "mood")."""

    entity: str
    attribute: str


#: attribute -> its possible values, for each family of entity
SCENE_VALUES = {"kind": tuple(PLACES), "weather": WEATHERS, "time": TIMES}
PLACE_VALUES = {"hue": HUES, "landmark": tuple(mark for marks in PLACES.values() for mark in marks), "side": SIDES}
CHARACTER_VALUES = {"mood": MOODS, "action": ACTIONS, "shirt": COLOURS}
EXTRA_VALUES = {"mood": MOODS, "action": ACTIONS, "coat": COLOURS, "hat": HATS, "hat_colour": COLOURS, "skin": SKINS}
PROP_VALUES = {"colour": COLOURS}


def truth(scene: Scene) -> dict[Key, str]:
    """Every judged fact of a scene.

    Entities: "scene" (kind, weather, time), the kind of the place (hue, landmark, side), each figure (present = "yes" and its
    attributes; an extra without a hat has no hat_colour) and the kind of the prop (present = "yes", colour).
    """
    facts = {
        Key("scene", "kind"): scene.place.kind,
        Key("scene", "weather"): scene.weather,
        Key("scene", "time"): scene.time,
        Key(scene.place.kind, "hue"): scene.place.hue,
        Key(scene.place.kind, "landmark"): scene.place.landmark,
        Key(scene.place.kind, "side"): scene.place.side,
    }
    for figure in scene.figures:
        facts |= {Key(figure.who, "present"): "yes", Key(figure.who, "mood"): figure.mood, Key(figure.who, "action"): figure.action}
        if figure.shirt is not None:
            facts[Key(figure.who, "shirt")] = figure.shirt
        if (look := figure.look) is not None:
            facts |= {Key(figure.who, "coat"): look.coat, Key(figure.who, "hat"): look.hat, Key(figure.who, "skin"): look.skin}
            if look.hat != "none":
                facts[Key(figure.who, "hat_colour")] = look.hat_colour
    if scene.prop is not None:
        facts |= {Key(scene.prop.kind, "present"): "yes", Key(scene.prop.kind, "colour"): scene.prop.colour}
    return facts

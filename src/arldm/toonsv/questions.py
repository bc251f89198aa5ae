"""What can be asked of a picture of ToonSV: every question with its possible answers, as rows of numbers and back."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from arldm.story import Source
from arldm.toonsv.cast import (
    ACTIONS,
    CHARACTER_VALUES,
    COLOURS,
    EXTRA_KINDS,
    EXTRA_VALUES,
    HATS,
    HUES,
    MOODS,
    NAMES,
    PLACE_VALUES,
    PLACES,
    PROP_VALUES,
    PROPS,
    SCENE_VALUES,
    SIDES,
    SKINS,
    TIMES,
    WEATHERS,
    Key,
    Scene,
)
from arldm.toonsv.plot import Shot

ABSENT = -100  # nothing to answer; cross-entropy leaves it out
SEEN = {"present": ("no", "yes")}

Values = Mapping[str, tuple[str, ...]]

#: entities that are asked the same questions
FAMILIES: tuple[tuple[tuple[str, ...], Values], ...] = (
    (("scene",), SCENE_VALUES),
    (tuple(PLACES), PLACE_VALUES),
    (NAMES, SEEN | CHARACTER_VALUES),
    (EXTRA_KINDS, SEEN | EXTRA_VALUES),
    (PROPS, SEEN | PROP_VALUES),
)
QUESTIONS: dict[Key, tuple[str, ...]] = {
    Key(entity, attribute): values for entities, family in FAMILIES for entity in entities for attribute, values in family.items()
}


def answers(facts: Mapping[Key, str]) -> np.ndarray:
    """One number for each question, int64; who or what is not mentioned is not present, and its attributes are ABSENT."""
    row = [values.index(facts[key]) if key in facts else _unsaid(key) for key, values in QUESTIONS.items()]
    return np.array(row, dtype=np.int64)


def reading(row: Sequence[int]) -> dict[Key, str]:
    """The facts that a row of answers states, as `truth` gives them: attributes only of what is present, the place included."""
    said = {key: values[answer] for (key, values), answer in zip(QUESTIONS.items(), row, strict=True) if answer != ABSENT}
    place = said.get(Key("scene", "kind"))

    def stated(key: Key) -> bool:
        if key.entity == "scene" or key.entity == place:
            return True
        if key.entity in PLACES or said.get(Key(key.entity, "present")) != "yes":
            return False
        return can_be_asked(key, said)

    return {key: value for key, value in said.items() if stated(key)}


def can_be_asked(key: Key, said: Mapping[Key, str]) -> bool:
    """Is there what the question is about, as far as the facts `said` tell? No hat has no colour."""
    return key.attribute != "hat_colour" or said.get(Key(key.entity, "hat")) != "none"


def _unsaid(key: Key) -> int:
    return 0 if key.attribute == "present" else ABSENT


#: what someone must know who is to draw a frame: the same facts, by where each figure stands, from left to right
STANDS = ("left", "middle", "right")
WHO = (*NAMES, *EXTRA_KINDS, "nobody")
TO_DRAW: dict[Key, tuple[str, ...]] = {
    Key("scene", "kind"): tuple(PLACES),
    Key("scene", "weather"): WEATHERS,
    Key("scene", "time"): TIMES,
    Key("scene", "hue"): HUES,
    Key("scene", "landmark"): PLACE_VALUES["landmark"],
    Key("scene", "side"): SIDES,
    **{
        Key(where, attribute): values
        for where in STANDS
        for attribute, values in {
            "who": WHO,
            "mood": MOODS,
            "action": ACTIONS,
            "clothes": COLOURS,
            "hat": HATS,
            "hat_colour": COLOURS,
            "skin": SKINS,
        }.items()
    },
    Key("prop", "who"): (*PROPS, "nothing"),
    Key("prop", "colour"): COLOURS,
}


def kind(key: Key) -> str:
    """What is asked, wherever it stands: a red shirt is the same on the left as on the right."""
    return key.attribute if key.entity in STANDS else f"{key.entity} {key.attribute}"


#: kinds that a story may leave to who draws it; the others are always told
FREE = frozenset(map(kind, TO_DRAW)) - {"who", "scene kind", "prop who"}


def to_draw(shot: Shot, sources: Collection[Source]) -> np.ndarray:
    """The answers to TO_DRAW, int64; ABSENT is what none of the `sources` tells. That there is no more than told, they all tell."""
    known = {Key(fact.entity, fact.attribute) for fact in shot.facts if fact.source in sources}
    facts = {}
    for key, (value, source) in _drawn(shot.scene).items():
        if source is None or source in known:
            facts[key] = value
    return np.array([values.index(facts[key]) if key in facts else ABSENT for key, values in TO_DRAW.items()], dtype=np.int64)


def all_to_draw(scene: Scene) -> np.ndarray:
    """The answers to TO_DRAW with nothing kept back, int64; ABSENT is what is not there to be asked of."""
    facts = _drawn(scene)
    return np.array([values.index(facts[key][0]) if key in facts else ABSENT for key, values in TO_DRAW.items()], dtype=np.int64)


def _drawn(scene: Scene) -> dict[Key, tuple[str, Key | None]]:
    """The answers to TO_DRAW, each with the fact that it is; None where it is that there is nothing."""
    place = scene.place
    found: dict[Key, tuple[str, Key | None]] = {
        Key("scene", name): (getattr(scene, name), Key("scene", name)) for name in ("weather", "time")
    }
    found[Key("scene", "kind")] = place.kind, Key("scene", "kind")
    for name in ("hue", "landmark", "side"):
        found[Key("scene", name)] = getattr(place, name), Key(place.kind, name)
    found |= {Key(where, "who"): ("nobody", None) for where in STANDS}
    for where, figure in zip(STANDS, scene.figures, strict=False):
        who = figure.who
        found[Key(where, "who")] = who, Key(who, "present")
        found[Key(where, "mood")] = figure.mood, Key(who, "mood")
        found[Key(where, "action")] = figure.action, Key(who, "action")
        if figure.shirt is not None:
            found[Key(where, "clothes")] = figure.shirt, Key(who, "shirt")
        if (look := figure.look) is not None:
            found[Key(where, "clothes")] = look.coat, Key(who, "coat")
            found[Key(where, "hat")] = look.hat, Key(who, "hat")
            if look.hat != "none":
                found[Key(where, "hat_colour")] = look.hat_colour, Key(who, "hat_colour")
            found[Key(where, "skin")] = look.skin, Key(who, "skin")
    found[Key("prop", "who")] = ("nothing", None)
    if scene.prop is not None:
        found[Key("prop", "who")] = scene.prop.kind, Key(scene.prop.kind, "present")
        found[Key("prop", "colour")] = scene.prop.colour, Key(scene.prop.kind, "colour")
    return found

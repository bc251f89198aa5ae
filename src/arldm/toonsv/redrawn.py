"""The same captions drawn otherwise: by another hand that remembers, and by one that reads each caption and remembers nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from arldm.story import Fact
from arldm.toonsv.cast import (
    COLOURS,
    HATS,
    HUES,
    MOODS,
    PLACES,
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
from arldm.toonsv.plot import Shot
from arldm.toonsv.world import Dice

Choose = Callable[[Key, str, Sequence[str]], str]  # what a fact is about, its value, all that it could be -> what is drawn


def forgotten(shots: Sequence[Shot], seed: str) -> list[Shot]:
    """As one draws who remembers nothing: all that the caption of a frame does not tell is random, frame by frame.

    Who is in a frame and what they do stays right, though a pronoun may tell it.
    """
    drawn = []
    for t, shot in enumerate(shots):
        dice, told = Dice(f"{seed}/{t}"), {key for key, source in shot.sources.items() if source == "caption"}
        drawn.append(_redrawn(shot, lambda key, value, values, dice=dice, told=told: value if key in told else dice.pick(values)))
    return drawn


def otherwise(shots: Sequence[Shot], seed: str) -> list[Shot]:
    """As another would have drawn the same captions: what nothing tells is drawn by these dice once and then remembered.

    Where it happens and who wears a hat stays, so that the same facts can be asked of both.
    """
    dice, held = Dice(seed), dict[Key, str]()

    def choose(key: Key, value: str, values: Sequence[str]) -> str:
        source = sources.get(key, "history" if key in held else "free")
        if source == "free" and key.attribute != "kind":
            value = _hat(value, dice) if key.attribute == "hat" else dice.pick(values)
        elif source == "history":
            value = held.get(key, value)
        held[key] = value
        return value

    drawn = []
    for shot in shots:
        sources = shot.sources
        drawn.append(_redrawn(shot, choose))
    return drawn


def _hat(value: str, dice: Dice) -> str:
    return value if value == "none" else dice.pick([hat for hat in HATS if hat != "none"])


def _redrawn(shot: Shot, choose: Choose) -> Shot:
    """The shot with every value chosen again, and the facts that are true of it then."""
    old = shot.scene
    kind = choose(Key("scene", "kind"), old.place.kind, tuple(PLACES))
    marks = PLACES[kind]
    landmark = old.place.landmark if old.place.landmark in marks else marks[0]
    place = Place(
        kind,
        choose(Key(kind, "hue"), old.place.hue, HUES),
        choose(Key(kind, "landmark"), landmark, marks),
        choose(Key(kind, "side"), old.place.side, SIDES),
    )
    figures = tuple(_figure(figure, choose) for figure in old.figures)
    prop = old.prop and Prop(old.prop.kind, choose(Key(old.prop.kind, "colour"), old.prop.colour, COLOURS))
    weather, time = choose(Key("scene", "weather"), old.weather, WEATHERS), choose(Key("scene", "time"), old.time, TIMES)
    scene, sources = Scene(place, weather, time, figures, prop, old.aside), shot.sources
    return replace(
        shot, scene=scene, facts=tuple(Fact(*key, value, sources.get(key, "free")) for key, value in truth(scene).items())
    )


def _figure(figure: Figure, choose: Choose) -> Figure:
    who, look = figure.who, figure.look
    mood = choose(Key(who, "mood"), figure.mood, MOODS)
    if look is None:
        assert figure.shirt is not None
        return replace(figure, mood=mood, shirt=choose(Key(who, "shirt"), figure.shirt, COLOURS))
    coat, hat = choose(Key(who, "coat"), look.coat, COLOURS), choose(Key(who, "hat"), look.hat, HATS)
    hat_colour, skin = choose(Key(who, "hat_colour"), look.hat_colour, COLOURS), choose(Key(who, "skin"), look.skin, SKINS)
    return replace(figure, mood=mood, look=Look(coat, hat, hat_colour, skin))

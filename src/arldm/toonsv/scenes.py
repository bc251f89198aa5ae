"""Scenes without a story, every value as likely as any other, the held-out characters among them: what a reader learns from."""

from arldm.toonsv.cast import (
    ACTIONS,
    COLOURS,
    EXTRA_KINDS,
    HATS,
    HUES,
    MOODS,
    NAMES,
    PAIR_ACTIONS,
    PLACES,
    PROPS,
    SIDES,
    SKINS,
    TIMES,
    WEATHERS,
    Figure,
    Look,
    Place,
    Prop,
    Scene,
    holds_held_out,
)
from arldm.toonsv.world import TRAINED, Dice

SOLO_ACTIONS = tuple(action for action in ACTIONS if action not in PAIR_ACTIONS)


def random_scene(split: str, index: int) -> Scene:
    """Scene number `index` of a split."""
    dice = Dice(f"toonsv/scenes/{split}/{index}")
    kind = dice.pick(tuple(PLACES))
    place = Place(kind, dice.pick(HUES), dice.pick(PLACES[kind]), dice.pick(SIDES))
    who = _figures(dice)
    actions = [dice.pick(SOLO_ACTIONS) for _ in who]
    if len(who) > 1 and dice.chance(0.3):
        actions[:2] = [dice.pick(PAIR_ACTIONS)] * 2
    holders = [k for k, action in enumerate(actions) if action == "hold"]
    for k in holders[1:]:  # one prop, one holder
        actions[k] = "stand"
    figures = tuple(_figure(dice, one, action) for one, action in zip(who, actions, strict=True))
    prop = Prop(dice.pick(PROPS), dice.pick(COLOURS)) if holders else None
    return Scene(place, dice.pick(WEATHERS), dice.pick(TIMES), figures, prop, dice.pick((0, 1)))


def is_trained(scene: Scene) -> bool:
    """Is everyone in it trained with, and no combination held out?"""
    return not holds_held_out(scene) and all(figure.who in (*TRAINED, *EXTRA_KINDS) for figure in scene.figures)


def _figures(dice: Dice) -> list[str]:
    count = dice.weighted(((1, 0.35), (2, 0.45), (3, 0.2)))
    left = list(NAMES)
    who = [left.pop(dice.pick(range(len(left)))) for _ in range(count)]
    if dice.chance(0.5):
        who[-1] = dice.pick(EXTRA_KINDS)
    return who


def _figure(dice: Dice, who: str, action: str) -> Figure:
    if who in NAMES:
        return Figure(who, dice.pick(MOODS), action, shirt=dice.pick(COLOURS))
    return Figure(
        who, dice.pick(MOODS), action, look=Look(dice.pick(COLOURS), dice.pick(HATS), dice.pick(COLOURS), dice.pick(SKINS))
    )

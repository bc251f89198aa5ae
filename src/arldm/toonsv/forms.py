"""Characters whom nobody knows: heads made of parts at random, no two alike.

The cast is nine, and who learned to draw nine heads has learned nine pictures and not what a head can be: a tenth finds no place in
him (docs/log.md). So single scenes of training show thousands of forms, each told by its numbers, near which a new one will lie.
"""

import colorsys
from dataclasses import dataclass, fields, replace
from typing import Any

from arldm.toonsv.cast import NAMES, Figure, Scene
from arldm.toonsv.world import Dice

EARS = ("none", "round", "pointed", "long", "floppy", "leaf")
CROWNS = ("none", "none", "horns", "antlers", "tuft", "antenna")
MUZZLES = ("none", "oval", "wide", "beak", "mask")
NOSES = ("none", "dark", "pink")
MARKS = ("none", "none", "whiskers", "spots", "patch", "freckles")
TAILS = ("none", "thin", "round", "bushy", "fan")
LEVELS = (-1.0, -0.5, 0.0, 0.5, 1.0)
SHARE = 0.75  # of the named figures of a scene


@dataclass(frozen=True, slots=True)
class Form:
    """The parts of a head, with its tail and the colour of its limbs."""

    ears: str
    crown: str
    muzzle: str
    nose: str
    mark: str
    tail: str
    ear_size: float  # of LEVELS, as all numbers
    ear_place: float  # from the top to the sides
    width: float
    height: float
    eyes_apart: float
    eyes_high: float
    colour: str
    second: str  # of what is of another colour
    ears_second: bool
    limbs_second: bool
    inner: bool  # are ears pink inside?

    @property
    def numbers(self) -> tuple[float, ...]:
        """Where it lies among all forms: FORMS numbers from -1 to 1, those of colours from -STRONG to STRONG."""
        found: list[float] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in PARTS:
                kinds = dict.fromkeys(PARTS[field.name])
                found += [(value == part) - 1 / len(kinds) for part in kinds]
            elif isinstance(value, str):
                found += [STRONG * (int(value[k : k + 2], 16) / 127.5 - 1) for k in (1, 3, 5)]
            else:
                found.append(value if isinstance(value, float) else 2.0 * value - 1)
        return tuple(found)


PARTS = {"ears": EARS, "crown": CROWNS, "muzzle": MUZZLES, "nose": NOSES, "mark": MARKS, "tail": TAILS}
MEASURES = ("ear_size", "ear_place", "width", "height", "eyes_apart", "eyes_high")
CHANCES = {"ears_second": 0.35, "limbs_second": 0.2, "inner": 0.6}
FORMS = 44  # numbers of a form
STRONG = 2.0  # colours are few of the numbers and much of the picture, and no two are as far apart as two parts are


def random_form(dice: Dice) -> Form:
    """Any form, each part as likely as it stands in its list."""
    known: dict[str, Any] = {name: dice.pick(values) for name, values in PARTS.items()}
    known |= {name: dice.pick(LEVELS) for name in MEASURES}
    known |= {name: dice.chance(share) for name, share in CHANCES.items()}
    return Form(**known, colour=_colour(dice), second=_colour(dice))


def strange(scene: Scene) -> Scene:
    """The scene with forms in the place of most of its named figures; the same scene always has the same."""
    dice = Dice(f"toonsv/forms/{scene}")

    def other(figure: Figure) -> Figure:
        return replace(figure, form=random_form(dice)) if figure.who in NAMES and dice.chance(SHARE) else figure

    return replace(scene, figures=tuple(map(other, scene.figures)))


def _colour(dice: Dice) -> str:
    red, green, blue = colorsys.hsv_to_rgb(
        dice.pick(range(24)) / 24, dice.pick((0.06, 0.2, 0.4, 0.6, 0.75)), dice.pick((0.6, 0.8, 0.9))
    )
    return f"#{int(255 * red):02x}{int(255 * green):02x}{int(255 * blue):02x}"

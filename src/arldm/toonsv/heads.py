"""The heads of the twelve characters and of the unnamed extras: what tells them apart in black alone."""

from collections.abc import Callable
from dataclasses import dataclass

from arldm.toonsv.canvas import INK, NAMED, Pen, arc, mix, shade, tint
from arldm.toonsv.cast import Look
from arldm.toonsv.faces import Features

CREAM = "#fff1d9"
NOSE = "#40303f"
SKIN = {"pale": "#fbd9c0", "tan": "#dba06f", "brown": "#8e5a3b"}

Draw = Callable[[Pen, str], None]


@dataclass(frozen=True, slots=True)
class Head:
    """`behind` is drawn before the body, `skull` after it; then comes the face."""

    colour: str
    features: Features
    behind: Draw
    skull: Draw
    tail: str = ""  # bushy | round | thin | fan; "" is none
    limbs: str = ""  # colour of arms and legs where it is not the head's


def nothing(pen: Pen, colour: str) -> None:
    """Draws nothing, where others have something."""


def _muzzle(pen: Pen, y: float = 13, rx: float = 17, ry: float = 12.5, nose: float = 4.4) -> None:
    pen.oval(0, y, rx, ry, CREAM, 0)
    pen.oval(0, y - ry * 0.55, nose * 1.25, nose, NOSE, 0)


def fox(pen: Pen, colour: str) -> None:
    for side in (-1, 1):
        ear = pen.at(0, 0, 1, side)
        ear.shape([(-31, -12), (-33, -52), (-6, -28)], colour)
        ear.shape([(-27, -22), (-29, -43), (-14, -29)], "#4a3140", 0)
    pen.ball(0, 0, 34, 29.5, colour)
    for side in (-1, 1):
        pen.at(0, 0, 1, side).blob([(-28, 5), (-15, 8), (0, 14), (0, 26), (-16, 23.5), (-25, 15)], CREAM, 0)
    pen.stroke(arc(0, 0, 33, 28.6, 20, 160), INK, 2.3)
    pen.oval(0, 7.5, 5.2, 3.9, NOSE, 0)


def rabbit_ears(pen: Pen, colour: str) -> None:
    for side in (-1, 1):
        ear = pen.at(side * 13, -20, 1, side)
        ear.blob([(-8, 8), (-13, -28), (-4, -54), (7, -30), (8, 6)], colour)
        ear.blob([(-4, 2), (-7, -26), (-3, -43), (3, -26), (4, 2)], "#f58fa8", 0)


def rabbit(pen: Pen, colour: str) -> None:
    rabbit_ears(pen, colour)
    pen.ball(0, 0, 32.5, 29, colour)
    pen.oval(0, 14, 14, 9.5, "#ffffff", 0)
    pen.shape([(-4, 5.5), (4, 5.5), (0, 10)], "#e2577a", 1.2)


def bear(pen: Pen, colour: str) -> None:
    for side in (-1, 1):
        pen.ball(side * 26, -24, 12, 12, colour)
        pen.oval(side * 26, -23, 6, 6, "#e3b285", 0)
    pen.ball(0, 0, 37, 31, colour)
    _muzzle(pen, 13, 19, 13.5, 5)


def frog(pen: Pen, colour: str) -> None:
    for side in (-1, 1):
        pen.ball(side * 17, -23, 14.5, 14.5, colour)
    pen.ball(0, 2, 37, 26, colour)
    pen.blob([(-26, 9), (0, 4), (26, 9), (18, 23), (0, 27), (-18, 23)], tint(colour, 0.55), 0)


def spines(pen: Pen, colour: str) -> None:
    points = []
    for i, (x, y) in enumerate(arc(0, 0, 1, 1, 130, 410, 26)):
        radius = 48 if i % 2 else 34
        points.append((x * radius, y * radius))
    pen.shape(points, "#5d4a57")
    pen.oval(0, -3, 34, 33, "#77606b", 0)


def hedgehog(pen: Pen, colour: str) -> None:
    pen.ball(0, 3, 30, 26.5, colour)
    pen.shape([(-24, -12), (-12, -25), (0, -16), (12, -25), (24, -12), (10, -17), (0, -11), (-10, -17)], "#77606b", 0)
    pen.oval(0, 8.5, 5.5, 4.6, NOSE, 0)


def bird(pen: Pen, colour: str) -> None:
    for angle, colour_of in ((-10, "#ffb02e"), (0, colour), (10, "#ffb02e")):
        pen.blob(
            [(angle * 0.3 - 4, -25), (angle * 1.4 - 5, -44), (angle * 2.3, -55), (angle * 1.2 + 5, -42), (angle * 0.3 + 4, -25)],
            colour_of,
        )
    pen.ball(0, 0, 30, 31, colour)
    pen.blob([(-22, -4), (-10, -15), (0, -8), (10, -15), (22, -4), (18, 20), (0, 28), (-18, 20)], "#eaf7f5", 0)
    pen.shape([(-8.5, 3), (8.5, 3), (0, 12)], "#ff9a2e", 2)


def robot(pen: Pen, colour: str) -> None:
    pen.stroke([(0, -28), (0, -44)], INK, 4)
    pen.oval(0, -50, 13, 13, "#fff3bf", 0)
    pen.ball(0, -50, 8.5, 8.5, "#ffd23f")
    for side in (-1, 1):
        pen.box(side * 36 - 5, -9, 10, 20, shade(colour, 0.3), 3)
    pen.slab(-35, -29, 70, 58, colour, 11)
    pen.box(-28, -21, 56, 44, tint(colour, 0.62), 9, 1.6)


def monster(pen: Pen, colour: str) -> None:
    for side in (-1, 1):
        pen.at(0, 0, 1, side).blob([(-22, -18), (-40, -30), (-39, -52), (-31, -38), (-12, -27)], "#fbe3b3")
    pen.ball(0, 1, 33, 31, colour)
    for x, y, r in ((-24, -12, 3.2), (-27, 2, 2.2), (25, -10, 2.8), (24, 16, 3)):
        pen.oval(x, y, r, r, shade(colour, 0.35), 0)
    for side in (-1, 1):
        pen.shape([(side * 13, 24), (side * 8, 24), (side * 10.5, 17)], "#ffffff", 1.4)


def elephant_ears(pen: Pen, colour: str) -> None:
    for side in (-1, 1):
        ear = pen.at(side * 28, -4, 1, -side)
        ear.blob([(10, -24), (-18, -28), (-31, -4), (-19, 22), (8, 18)], colour)
        ear.blob([(4, -15), (-12, -16), (-19, -3), (-11, 11), (3, 10)], "#f3b4c0", 0)


def elephant(pen: Pen, colour: str) -> None:
    pen.ball(0, 0, 31, 30, colour)
    pen.limb([(0, 3), (1, 14), (-4, 24), (-13, 29), (-20, 25)], colour, 9.5)
    pen.oval(0, 2, 5.6, 4, colour, 0)
    for y in (9, 15):
        pen.stroke([(-2.5, y), (4, y)], shade(colour, 0.35), 1.4)


def mouse(pen: Pen, colour: str) -> None:
    for side in (-1, 1):
        pen.ball(side * 31, -27, 22, 22, colour)
        pen.oval(side * 31, -26, 13.5, 13.5, "#f7a8b5", 0)
    pen.ball(0, 0, 30, 27, colour)
    pen.oval(0, 8, 4.6, 4, "#e2577a", 1.3)
    for side in (-1, 1):
        for dy in (-2, 3):
            pen.stroke([(side * 12, 10 + dy * 0.4), (side * 29, 9 + dy * 1.6)], shade(colour, 0.5), 1.2)


def deer(pen: Pen, colour: str) -> None:
    for side in (-1, 1):
        horn = pen.at(side * 11, -24, 1, -side)
        horn.limb([(0, 0), (-9, -16), (-8, -32)], "#8a5a35", 4.4)
        horn.limb([(-8, -15), (-21, -23), (-24, -33)], "#8a5a35", 4)
        pen.at(side * 30, -12, 1, side).blob([(-8, 5), (8, -10), (22, -10), (12, 4), (-2, 10)], colour)
    pen.ball(0, 0, 29, 30.5, colour)
    _muzzle(pen, 15, 15, 12, 4.6)
    for x, y in ((-5, -22), (4, -24), (0, -17)):
        pen.oval(x, y, 2.2, 2.2, CREAM, 0)


def dog(pen: Pen, colour: str) -> None:
    pen.ball(0, 0, 32, 29.5, colour)
    pen.blob([(2, -13), (12, -19), (24, -12), (24, 5), (13, 11), (3, 4)], "#a8714a", 0)
    for side in (-1, 1):
        pen.at(side * 27, -20, 1, side).blob([(-10, -6), (8, -6), (19, 16), (15, 40), (4, 41), (-1, 16)], "#7b4d33")
    _muzzle(pen, 13, 16, 11.5, 5.4)


TWO_LOW = ((-13.0, -1.0), (13.0, -1.0))
HEADS: dict[str, Head] = {
    "fox": Head("#f28a38", Features(mouth=(0, 15.5), skin="#f28a38"), nothing, fox, "bushy", "#5a3a3f"),
    "rabbit": Head("#f7cfd8", Features(mouth=(0, 15.5), skin="#f7cfd8"), nothing, rabbit, "round"),
    "bear": Head("#9a683f", Features(((-14, -4), (14, -4)), mouth=(0, 17), skin="#9a683f"), nothing, bear, "round"),
    "frog": Head("#79c653", Features(((-17, -22), (17, -22)), 8.2, (0, 11), "#79c653", 1.35), nothing, frog),
    "hedgehog": Head("#eccba0", Features(((-12, -2), (12, -2)), 7.2, (0, 19), "#eccba0"), spines, hedgehog, "", "#eccba0"),
    "bird": Head("#2fa7a5", Features(((-12, -5), (12, -5)), 7.4, (0, 19), "#2fa7a5", 0.8), nothing, bird, "fan", "#ff9a2e"),
    "robot": Head("#b9c6d3", Features(((-13, -4), (13, -4)), 7.6, (0, 13.5), "#dfe6ec"), nothing, robot, "", "#8d9cab"),
    "monster": Head("#a56be0", Features(((0, -5),), 12.5, (0, 19), "#a56be0"), nothing, monster, "thin"),
    "elephant": Head(
        "#9fb4cf", Features(((-12.5, -7), (12.5, -7)), 7.2, (10, 15), "#9fb4cf", 0.78), elephant_ears, elephant, "thin"
    ),
    "mouse": Head("#cdbfcb", Features(TWO_LOW, 7.2, (0, 17), "#cdbfcb", 0.85), nothing, mouse, "thin"),
    "deer": Head("#cc8d57", Features(((-12.5, -4), (12.5, -4)), 7.2, (0, 18.5), "#cc8d57", 0.85), nothing, deer, "round"),
    "dog": Head("#f3e2c3", Features(((-12.5, -4), (12.5, -4)), 7.4, (0, 18), "#f3e2c3", 0.9), nothing, dog, "thin"),
}

EXTRA_FEATURES = Features(((-11, -1), (11, -1)), 7.0, (0, 16))


def extra_head(pen: Pen, kind: str, look: Look) -> None:
    """Head and hat of an unnamed extra."""
    skin = SKIN[look.skin]
    hair = {"stranger": "#4b3650", "old man": "#ece8f0", "old woman": "#b9b4c6", "child": "#c86b33"}[kind]
    if kind == "old woman":
        pen.ball(0, -34, 13, 12, hair)
        pen.oval(0, -2, 33, 32, hair)
    elif kind == "stranger":
        pen.blob([(-29, 8), (-33, -14), (-20, -32), (4, -36), (24, -29), (33, -10), (29, 10)], hair)
    for side in (-1, 1):
        pen.oval(side * 28, 3, 6, 7.5, shade(skin, 0.15))
    pen.ball(0, 1, 28.5, 28, skin)
    if kind == "old man":
        pen.blob([(-28, 2), (-20, 10), (0, 9), (20, 10), (28, 2), (27, 22), (12, 38), (0, 42), (-12, 38), (-27, 22)], hair)
    elif kind == "stranger":
        pen.blob([(-27, -6), (-25, -23), (0, -31), (25, -23), (27, -6), (14, -17), (-4, -13), (-16, -18)], hair, 0)
    elif kind == "old woman":
        pen.blob([(-28, -4), (-22, -22), (0, -29), (22, -22), (28, -4), (12, -19), (0, -23), (-12, -19)], hair, 0)
        for side in (-1, 1):
            pen.stroke(arc(side * 11, 0, 11.5, 11.5, 0, 360, 20), mix(INK, "#8f5fd3", 0.4), 1.8)
    else:
        pen.blob([(-14, -24), (-8, -40), (0, -31), (7, -43), (13, -25)], hair)
        pen.blob([(-27, -8), (-20, -24), (0, -29), (20, -24), (27, -8), (10, -19), (0, -14), (-10, -19)], hair, 0)
        for x in (-17, -13, 13, 17):
            pen.oval(x, 10, 1.4, 1.4, shade(skin, 0.4), 0)
    pen.oval(0, 7, 4.2, 3.4, shade(skin, 0.28), 0)
    hat(pen, look.hat, NAMED[look.hat_colour])


def hat(pen: Pen, kind: str, colour: str) -> None:
    """A hat on a head of about 29 units; "none" draws nothing."""
    if kind == "cap":
        pen.shape([*arc(0, -15, 28, 24, 180, 360), (28, -13), (-28, -13)], colour)
        pen.shape([(6, -20), (40, -17), (46, -11), (10, -11)], shade(colour, 0.25))
        pen.oval(0, -39, 3, 2.4, shade(colour, 0.3))
    elif kind == "topper":
        pen.slab(-20, -60, 40, 44, colour, 3)
        pen.box(-20, -29, 40, 8, INK, 0, 0)
        pen.slab(-35, -22, 70, 9, colour, 4)
    elif kind == "beanie":
        pen.shape([*arc(0, -14, 28.5, 30, 180, 360), (28, -12), (-28, -12)], colour)
        pen.box(-30, -22, 60, 12, tint(colour, 0.45) if colour != NAMED["white"] else shade(colour, 0.15), 5)
        pen.ball(0, -46, 9, 9, tint(colour, 0.45) if colour != NAMED["white"] else shade(colour, 0.15))

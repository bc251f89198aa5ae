"""Whole figures: a body, arms and legs in the stance of an action, and the head on top."""

from arldm.toonsv.canvas import INK, NAMED, Pen, Point, arc, shade, tint
from arldm.toonsv.cast import CAST, Figure, Prop
from arldm.toonsv.faces import Features, face, snore
from arldm.toonsv.heads import EXTRA_FEATURES, HEADS, SKIN, Head, extra_head, nothing
from arldm.toonsv.props import prop

HEAD_Y = -96.0  # of a standing figure, in units above its feet
SHOULDER_Y = -63.0
LIFT = {"jump": -32.0, "sit": 16.0}  # of all but the feet, by action, down the picture: whole cells, as in CELL of paint
SPECIES = {character.name: character.species for character in CAST}

#: action -> elbow and hand of the rear and the front arm, in units from the middle of the feet; the figure looks to +x
ARMS: dict[str, tuple[tuple[Point, Point], tuple[Point, Point]]] = {
    "stand": (((-26, -50), (-27, -34)), ((26, -50), (27, -34))),
    "wave": (((-26, -50), (-27, -34)), ((34, -66), (45, -98))),
    "cheer": (((-34, -70), (-45, -106)), ((34, -70), (45, -106))),
    "sit": (((-26, -54), (-17, -40)), ((26, -54), (17, -40))),
    "jump": (((-33, -66), (-46, -76)), ((33, -66), (46, -76))),
    "run": (((-30, -52), (-38, -66)), ((28, -46), (41, -56))),
    "hold": (((-26, -50), (-27, -34)), ((30, -48), (42, -60))),
    "hug": (((-24, -48), (-12, -38)), ((26, -60), (40, -52))),
    "highfive": (((-26, -50), (-27, -34)), ((33, -74), (46, -104))),
}


def figure(pen: Pen, who: Figure, scale: float, held: Prop | None, headless: str = "", *, in_front: bool = True) -> None:
    """Draws a figure on its feet at the pen's origin, looking to +x, with the prop in its front hand if it holds one.

    `scale` is how much larger than the picture's are the pen's units.

    `headless`, a colour, leaves head and tail away: all named characters have one body, with limbs of their own colour.
    Not `in_front`: what is in front of a head is left away: the front arm and what is held.
    """
    lift = LIFT.get(who.action, 0.0) / scale
    shadow = 20 if who.action == "jump" else 31
    pen.oval(0, 1, shadow, 5.5, shade("#77708c", 0.5), 0)
    if who.action == "run":
        for y in (-72, -52, -30):
            pen.stroke([(-62, y), (-46, y)], "#fdfaf2", 3)
    body = pen.at(0, lift)
    top, skin, legs, head = _looks(who, headless)
    if head is not None:
        _tail(body, head)
        head.behind(body.at(0, HEAD_Y), head.colour)
    _legs(pen if who.action == "sit" else body, who.action, legs, shade(top, 0.35) if head is None else legs)
    rear, front = ARMS[who.action]
    body.limb([(-15, SHOULDER_Y), *rear], top if head is None else legs, 7.5)
    body.oval(*rear[1], 5.6, 5.6, skin)
    _torso(body, who, top)
    if not headless:
        _head(body.at(0, HEAD_Y), who, head)
    if not in_front:
        return
    body.limb([(15, SHOULDER_Y), *front], top if head is None else legs, 7.5)
    if held is not None:
        prop(body.at(*front[1], 1.25), held.kind, held.colour)
    body.oval(*front[1], 6, 6, skin)
    if who.action in ("wave", "cheer", "highfive"):
        _sparks(body, front[1])


def _looks(who: Figure, headless: str) -> tuple[str, str, str, Head | None]:
    """Colours of the garment, the hands and the limbs, and the head of a named character."""
    if who.look is not None:
        return NAMED[who.look.coat], SKIN[who.look.skin], "#4a4560", None
    head = Head(headless, EXTRA_FEATURES, nothing, nothing) if headless else HEADS[SPECIES[who.who]]
    limbs = head.limbs or head.colour
    return NAMED[who.shirt or "white"], limbs, limbs, head


def _legs(pen: Pen, action: str, colour: str, shoe: str) -> None:
    if action == "sit":
        pen.slab(-30, -21, 60, 22, "#b98552", 4)
        for side in (-1, 1):
            pen.limb([(side * 9, -22), (side * 19, -19), (side * 20, -5)], colour, 8.5)
            pen.oval(side * 22, -2, 9, 5.5, shade(shoe, 0.25))
        return
    feet = {"run": ((-24, -13), (22, -2)), "jump": ((-17, -9), (17, -9))}.get(action, ((-11, -3), (11, -3)))
    knees = {"run": ((-10, -16), (16, -18)), "jump": ((-19, -22), (19, -22))}.get(action, ((-11, -15), (11, -15)))
    for foot, knee, hip in zip(feet, knees, (-9, 9), strict=True):
        pen.limb([(hip, -32), knee, foot], colour, 8.5)
        pen.oval(foot[0] + 3, foot[1] + 0.5, 9.5, 5.5, shade(shoe, 0.25))


def _torso(pen: Pen, who: Figure, colour: str) -> None:
    low, wide = (-12, 26) if who.look is not None and who.action != "sit" else (-25, 22)
    if who.who == "old woman" and who.action != "sit":
        wide = 31
    pen.blob(
        [(-17, -70), (0, -74), (17, -70), (wide, low - 8), (wide - 6, low), (0, low + 2), (6 - wide, low), (-wide, low - 8)], colour
    )
    pen.shape([(9, -66), (16, -66), (wide - 2.5, low - 8), (wide - 7, low - 2), (6, low - 1)], shade(colour), 0)
    if who.look is not None:
        pen.stroke([(0, -66), (0, low)], shade(colour, 0.45), 1.8)
        for y in (-50, -38, -26):
            pen.oval(4, y, 1.8, 1.8, tint(colour, 0.7) if who.look.coat != "white" else shade(colour, 0.5), 0)
    elif low < -20:
        pen.stroke(
            [(-18, low - 3), (0, low), (18, low - 3)], tint(colour, 0.5) if who.shirt != "white" else shade(colour, 0.3), 2.6
        )


def _tail(pen: Pen, head: Head) -> None:
    if head.tail == "bushy":
        pen.blob([(-12, -30), (-30, -24), (-46, -36), (-52, -58), (-42, -62), (-34, -50), (-18, -44)], head.colour)
        pen.blob([(-45, -46), (-52, -58), (-42, -62), (-38, -54)], "#fff1d9", 0)
    elif head.tail == "round":
        pen.ball(-24, -30, 8.5, 8.5, tint(head.colour, 0.45))
    elif head.tail == "thin":
        pen.limb([(-16, -30), (-30, -26), (-38, -34), (-37, -44)], head.colour, 3.6)
    elif head.tail == "fan":
        for dx in (-34, -40, -42):
            pen.shape([(-14, -40), (dx, -22 - (dx + 42) * 2.2), (dx + 6, -14 - (dx + 42) * 2.2)], head.colour)


def _head(pen: Pen, who: Figure, head: Head | None) -> None:
    if head is not None:
        head.skull(pen, head.colour)
        features = head.features
    else:
        assert who.look is not None
        extra_head(pen, who.who, who.look)
        features = Features(EXTRA_FEATURES.eyes, EXTRA_FEATURES.eye, EXTRA_FEATURES.mouth, SKIN[who.look.skin])
    face(pen.at(2.5, 0), features, who.mood)
    if who.mood == "sleepy":
        snore(pen.at(33, -36))


def _sparks(pen: Pen, hand: Point) -> None:
    x, y = hand
    for angle in (-150, -90, -30):
        (ax, ay), (bx, by) = arc(x, y, 10, 10, angle, angle, 1)[0], arc(x, y, 15, 15, angle, angle, 1)[0]
        pen.stroke([(ax, ay), (bx, by)], INK, 2)

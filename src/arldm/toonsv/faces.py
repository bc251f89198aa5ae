"""Faces: eyes with lids and brows, and a mouth for every mood, so large that they read at a glance."""

from dataclasses import dataclass

from arldm.toonsv.canvas import INK, Pen, arc

MOUTH = "#7c2636"
TONGUE = "#ee7f86"
BLUSH = "#f58a8f"


@dataclass(frozen=True, slots=True)
class Features:
    """Where a face keeps its features, in units from the middle of the head."""

    eyes: tuple[tuple[float, float], ...] = ((-12.5, -3.0), (12.5, -3.0))
    eye: float = 7.6  # radius
    mouth: tuple[float, float] = (0.0, 15.5)
    skin: str = "#ffffff"  # for lids
    wide: float = 1.0  # of the mouth


def face(pen: Pen, features: Features, mood: str) -> None:
    """Draws eyes, brows and mouth; the pen's origin is the middle of the head."""
    for index, (x, y) in enumerate(features.eyes):
        inner = 1 if x < 0 or (x == 0 and index == 0) else -1  # towards the nose
        _eye(pen.at(x, y, features.eye / 7.6, inner), mood, features.skin, single=len(features.eyes) == 1)
    _mouth(pen.at(*features.mouth, features.wide), mood)
    if mood == "happy":
        for x in (-22, 22):
            pen.oval(x, 9, 4.6, 3.2, BLUSH, 0)


def _eye(pen: Pen, mood: str, skin: str, single: bool) -> None:
    """One eye with its brow, drawn as the left one: the nose lies to the right."""
    if mood == "happy":
        pen.stroke(arc(0, 3, 7, 8.5, 190, 350), INK, 3.2)
        return
    if mood == "sleepy":
        pen.stroke(arc(0, -1, 7.4, 6.5, 10, 170), INK, 3.2)
        pen.stroke([(-6.5, 4), (-9, 7)], INK, 2)
        return
    size = 1.28 if mood == "surprised" else 1.0
    pen.oval(0, 0, 7.2 * size, 8.6 * size, "#ffffff", 1.9)
    pupil = 2.7 if mood == "surprised" else 4.3
    pen.oval(1.0, 0.8 if mood != "sad" else 2.2, pupil, pupil * 1.12, INK, 0)
    pen.oval(-0.6, -1.6 if mood != "sad" else 0.2, 1.5, 1.5, "#ffffff", 0)
    if mood == "angry":
        pen.shape([(-10, -11), (10, -11), (9, -2.0), (-9, -7.5)], skin, 0)
        pen.stroke([(-10, -11.5), (9 if not single else 8, -3.0)], INK, 3.8)
        if single:
            pen.stroke([(10, -11.5), (0, -5.5)], INK, 3.8)
    elif mood == "sad":
        pen.shape([(-10, -11), (10, -11), (8, -7.5), (-9, -1.5)], skin, 0)
        pen.stroke([(-9, -6.5), (7, -12.5)], INK, 3.0)
        pen.blob([(-7, 8), (-3.4, 14.5), (-7, 18.5), (-10.6, 14.5)], "#6cc5f2", 1.4)
    elif mood == "surprised":
        pen.stroke(arc(0, -10, 7.5, 7, 205, 335, 6), INK, 2.8)


def _mouth(pen: Pen, mood: str) -> None:
    if mood == "calm":
        pen.stroke(arc(0, -3.5, 6.5, 5, 25, 155, 8), INK, 2.5)
    elif mood == "happy":
        pen.shape([*arc(0, -3.5, 11, 12.5, 0, 180)], MOUTH, 2.2)
        pen.oval(0, 4.8, 5.6, 3.1, TONGUE, 0)
    elif mood == "sad":
        pen.stroke(arc(0, 6, 8.5, 7.5, 205, 335, 8), INK, 2.9)
    elif mood == "angry":
        pen.box(-9, -3.5, 18, 8.5, "#ffffff", 3, 2.1)
        pen.stroke([(-7.5, 0.8), (7.5, 0.8)], INK, 1.4)
        for x in (-3.6, 0.8, 5.0):
            pen.stroke([(x, -2.5), (x, 4)], INK, 1.3)
    elif mood == "surprised":
        pen.oval(0, 2, 5.2, 7, MOUTH, 2.2)
    else:
        pen.oval(1, 1, 3.6, 3.0, MOUTH, 2.0)


def snore(pen: Pen) -> None:
    """Two Zs rising from a sleepy head."""
    for x, y, size in ((0, 0, 5.0), (9, -11, 7.0)):
        pen.stroke([(x, y), (x + size, y), (x, y + size * 1.1), (x + size, y + size * 1.1)], INK, 2.2)

"""The heads of forms, part by part: ears, crowns, muzzles, marks."""

from collections.abc import Callable

from arldm.toonsv.canvas import INK, Pen, shade
from arldm.toonsv.faces import Features
from arldm.toonsv.forms import Form
from arldm.toonsv.heads import CREAM, NOSE, Head

PINK, HORN, BEAK = "#f2a3b1", "#8a5a35", "#ff9a2e"
NOSES = {"dark": NOSE, "pink": "#e2577a"}


def formed(form: Form) -> Head:
    """The head of a form."""
    apart, high = 12.5 + 1.5 * form.eyes_apart, -3.0 - 3 * form.eyes_high
    features = Features(((-apart, high), (apart, high)), 7.4, (0, 18), form.colour, 0.85)

    def skull(pen: Pen, colour: str) -> None:
        CROWN[form.crown](pen, form.second)
        inner = PINK if form.inner else shade(colour, 0.3)
        for side in (-1, 1):
            ear = pen.at((20 + 9 * form.ear_place) * side, -24 + 5 * form.ear_place, 1 + 0.35 * form.ear_size, side)
            EAR[form.ears](ear, form.second if form.ears_second else colour, inner)
        pen.ball(0, 0, 31 + 3 * form.width, 29 + 2 * form.height, colour)
        MARK[form.mark](pen, form.second)
        MUZZLE[form.muzzle](pen, colour)
        if form.nose in NOSES and form.muzzle != "beak":
            pen.oval(0, 7.5, 5, 4.2, NOSES[form.nose], 0)

    return Head(form.colour, features, _nothing, skull, form.tail, form.second if form.limbs_second else "")


def _nothing(pen: Pen, *colours: str) -> None:
    pass


def _round_ear(pen: Pen, colour: str, inner: str) -> None:
    pen.ball(4, -2, 16, 16, colour)
    pen.oval(4, -1, 9.5, 9.5, inner, 0)


def _pointed_ear(pen: Pen, colour: str, inner: str) -> None:
    pen.shape([(-13, 12), (-2, -27), (14, 8)], colour)
    pen.shape([(-7, 5), (-1, -17), (8, 3)], inner, 0)


def _long_ear(pen: Pen, colour: str, inner: str) -> None:
    pen.blob([(-8, 10), (-11, -14), (0, -34), (9, -14), (8, 10)], colour)
    pen.blob([(-4, 6), (-6, -13), (0, -25), (4, -13), (4, 6)], inner, 0)


def _floppy_ear(pen: Pen, colour: str, inner: str) -> None:
    pen.blob([(-9, -2), (8, -3), (19, 18), (14, 40), (4, 41), (-1, 18)], colour)


def _leaf_ear(pen: Pen, colour: str, inner: str) -> None:
    pen.blob([(-6, 12), (8, -4), (25, -6), (15, 9), (0, 16)], colour)


def _horns(pen: Pen, colour: str) -> None:
    for side in (-1, 1):
        pen.at(0, 0, 1, side).blob([(-8, -24), (-20, -34), (-18, -52), (-12, -40), (-2, -28)], "#fbe3b3")


def _antlers(pen: Pen, colour: str) -> None:
    for side in (-1, 1):
        horn = pen.at(side * 11, -24, 1, -side)
        horn.limb([(0, 0), (-7, -16), (-6, -30)], HORN, 4.2)
        horn.limb([(-6, -14), (-19, -21), (-22, -31)], HORN, 3.8)


def _tuft(pen: Pen, colour: str) -> None:
    for x in (-7, 0, 7):
        pen.blob([(x - 4, -24), (2 * x - 4, -42), (2.4 * x, -52), (2 * x + 4, -40), (x + 4, -24)], colour)


def _antenna(pen: Pen, colour: str) -> None:
    pen.stroke([(0, -26), (0, -43)], INK, 3.6)
    pen.ball(0, -48, 8, 8, colour)


def _oval(pen: Pen, colour: str) -> None:
    pen.oval(0, 13.5, 16, 12, CREAM, 0)


def _wide(pen: Pen, colour: str) -> None:
    pen.blob([(-25, 9), (0, 5), (25, 9), (18, 23), (0, 27), (-18, 23)], CREAM, 0)


def _beak(pen: Pen, colour: str) -> None:
    pen.shape([(-9, 3), (9, 3), (0, 13)], BEAK, 2)


def _mask(pen: Pen, colour: str) -> None:
    pen.blob([(-22, -4), (-10, -15), (0, -8), (10, -15), (22, -4), (18, 20), (0, 27), (-18, 20)], CREAM, 0)


def _spots(pen: Pen, colour: str) -> None:
    for x, y in ((-6, -21), (5, -23), (0, -16), (-22, -10), (22, -9)):
        pen.oval(x, y, 2.6, 2.6, colour, 0)


def _patch(pen: Pen, colour: str) -> None:
    pen.blob([(2, -13), (12, -19), (24, -12), (24, 5), (13, 11), (3, 4)], colour, 0)


def _freckles(pen: Pen, colour: str) -> None:
    for x in (-20, -16, 16, 20):
        pen.oval(x, 9, 1.6, 1.6, colour, 0)


def _whiskers(pen: Pen, colour: str) -> None:
    for side in (-1, 1):
        for dy in (-2, 3):
            pen.stroke([(side * 12, 10 + dy * 0.4), (side * 29, 9 + dy * 1.6)], colour, 1.2)


EAR: dict[str, Callable[[Pen, str, str], None]] = {
    "none": _nothing,
    "round": _round_ear,
    "pointed": _pointed_ear,
    "long": _long_ear,
    "floppy": _floppy_ear,
    "leaf": _leaf_ear,
}
CROWN: dict[str, Callable[[Pen, str], None]] = {
    "none": _nothing,
    "horns": _horns,
    "antlers": _antlers,
    "tuft": _tuft,
    "antenna": _antenna,
}
MUZZLE: dict[str, Callable[[Pen, str], None]] = {"none": _nothing, "oval": _oval, "wide": _wide, "beak": _beak, "mask": _mask}
MARK: dict[str, Callable[[Pen, str], None]] = {
    "none": _nothing,
    "whiskers": _whiskers,
    "spots": _spots,
    "patch": _patch,
    "freckles": _freckles,
}

"""The things that are held, each drawn around the hand that holds it, at (0, 0)."""

from collections.abc import Callable

from arldm.toonsv.canvas import INK, NAMED, Pen, arc, shade, tint


def prop(pen: Pen, kind: str, colour: str) -> None:
    """Draws a prop of a named colour; the pen's origin is the hand."""
    PROP_DRAWINGS[kind](pen, NAMED[colour])


def ball(pen: Pen, colour: str) -> None:
    pen.ball(6, -12, 14, 14, colour)
    pen.stroke(arc(6, -12, 13, 5, 10, 170), tint(colour, 0.75) if colour != NAMED["white"] else shade(colour, 0.3), 4)


def balloon(pen: Pen, colour: str) -> None:
    pen.stroke([(0, 0), (3, -18), (1, -34)], INK, 1.4)
    pen.shape([(1, -36), (-3, -31), (5, -31)], shade(colour))
    pen.ball(1, -53, 16, 18, colour)
    pen.stroke(arc(-5, -59, 5, 6, 180, 250, 5), tint(colour, 0.8), 2.2)


def umbrella(pen: Pen, colour: str) -> None:
    pen.stroke([(0, 8), (0, -38)], INK, 2.6)
    pen.shape([*arc(0, -34, 30, 25, 180, 360), (20, -31), (10, -35), (0, -31), (-10, -35), (-20, -31)], colour)
    pen.shape([*arc(0, -34, 30, 25, 300, 360), (20, -31), (10, -35)], shade(colour), 0)
    pen.stroke([*arc(0, -34, 30, 25, 180, 360), (20, -31), (10, -35), (0, -31), (-10, -35), (-20, -31), (-30, -34)])
    pen.stroke([(0, -59), (0, -63)], INK, 2.6)


def book(pen: Pen, colour: str) -> None:
    pen.shape([(-14, -22), (1, -18), (16, -22), (16, 4), (1, 8), (-14, 4)], colour)
    pen.shape([(-10, -21), (1, -17), (12, -21), (12, 0), (1, 3), (-10, 0)], "#fffaf0", 1.5)
    pen.stroke([(1, -17), (1, 3)], INK, 1.5)
    for y in (-14, -9, -4):
        pen.stroke([(-7, y), (-2, y + 1)], "#a9a3b5", 1.3)
        pen.stroke([(4, y + 1), (9, y)], "#a9a3b5", 1.3)


def lantern(pen: Pen, colour: str) -> None:
    pen.stroke(arc(0, 2, 8, 10, 180, 360), INK, 2)
    pen.oval(0, 14, 21, 21, "#fff0b8", 0)
    pen.box(-10, 2, 20, 24, colour, 3)
    pen.box(-5, 7, 10, 14, "#fff6cf", 2, 1.5)
    pen.shape([(0, 8), (3.5, 15), (0, 19), (-3.5, 15)], "#ffb02e", 0)
    pen.box(-12, -1, 24, 5, shade(colour, 0.3), 2)


def cake(pen: Pen, colour: str) -> None:
    pen.oval(2, 2, 21, 5, "#e9e4f0")
    pen.box(-13, -17, 30, 18, "#f4d9a8", 3)
    pen.shape(
        [(-13, -16), (-10, -19), (14, -19), (17, -16), (17, -8), (12, -5), (7, -9), (2, -5), (-4, -9), (-9, -5), (-13, -8)], colour
    )
    pen.ball(2, -23, 5, 5, "#e5484d")


def kite(pen: Pen, colour: str) -> None:
    pen.stroke([(0, 0), (2, -16), (-2, -28)], INK, 1.3)
    pen.shape([(-2, -70), (17, -52), (-2, -28), (-19, -52)], colour)
    pen.shape([(-2, -68), (15, -52), (-2, -52)], tint(colour, 0.45), 0)
    pen.stroke([(-2, -70), (-2, -28)], INK, 1.5)
    pen.stroke([(17, -52), (-19, -52)], INK, 1.5)
    for x, y in ((2, -19), (-1, -10)):
        pen.shape([(x - 5, y - 3), (x + 5, y + 3), (x + 5, y - 3), (x - 5, y + 3)], colour, 1.2)


def flower(pen: Pen, colour: str) -> None:
    pen.stroke([(0, 8), (2, -10), (0, -24)], "#2f7d4c", 3)
    pen.blob([(1, -4), (9, -11), (13, -8), (8, -1)], "#4bb36f", 1.4)
    for x, y in ((0, -40), (11, -32), (7, -20), (-7, -20), (-11, -32)):
        pen.oval(x, y, 7.5, 7.5, colour, 1.8)
    pen.oval(0, -29, 6.5, 6.5, "#ffb02e" if colour != NAMED["yellow"] else "#a8643a", 1.8)


PROP_DRAWINGS: dict[str, Callable[[Pen, str], None]] = {
    "ball": ball,
    "balloon": balloon,
    "umbrella": umbrella,
    "book": book,
    "lantern": lantern,
    "cake": cake,
    "kite": kite,
    "flower": flower,
}

"""The landmarks indoors, furniture: each stands on its base at (0, 0), up to 138 units high and 100 wide."""

from collections.abc import Callable

from arldm.toonsv.canvas import INK, Pen, arc
from arldm.toonsv.landmarks import GLASS, GOLD, WOOD


def stove(pen: Pen) -> None:
    pen.slab(-34, -66, 68, 66, "#5d6b7c", 4)
    pen.box(-22, -38, 44, 28, "#2f2a3d", 4)
    pen.blob([(-12, -12), (-10, -24), (0, -32), (10, -24), (12, -12)], "#ff9a2e", 0)
    for x in (-18, 0, 18):
        pen.oval(x, -52, 4, 4, "#fdfaf2", 1.6)
    pen.ball(-10, -76, 17, 12, "#e5684d")
    pen.box(14, -128, 14, 62, "#8d9cab")


def fridge(pen: Pen) -> None:
    pen.slab(-28, -126, 56, 126, "#a9d8cf", 9)
    pen.stroke([(-27, -80), (27, -80)])
    for y in (-100, -64):
        pen.box(-20, y, 5, 20, "#fdfaf2", 2)
    pen.box(2, -114, 14, 12, GOLD, 1, 1.4)


def dresser(pen: Pen) -> None:
    pen.slab(-40, -128, 80, 128, "#c78f5a", 4)
    for y in (-118, -86):
        pen.box(-33, y, 66, 26, "#7a4f35", 2, 0)
        for x in (-20, 0, 20):
            pen.oval(x, y + 14, 9.5, 9.5, "#fdfaf2", 1.6)
            pen.oval(x, y + 14, 5, 5, "#6fa8dc", 0)
    pen.stroke([(-39, -54), (39, -54)])


def hanging_pans(pen: Pen) -> None:
    pen.box(-44, -126, 88, 8, "#7a4f35", 3)
    for x, drop, colour in ((-29, 34, "#d98a4b"), (2, 46, "#6b7788"), (30, 32, "#d98a4b")):
        pen.stroke([(x, -118), (x, -118 + drop - 12)], INK, 4)
        pen.ball(x, -118 + drop, 15, 15, colour)
    pen.slab(-44, -40, 88, 40, "#e9d2ae", 3)
    pen.box(-48, -48, 96, 9, "#b07a4b", 3)


def globe(pen: Pen) -> None:
    pen.shape([(-26, 0), (-6, -34), (6, -34), (26, 0), (14, 0), (0, -22), (-14, 0)], "#8a5a3f")
    pen.stroke(arc(0, -78, 44, 46, 60, 200), "#d9a441", 5)
    pen.ball(0, -78, 38, 38, "#4f9fdd")
    pen.blob([(-26, -92), (-10, -104), (0, -92), (-8, -74), (-22, -78)], "#79c653", 0)
    pen.blob([(8, -84), (24, -90), (28, -68), (12, -54), (2, -66)], "#79c653", 0)


def ladder(pen: Pen) -> None:
    for x, colour in ((-36, "#c4553f"), (-24, "#4fa37a"), (-12, "#e0b04a"), (24, "#7b5fae"), (34, "#4f8fc9")):
        pen.box(x, -62, 11, 62, colour, 2, 1.8)
    for x in (-14, 16):
        pen.limb([(x - 10, 0), (x, -132)], "#e0a860", 6)
    for y in (-18, -46, -74, -102):
        pen.limb([(-16 - y * 0.02, y), (14 - y * 0.03, y)], "#e0a860", 4.5)


def long_case_clock(pen: Pen) -> None:
    pen.slab(-20, -96, 40, 96, "#7a4a34", 2)
    pen.shape([(-28, -124), (0, -138), (28, -124), (28, -88), (-28, -88)], "#8f5a3e")
    pen.oval(0, -106, 15, 15, "#fffaf0")
    pen.stroke([(0, -106), (0, -116)], INK, 2.4)
    pen.stroke([(0, -106), (7, -103)], INK, 2.4)
    pen.box(-11, -78, 22, 56, "#f6e3bd", 3)
    pen.stroke([(0, -78), (3, -42)], INK, 2)
    pen.ball(3, -38, 6.5, 6.5, GOLD)


def fireplace(pen: Pen) -> None:
    pen.box(-26, -132, 52, 44, "#b9aebf", 0)
    pen.slab(-40, -84, 80, 84, "#c9695a", 3)
    pen.box(-48, -92, 96, 11, "#f2e6d0", 3)
    pen.shape([(-25, 0), *arc(0, -34, 25, 24, 180, 360), (25, 0)], "#3a2b35")
    pen.blob([(-18, 0), (-15, -20), (-5, -14), (0, -38), (9, -16), (16, -22), (18, 0)], "#ff9a2e", 0)
    pen.blob([(-9, 0), (-5, -12), (1, -22), (7, -10), (9, 0)], GOLD, 0)


def bed(pen: Pen) -> None:
    pen.slab(-44, -96, 14, 96, WOOD, 5)
    pen.box(-32, -44, 82, 30, "#fdfaf2", 6)
    pen.box(-6, -48, 56, 36, "#5f7fd0", 7)
    for x in (6, 24, 42):
        pen.oval(x, -30, 4.5, 4.5, GOLD, 0)
    pen.blob([(-30, -46), (-30, -62), (-8, -62), (-6, -46)], "#fffaf0")
    pen.box(-34, -14, 84, 9, WOOD, 2)


def wardrobe(pen: Pen) -> None:
    pen.slab(-36, -122, 72, 122, "#b5744f", 4)
    pen.box(-42, -132, 84, 12, "#93583a", 4)
    pen.stroke([(0, -120), (0, -2)])
    for side in (-1, 1):
        pen.box(side * 18 - 11, -108, 22, 88, "#cb8d63", 3, 1.6)
        pen.oval(side * 5, -60, 3, 3, GOLD, 1.4)


def rocking_horse(pen: Pen) -> None:
    pen.stroke(arc(0, -46, 46, 42, 35, 145), "#c4553f", 7)
    for x in (-20, 18):
        pen.limb([(x, -12), (x * 0.8, -44)], "#f3e2c3", 8)
    pen.blob(
        [
            (-32, -52),
            (-20, -66),
            (12, -64),
            (22, -94),
            (34, -100),
            (48, -80),
            (42, -72),
            (32, -72),
            (28, -44),
            (0, -36),
            (-26, -38),
        ],
        "#f3e2c3",
    )
    pen.blob([(8, -64), (14, -96), (26, -108), (26, -92), (18, -66)], "#7b5fae", 1.8)
    pen.blob([(-30, -52), (-46, -58), (-44, -36), (-36, -36)], "#7b5fae", 1.8)
    pen.oval(34, -86, 2.6, 3.2, INK, 0)
    pen.box(-12, -68, 22, 10, "#e5484d", 4)


def mirror(pen: Pen) -> None:
    for side in (-1, 1):
        pen.limb([(side * 16, -30), (side * 26, 0)], "#d9a441", 5)
    pen.oval(0, -76, 34, 56, "#d9a441")
    pen.oval(0, -76, 26, 47, GLASS, 1.8)
    for dx in (-8, 3):
        pen.stroke([(dx - 8, -62), (dx + 8, -96)], "#fdfdff", 4)


FURNITURE_DRAWINGS: dict[str, Callable[[Pen], None]] = {
    drawing.__name__.replace("_", " "): drawing
    for drawing in (
        *(stove, fridge, dresser, hanging_pans),
        *(globe, ladder, fireplace),
        *(bed, wardrobe, rocking_horse, mirror),
    )
} | {"long-case clock": long_case_clock}

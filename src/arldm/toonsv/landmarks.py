"""The landmarks outdoors: each stands on its base at (0, 0), up to some 140 units high and 110 wide."""

from collections.abc import Callable

from arldm.toonsv.canvas import INK, NAMED, Pen, arc, shade

WOOD = "#b07a4b"
STONE = "#cfc7d6"
GLASS = "#cdeaf7"
GOLD = "#ffd23f"


def lighthouse(pen: Pen) -> None:
    pen.shape([(-17, 0), (-12, -92), (12, -92), (17, 0)], "#fdfaf2")
    for y in (-76, -44, -12):
        w = 12 + 5 * (92 + y) / 92
        pen.shape([(-w, y), (w, y), (w + 0.8, y + 15), (-w - 0.8, y + 15)], NAMED["red"], 0)
    pen.stroke([(-17, 0), (-12, -92)])
    pen.stroke([(17, 0), (12, -92)])
    pen.box(-18, -98, 36, 7, INK, 2, 0)
    pen.box(-10, -114, 20, 16, GOLD)
    pen.shape([(-15, -114), (0, -130), (15, -114)], NAMED["red"])


def palm(pen: Pen) -> None:
    pen.limb([(4, 0), (-4, -36), (-2, -70), (6, -96)], "#b98552", 9)
    for tip in ((-42, -92), (-34, -122), (2, -132), (40, -122), (50, -90)):
        x, y = tip
        pen.blob([(6, -98), (x * 0.5 + 3, y * 0.5 - 58), (x, y), (x * 0.5 + 6, y * 0.5 - 44)], "#3f9d5f")
    for x in (-2, 9):
        pen.ball(x, -92, 6, 6, "#8a5a35")


def sailboat(pen: Pen) -> None:
    pen.shape([(-38, -22), (38, -22), (27, -2), (-27, -2)], "#c4553f")
    pen.box(-36, -26, 72, 6, "#fdfaf2", 2)
    pen.stroke([(0, -26), (0, -124)], INK, 3.4)
    pen.shape([(4, -120), (36, -34), (4, -34)], "#fdfaf2")
    pen.shape([(-4, -108), (-30, -34), (-4, -34)], GOLD)


def beach_hut(pen: Pen) -> None:
    pen.box(-32, -66, 64, 66, "#fdfaf2")
    for x in range(-30, 30, 16):
        pen.box(x, -65, 8, 64, "#4fb3c9", 0, 0)
    pen.box(-12, -44, 24, 44, "#8f5fd3", 3)
    pen.shape([(-42, -62), (0, -106), (42, -62)], "#f08a4b")
    pen.oval(0, -76, 7, 7, GLASS)


def hollow_oak(pen: Pen) -> None:
    pen.blob([(-24, 0), (-15, -34), (-20, -68), (18, -68), (15, -34), (26, 0)], "#8a5a3f")
    pen.oval(0, -34, 9, 13, "#40303f")
    pen.blob([(-44, -74), (-40, -108), (-12, -130), (20, -128), (44, -104), (42, -72), (14, -58), (-18, -60)], "#4f8f4a")
    pen.blob([(-34, -84), (-26, -108), (-4, -118), (0, -96), (-18, -80)], "#6cab5a", 0)


def toadstool(pen: Pen) -> None:
    pen.blob([(-14, 0), (-11, -40), (-12, -66), (12, -66), (11, -40), (14, 0)], "#fff4df")
    pen.shape([*arc(0, -62, 46, 58, 180, 360), (30, -54), (-30, -54)], NAMED["red"])
    for x, y, r in ((-24, -80, 8), (2, -100, 9), (26, -78, 7), (0, -70, 6)):
        pen.oval(x, y, r, r * 0.9, "#fffaf0", 0)


def tent(pen: Pen) -> None:
    pen.shape([(-46, 0), (0, -84), (46, 0)], "#f0a03c")
    pen.shape([(0, -84), (46, 0), (24, 0)], shade("#f0a03c"), 0)
    pen.shape([(-16, 0), (0, -58), (16, 0)], "#46304a")
    pen.stroke([(0, -84), (0, -104)], INK, 2.6)
    pen.shape([(0, -104), (20, -97), (0, -90)], NAMED["blue"])


def well(pen: Pen) -> None:
    for x in (-27, 21):
        pen.box(x, -86, 7, 60, WOOD)
    pen.slab(-34, -38, 68, 38, STONE, 4)
    for x, y in ((-22, -28), (0, -20), (-12, -10), (14, -30)):
        pen.box(x, y, 14, 6, shade(STONE, 0.25), 2, 0)
    pen.shape([(-44, -80), (0, -116), (44, -80)], "#7b5fae")
    pen.stroke([(0, -80), (0, -54)], INK, 2)
    pen.box(-8, -56, 16, 14, "#8d9cab", 2)


def clock_tower(pen: Pen) -> None:
    pen.slab(-22, -100, 44, 100, "#e8d3b0")
    pen.shape([(-30, -98), (0, -136), (30, -98)], "#7b5fae")
    pen.oval(0, -78, 16, 16, "#fffaf0")
    pen.stroke([(0, -78), (0, -89)], INK, 2.6)
    pen.stroke([(0, -78), (8, -74)], INK, 2.6)
    pen.box(-9, -40, 18, 40, "#8a5a3f", 6)


def lamp_post(pen: Pen) -> None:
    pen.stroke([(0, 0), (0, -92)], INK, 7)
    pen.box(-13, -6, 26, 7, INK, 2, 0)
    pen.oval(0, -106, 28, 28, "#fff3bf", 0)
    pen.shape([(-13, -118), (13, -118), (9, -92), (-9, -92)], GOLD)
    pen.shape([(-18, -117), (0, -132), (18, -117)], "#4a4560")


def fountain(pen: Pen) -> None:
    for side in (-1, 1):
        pen.stroke(arc(side * 16, -78, 16, 36, 180 if side > 0 else 360, 360 if side > 0 else 180), "#bfe6fb", 5)
    pen.stroke([(0, -60), (0, -116)], "#dff4ff", 6)
    pen.box(-7, -66, 14, 50, STONE)
    pen.slab(-26, -70, 52, 10, STONE, 5)
    pen.slab(-44, -22, 88, 22, STONE, 6)
    pen.oval(0, -21, 38, 5, "#6cc5f2")


def bus_stop(pen: Pen) -> None:
    for x in (-34, 28):
        pen.box(x, -84, 6, 84, "#4a4560", 0, 0)
    pen.box(-32, -80, 62, 52, GLASS)
    pen.slab(-44, -94, 88, 14, "#e5684d", 5)
    pen.box(-28, -24, 54, 7, WOOD, 2)
    pen.oval(0, -112, 13, 13, NAMED["blue"])
    pen.box(-7, -116, 14, 8, "#fffaf0", 2, 0)


def fruit_stall(pen: Pen) -> None:
    pen.slab(-42, -36, 84, 36, WOOD, 3)
    for x, colour in ((-30, "#e5484d"), (-12, "#f0a03c"), (6, "#79c653"), (24, "#ffd23f")):
        for dx in (-5, 5):
            pen.ball(x + dx + 3, -39, 7, 7, colour, 1.8)
    for x in (-40, 36):
        pen.box(x, -92, 5, 56, "#fdfaf2")
    for i in range(6):
        pen.shape(
            [(-48 + i * 16, -92), (-32 + i * 16, -92), (-28 + i * 13.6 - 6, -116), (-40 + i * 13.4, -116)],
            "#e5484d" if i % 2 else "#fdfaf2",
            1.6,
        )
    for i in range(6):
        pen.shape(arc(-40 + i * 16, -92, 8, 8, 0, 180, 6), "#e5484d" if i % 2 else "#fdfaf2", 1.6)


def flower_cart(pen: Pen) -> None:
    pen.box(-40, -54, 80, 30, "#4fa37a", 4)
    for x in (-24, 24):
        pen.oval(x, -15, 15, 15, WOOD)
        pen.oval(x, -15, 4, 4, INK, 0)
    for i, (x, y) in enumerate(((-30, -62), (-12, -70), (8, -64), (28, -68), (-22, -80), (0, -86), (20, -82))):
        pen.stroke([(x, y), (x * 0.8, -52)], "#2f7d4c", 2.4)
        pen.ball(x, y, 10, 9, ("#f58fa8", "#ffd23f", "#fdfaf2", "#b48be6")[i % 4], 1.8)


def windmill(pen: Pen) -> None:
    pen.shape([(-24, 0), (-15, -82), (15, -82), (24, 0)], "#fdf3dc")
    pen.shape([(6, -80), (15, -82), (24, 0), (12, 0)], shade("#fdf3dc"), 0)
    pen.shape([(-18, -80), (0, -104), (18, -80)], "#a8553f")
    for dx, dy in ((30, -30), (-30, -30), (30, 30), (-30, 30)):
        pen.shape([(0, -84), (dx, -84 + dy), (dx + dy * 0.35, -84 + dy - dx * 0.35), (dy * 0.18, -84 - dx * 0.18)], "#fffaf0", 2)
    pen.oval(0, -84, 5, 5, INK, 0)
    pen.box(-8, -28, 16, 28, "#8a5a3f", 6)


def carousel(pen: Pen) -> None:
    for x in (-30, 0, 30):
        pen.stroke([(x, -10), (x, -78)], "#d9a441", 4)
    for x, colour in ((-30, "#fdfaf2"), (0, "#f58fa8"), (30, "#8fbdec")):
        pen.blob([(x - 12, -36), (x - 4, -42), (x + 6, -42), (x + 10, -56), (x + 15, -50), (x + 12, -34), (x, -30)], colour, 1.8)
    pen.slab(-44, -12, 88, 12, "#7b5fae", 4)
    pen.shape([(-48, -76), (0, -122), (48, -76)], "#fdfaf2")
    pen.shape([(-30, -76), (0, -122), (-10, -76)], NAMED["purple"], 1.6)
    pen.shape([(30, -76), (0, -122), (10, -76)], NAMED["purple"], 1.6)
    pen.shape([(0, -122), (0, -136), (16, -129)], GOLD)


def cabin(pen: Pen) -> None:
    pen.slab(-38, -56, 76, 56, WOOD)
    for y in (-44, -30, -16):
        pen.stroke([(-36, y), (36, y)], shade(WOOD, 0.35), 2)
    pen.box(18, -108, 14, 34, "#8d7f9c")
    pen.shape([(-50, -52), (0, -102), (50, -52)], "#7a4a3a")
    pen.shape([(-50, -52), (0, -102), (50, -52), (38, -54), (0, -88), (-38, -54)], "#fffdf6")
    pen.box(-10, -34, 20, 34, "#5d3b2e", 2)
    pen.box(16, -40, 14, 14, GOLD, 2)


def tall_pine(pen: Pen) -> None:
    pen.box(-6, -20, 12, 20, "#8a5a3f")
    for y, w in ((-14, 38), (-46, 31), (-78, 23)):
        pen.shape([(-w, y), (0, y - 54), (w, y)], "#2f7f63")
        pen.shape([(-w * 0.4, y - 32), (0, y - 53), (w * 0.4, y - 32), (w * 0.1, y - 38), (-w * 0.15, y - 30)], "#fffdf6", 0)


def snowman(pen: Pen) -> None:
    pen.ball(0, -28, 34, 30, "#fbfbff")
    pen.ball(0, -72, 24, 22, "#fbfbff")
    pen.stroke([(-30, -38), (-52, -62)], "#7a4a3a", 3.4)
    pen.stroke([(30, -38), (52, -62)], "#7a4a3a", 3.4)
    pen.box(-18, -118, 36, 28, INK, 3, 0)
    pen.box(-26, -94, 52, 7, INK, 2, 0)
    pen.shape([(0, -74), (22, -68), (0, -66)], "#f08a3c", 1.6)
    for x in (-9, 9):
        pen.oval(x, -80, 3, 3, INK, 0)
    pen.box(-22, -56, 44, 9, NAMED["red"], 4)


def ruined_tower(pen: Pen) -> None:
    pen.shape(
        [(-28, 0), (-26, -112), (-16, -112), (-16, -100), (-4, -100), (-4, -112), (6, -106), (12, -86), (24, -80), (28, 0)], STONE
    )
    pen.shape([(12, -84), (24, -80), (28, 0), (12, 0)], shade(STONE), 0)
    pen.box(-8, -78, 11, 22, "#46405a", 5)
    for x, y in ((-20, -40), (0, -30), (-14, -16), (10, -52)):
        pen.box(x, y, 12, 6, shade(STONE, 0.25), 2, 0)
    pen.blob([(-28, 0), (-30, -40), (-22, -62), (-16, -36), (-18, 0)], "#4f8f4a", 1.8)


LANDMARK_DRAWINGS: dict[str, Callable[[Pen], None]] = {
    drawing.__name__.replace("_", " "): drawing
    for drawing in (
        *(lighthouse, palm, sailboat, beach_hut),
        *(hollow_oak, toadstool, tent, well),
        *(clock_tower, lamp_post, fountain, bus_stop),
        *(fruit_stall, flower_cart, windmill, carousel),
        *(cabin, tall_pine, snowman, ruined_tower),
    )
}

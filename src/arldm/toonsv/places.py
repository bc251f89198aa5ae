"""The eight places, each in three depths: sky or wall, the middle with its landmark, the ground to stand on."""

from collections.abc import Callable

from arldm.toonsv.canvas import HUE, Pen, arc, mix, shade, tint
from arldm.toonsv.cast import INDOOR, Place
from arldm.toonsv.furniture import FURNITURE_DRAWINGS
from arldm.toonsv.landmarks import LANDMARK_DRAWINGS
from arldm.toonsv.sky import fallen, sky

HORIZON = 150.0
SKIRTING = 182.0  # where an indoor wall meets the floor
LANDMARK_X = 40.0  # from the side it stands on


def place(pen: Pen, where: Place, weather: str, time: str) -> None:
    """Draws all that lies behind the figures, in the light of the time."""
    flip = 1 if where.side == "left" else -1
    pen = pen.lit(time)
    # a place is drawn with its landmark on the left and mirrored as a whole for the right
    sided = pen if flip > 0 else pen.at(256, 0, 1, -1)
    hue = HUE[where.hue]
    if where.kind in INDOOR:
        PLACE_DRAWINGS[where.kind](sided, hue)
        _window(sided, weather, time)
        FURNITURE_DRAWINGS[where.landmark](pen.at(LANDMARK_X if flip > 0 else 256 - LANDMARK_X, SKIRTING + 6))
    else:
        sky(sided, weather, time)
        PLACE_DRAWINGS[where.kind](sided, hue)
        LANDMARK_DRAWINGS[where.landmark](pen.at(LANDMARK_X if flip > 0 else 256 - LANDMARK_X, HORIZON + 12))
        fallen(sided, weather)


def beach(pen: Pen, hue: str) -> None:
    pen.box(0, 108, 256, 60, "#4fb6d8", 0, 0)
    for x, y in ((108, 120), (160, 128), (214, 117), (132, 136)):
        pen.stroke([(x - 9, y), (x + 9, y)], "#dff4fb", 2.2)
    pen.blob([(-30, 170), (20, 152), (90, 146), (170, 150), (286, 140), (300, 300), (-40, 300)], tint(hue, 0.15))
    pen.stroke([(-5, 158), (40, 149), (92, 145), (170, 149), (262, 140)], "#fffdf6", 4)
    for x, y in ((24, 214), (222, 200), (236, 232), (120, 246)):
        pen.oval(x, y, 5, 3, shade(hue, 0.22), 0)
    pen.shape(
        [
            (200 + dx, 186 + dy)
            for dx, dy in ((0, -8), (2, -2), (8, -2), (3, 2), (5, 8), (0, 4), (-5, 8), (-3, 2), (-8, -2), (-2, -2))
        ],
        "#f08a5b",
        1.4,
    )


def forest(pen: Pen, hue: str) -> None:
    for x, height in ((112, 62), (150, 78), (190, 58), (226, 82), (262, 66), (84, 70), (8, 80)):
        pen.box(x - 4, HORIZON - 30, 8, 36, "#7a5a48", 0, 0)
        pen.oval(x, HORIZON - height * 0.72, 24, height * 0.5, shade(hue, 0.18), 0)
    for x, height in ((128, 54), (172, 62), (212, 52), (246, 60)):
        pen.box(x - 3.5, HORIZON - 26, 7, 32, "#7a5a48", 0, 1.4)
        pen.ball(x, HORIZON - height * 0.66, 21, height * 0.46, hue)
    pen.blob([(-30, 160), (60, 146), (160, 152), (290, 146), (300, 300), (-40, 300)], "#86b765")
    pen.blob([(90, 176), (150, 164), (215, 168), (170, 186), (270, 260), (40, 262), (120, 200)], "#d9bd8a", 0)
    for x, y in ((20, 196), (230, 182), (14, 236), (242, 226)):
        pen.stroke([(x - 4, y), (x - 5, y - 8)], "#4f8f4a", 2)
        pen.stroke([(x, y), (x + 1, y - 10)], "#4f8f4a", 2)


def street(pen: Pen, hue: str) -> None:
    for x, width, height, colour in (
        (84, 52, 78, hue),
        (136, 44, 100, tint(hue, 0.35)),
        (180, 48, 70, shade(hue, 0.16)),
        (228, 50, 92, hue),
        (-12, 40, 84, shade(hue, 0.16)),
    ):
        pen.box(x, HORIZON - height + 6, width, height, colour)
        pen.shape(
            [(x - 4, HORIZON - height + 8), (x + width / 2, HORIZON - height - 16), (x + width + 4, HORIZON - height + 8)],
            "#8c5a5a",
        )
        for wx in (x + 9, x + width - 21):
            for wy in (HORIZON - height + 20, HORIZON - height + 46):
                pen.box(wx, wy, 12, 15, "#fff0bd", 2, 1.6)
    pen.box(-4, HORIZON + 2, 264, 30, "#d8cfd9", 0)
    pen.box(-4, HORIZON + 26, 264, 90, "#8f8aa0", 0)
    for x in (10, 84, 158, 232):
        pen.box(x, 214, 34, 7, "#f4f0e6", 3, 0)


def market(pen: Pen, hue: str) -> None:
    pen.box(-4, HORIZON - 46, 264, 60, "#e9d9c0", 0)
    for x in (90, 148, 206):
        pen.box(x, HORIZON - 30, 48, 36, "#a87a56")
        for i in range(4):
            stripe = hue if i % 2 else "#fffaf0"
            pen.shape(
                [
                    (x - 5 + i * 14.5, HORIZON - 36),
                    (x + 9.5 + i * 14.5, HORIZON - 36),
                    (x + 8 + i * 12, HORIZON - 62),
                    (x - 2 + i * 12, HORIZON - 62),
                ],
                stripe,
                1.6,
            )
            pen.shape(arc(x + 2 + i * 14.5, HORIZON - 36, 7.2, 7, 0, 180, 6), stripe, 1.6)
    pen.stroke([(-4, 52), (64, 70), (128, 60), (192, 72), (260, 54)], "#6b5f78", 1.8)
    for i, x in enumerate(range(8, 256, 24)):
        y = 60 + 8 * ((i % 5) in (1, 2, 3))
        pen.shape([(x - 7, y), (x + 7, y), (x, y + 14)], hue if i % 2 else "#fffaf0", 1.4)
    pen.box(-4, HORIZON + 4, 264, 120, "#dcb98a", 0)
    for x, y in ((30, 190), (100, 176), (180, 186), (232, 206), (60, 236), (150, 240), (216, 244)):
        pen.box(x, y, 22, 8, "#c9a272", 3, 0)


def mountain(pen: Pen, hue: str) -> None:
    for peak, left, right, height in ((150, 84, 232, 108), (218, 160, 290, 84), (96, 30, 160, 74), (12, -50, 70, 90)):
        pen.shape([(left, HORIZON + 8), (peak, HORIZON - height), (right, HORIZON + 8)], hue)
        pen.shape([(peak, HORIZON - height), (right, HORIZON + 8), (peak + (right - peak) * 0.3, HORIZON + 8)], shade(hue), 0)
        w = (right - left) * 0.13
        cap = HORIZON - height + (height + 8) * 0.28
        pen.shape(
            [
                (peak, HORIZON - height),
                (peak + w * 1.05, cap),
                (peak + w * 0.4, cap - 6),
                (peak, cap + 5),
                (peak - w * 0.4, cap - 5),
                (peak - w, cap),
            ],
            "#fffdf8",
            1.6,
        )
    pen.blob([(-30, 164), (50, 150), (140, 158), (290, 146), (300, 300), (-40, 300)], "#a9c58a")
    for x, y, r in ((18, 222, 9), (234, 190, 8), (246, 236, 11)):
        pen.ball(x, y, r * 1.4, r, "#b9b2bf")


def _room(pen: Pen, hue: str, floor: str) -> None:
    pen.box(-4, -4, 264, SKIRTING + 6, hue, 0, 0)
    pen.box(-4, SKIRTING - 6, 264, 10, tint(hue, 0.55), 0)
    pen.box(-4, SKIRTING + 4, 264, 90, floor, 0)


def kitchen(pen: Pen, hue: str) -> None:
    _room(pen, hue, "#e8dcc8")
    for row in range(2):
        for column in range(8):
            pen.box(column * 36 - 14 + row * 18, SKIRTING + 8 + row * 34, 18, 30, "#cdb99d", 0, 0)
    pen.box(100, 96, 36, 5, "#8a5a3f", 0, 1.6)
    for x, colour in ((104, "#e5684d"), (116, "#fdfaf2"), (127, "#6fa8dc")):
        pen.box(x, 82, 9, 14, colour, 3, 1.6)
    pen.box(112, 20, 3, 26, "#5d4a57", 0, 0)
    pen.shape([(100, 58), (106, 44), (121, 44), (127, 58)], "#e5684d")


def library(pen: Pen, hue: str) -> None:
    _room(pen, hue, "#a8745a")
    pen.box(92, 10, 62, 128, "#8a5a3f")
    spines = ("#c4553f", "#4fa37a", "#e0b04a", "#7b5fae", "#4f8fc9", "#f2e6d0")
    for shelf in range(3):
        pen.box(96, 16 + shelf * 41, 54, 36, "#5d3b2e", 0, 0)
        for i in range(6):
            height = 26 + (i * 7 + shelf * 5) % 9
            pen.box(97 + i * 9, 52 + shelf * 41 - height, 8, height, spines[(i * 5 + shelf * 2) % 6], 1, 1.2)
    pen.oval(128, 232, 120, 22, mix("#8f3f4f", hue, 0.15))
    pen.oval(128, 232, 104, 16, "#d8a35f", 0)
    pen.oval(128, 232, 98, 13.5, "#a8505a", 0)


def bedroom(pen: Pen, hue: str) -> None:
    _room(pen, hue, "#d3a877")
    for x in range(6, 256, 34):
        for y in range(12, 170, 34):
            pen.oval(x + (17 if (y // 34) % 2 else 0), y, 3.4, 3.4, tint(hue, 0.5), 0)
    pen.box(104, 60, 34, 28, "#fdfaf2", 2)
    pen.shape([(107, 85), (117, 70), (124, 79), (129, 74), (135, 85)], "#79c653", 0)
    for y in (206, 230):
        pen.stroke([(-4, y), (260, y)], "#b98d5d", 1.8)
    pen.oval(128, 236, 92, 16, "#f3d5dc")


def _window(pen: Pen, weather: str, time: str) -> None:
    """A large window on the side away from the landmark, with the weather in it."""
    x, y, width, height = 170, 22, 64, 76
    view = pen.at(x, y, width / 256)
    sky(view, weather, time, height * 256 / width)
    # what a cloud or flake draws beyond the pane is covered by the frame's surround
    frame = "#fdf6e6"
    pen.stroke([(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y), (x + width, y)], "#5d4a57", 11)
    pen.stroke([(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y), (x + width, y)], frame, 6.5)
    pen.stroke([(x + width / 2, y + 3), (x + width / 2, y + height - 3)], frame, 4)
    pen.stroke([(x + 3, y + height * 0.55), (x + width - 3, y + height * 0.55)], frame, 4)
    pen.box(x - 9, y + height + 4, width + 18, 8, frame, 3)


PLACE_DRAWINGS: dict[str, Callable[[Pen, str], None]] = {
    drawing.__name__: drawing for drawing in (beach, forest, street, market, mountain, kitchen, library, bedroom)
}

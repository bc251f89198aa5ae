"""Weather and time of day: the sky, what falls from it, and what has fallen."""

from arldm.toonsv.canvas import Pen, arc

#: (time, weather) -> the sky from top to horizon, already in its own light
SKY: dict[tuple[str, str], tuple[str, str, str]] = {
    ("day", "clear"): ("#74c6f2", "#98d7f6", "#c3e9fa"),
    ("day", "cloudy"): ("#a9bfcd", "#bccfd9", "#d3dfe4"),
    ("day", "rain"): ("#7d94a8", "#93a8b8", "#aabcc7"),
    ("day", "snow"): ("#c5d3e2", "#d6e1eb", "#e8eef3"),
    ("dusk", "clear"): ("#8a6bb8", "#ee8f7e", "#ffc27a"),
    ("dusk", "cloudy"): ("#9a86a8", "#c99a9c", "#e3b59c"),
    ("dusk", "rain"): ("#766a8c", "#94808f", "#ad9490"),
    ("dusk", "snow"): ("#b59fc0", "#d3b3bf", "#eccbc0"),
    ("night", "clear"): ("#1f2754", "#2b3670", "#3d4a8a"),
    ("night", "cloudy"): ("#333a58", "#3f4766", "#4d5675"),
    ("night", "rain"): ("#252d48", "#303a58", "#3c4766"),
    ("night", "snow"): ("#3d4770", "#4c5885", "#5e6b99"),
}
CLOUD = {"day": "#fbfdff", "dusk": "#fbdcd3", "night": "#8790b5"}
DARK_CLOUD = {"day": "#66788c", "dusk": "#6b5c7c", "night": "#4a5376"}
RAIN = {"day": "#dceefb", "dusk": "#e8ddf2", "night": "#8fb4ea"}


def sky(pen: Pen, weather: str, time: str, height: float = 162) -> None:
    """Fills 256 x `height` units; the sun or moon stands to the right."""
    pen = pen.lit("day")  # the colours here already are those of the time
    for i, colour in enumerate(SKY[time, weather]):
        pen.box(0, height * i / 3, 256, height / 3 + 1, colour, 0, 0)
    if weather == "clear":
        _lights(pen, time)
    elif weather == "cloudy":
        for x, y, size in ((58, 34, 1.1), (206, 46, 1.2), (134, 22, 1.0), (160, 74, 0.8)):
            _cloud(pen.at(x, y, size), CLOUD[time])
    elif weather == "rain":
        for x, y, size in ((40, 16, 1.3), (128, 12, 1.4), (218, 18, 1.3)):
            _cloud(pen.at(x, y, size), DARK_CLOUD[time])
        for row in range(6):
            for column in range(10):
                x, y = column * 27 + 10 + (row % 2) * 13, 44 + row * height / 7
                if y + 14 < height:
                    pen.stroke([(x, y), (x - 5, y + 13)], RAIN[time], 2.6)
    else:
        for row in range(8):
            for column in range(9):
                x, y = column * 30 + 8 + (row % 2) * 15, 10 + row * height / 8 + (column * 7) % 9
                if y + 5 < height:
                    pen.oval(x, y, 4.2, 4.2, "#ffffff", 0)


def _lights(pen: Pen, time: str) -> None:
    if time == "day":
        for x, y in arc(212, 42, 38, 38, 0, 330, 11):
            pen.stroke([(212 + (x - 212) * 0.76, 42 + (y - 42) * 0.76), (x, y)], "#ffe487", 4)
        pen.ball(212, 42, 24, 24, "#ffd84f")
    elif time == "dusk":
        pen.oval(206, 92, 48, 48, "#ffd08a", 0)
        pen.ball(206, 92, 33, 33, "#ff9d4d")
    else:
        for x, y, r in (
            (30, 30, 2.4),
            (84, 18, 3),
            (120, 52, 2.2),
            (150, 24, 2.6),
            (62, 66, 2.2),
            (238, 88, 2.6),
            (172, 76, 2),
            (104, 92, 2),
        ):
            pen.oval(x, y, r, r, "#fff6cf", 0)
        pen.oval(208, 42, 27, 27, "#fdf3cf")
        pen.oval(198, 36, 5, 5, "#e6d9ae", 0)
        pen.oval(215, 50, 6.5, 6.5, "#e6d9ae", 0)


def _cloud(pen: Pen, colour: str) -> None:
    pen.blob([(-42, 12), (-46, 0), (-30, -8), (-20, -22), (2, -26), (18, -16), (36, -12), (46, 4), (40, 13), (0, 15)], colour)


def fallen(pen: Pen, weather: str) -> None:
    """Puddles after rain, white patches after snow, on the ground outdoors."""
    if weather == "rain":
        for x, y, r in ((40, 206, 22), (214, 222, 26), (120, 190, 15)):
            pen.oval(x, y, r, r * 0.24, "#9cc8e6", 1.6)
    elif weather == "snow":
        for x, y, r in ((30, 204, 34), (220, 196, 40), (128, 182, 26), (70, 246, 50), (206, 250, 46)):
            pen.oval(x, y, r, r * 0.26, "#fbfdff", 0)

"""The pen all of ToonSV is drawn with: flat shapes with one ink line, two-tone shading, light by time of day.

Coordinates are units of a picture 256 wide, y downwards. Everything is drawn by Pillow's integer rasteriser at twice the size and
averaged down, so the same scene gives the same bytes on every machine.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from PIL import Image, ImageDraw

Point = tuple[float, float]
Rgb = tuple[int, int, int]

INK = "#2f2a3d"
LINE = 2.3  # units; the one line weight
SUPERSAMPLING = 2

#: the colours that shirts, coats, hats and props are named by
NAMED = {"red": "#e5484d", "yellow": "#ffd23f", "green": "#3fae68", "blue": "#3c7ce0", "purple": "#8f5fd3", "white": "#f8f5ec"}
#: the four colourings of a place
HUE = {"rose": "#f09aae", "mint": "#8fd3a8", "sky": "#8fbdec", "honey": "#f5c866"}

#: how far each light pulls a colour, as factors of red, green and blue
LIGHT: dict[str, tuple[float, float, float]] = {
    "day": (1.0, 1.0, 1.0),
    "dusk": (1.0, 0.80, 0.72),
    "night": (0.56, 0.62, 0.90),
    "day figure": (1.0, 1.0, 1.0),
    "dusk figure": (1.0, 0.92, 0.87),
    "night figure": (0.80, 0.84, 1.0),
}


@lru_cache(maxsize=4096)
def rgb(colour: str, light: str) -> Rgb:
    """A colour "#rrggbb", seen in a light."""
    red, green, blue = (int(colour[i : i + 2], 16) * factor for i, factor in zip((1, 3, 5), LIGHT[light], strict=True))
    return int(red), int(green), int(blue)


@lru_cache(maxsize=4096)
def mix(colour: str, other: str, share: float) -> str:
    """`colour` with a share of `other` in it."""
    pairs = ((int(colour[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{int(a + (b - a) * share):02x}" for a, b in pairs)


def shade(colour: str, share: float = 0.2) -> str:
    """The shadow tone of a colour: darker and a little cooler."""
    return mix(colour, "#3a2d66", share)


def tint(colour: str, share: float = 0.4) -> str:
    """The light tone of a colour."""
    return mix(colour, "#fffdf4", share)


def arc(x: float, y: float, rx: float, ry: float, start: float, end: float, steps: int = 14) -> list[Point]:
    """Points along an ellipse, from `start` to `end` in degrees; 0 is right, 90 is down."""
    angles = (math.radians(start + (end - start) * i / steps) for i in range(steps + 1))
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


def smooth(points: Sequence[Point], steps: int = 6) -> list[Point]:
    """A closed Catmull-Rom curve through the points."""
    curve: list[Point] = []
    n = len(points)
    for i in range(n):
        p0, p1, p2, p3 = (points[(i + k - 1) % n] for k in range(4))
        for k in range(steps):
            t = k / steps
            curve.append(
                (
                    _catmull_rom(p0[0], p1[0], p2[0], p3[0], t),
                    _catmull_rom(p0[1], p1[1], p2[1], p3[1], t),
                )
            )
    return curve


def _catmull_rom(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t * t * t)


@dataclass(frozen=True)
class Pen:
    """Draws in its own coordinates: moved, scaled and mirrored on the shared canvas, in one light."""

    ink: ImageDraw.ImageDraw
    scale: float  # canvas pixels per unit
    x: float = 0.0  # canvas pixels
    y: float = 0.0
    flip: int = 1
    light: str = "day"

    def at(self, x: float, y: float, scale: float = 1.0, flip: int = 1) -> "Pen":
        """A pen whose origin is (x, y) of this one."""
        return replace(
            self, x=self.x + x * self.scale * self.flip, y=self.y + y * self.scale, scale=self.scale * scale, flip=self.flip * flip
        )

    def lit(self, light: str) -> "Pen":
        """The same pen in another light."""
        return replace(self, light=light)

    def _points(self, points: Sequence[Point]) -> list[Point]:
        return [(self.x + px * self.scale * self.flip, self.y + py * self.scale) for px, py in points]

    def _box(self, x: float, y: float, rx: float, ry: float) -> list[float]:
        cx, cy = self.x + x * self.scale * self.flip, self.y + y * self.scale
        rx, ry = rx * self.scale, ry * self.scale
        return [cx - rx, cy - ry, cx + rx, cy + ry]

    def _width(self, line: float) -> int:
        return max(1, round(line * self.scale))

    def shape(self, points: Sequence[Point], fill: str, line: float = LINE) -> None:
        """A filled polygon with an ink line (none if `line` is 0)."""
        corners = self._points(points)
        self.ink.polygon(corners, fill=rgb(fill, self.light))
        if line:
            self.ink.line([*corners, *corners[:2]], fill=rgb(INK, self.light), width=self._width(line), joint="curve")

    def blob(self, points: Sequence[Point], fill: str, line: float = LINE) -> None:
        """A filled smooth shape through the points."""
        self.shape(smooth(points), fill, line)

    def oval(self, x: float, y: float, rx: float, ry: float, fill: str, line: float = LINE) -> None:
        """A filled ellipse with an ink line."""
        width = self._width(line) if line else 0
        self.ink.ellipse(self._box(x, y, rx, ry), fill=rgb(fill, self.light), outline=rgb(INK, self.light), width=width)

    def ball(self, x: float, y: float, rx: float, ry: float, fill: str, line: float = LINE) -> None:
        """An ellipse in two tones, lit from above left."""
        self.oval(x, y, rx, ry, shade(fill), line)
        inner = line * 0.55
        self.oval(x - 0.07 * rx * self.flip, y - 0.08 * ry, rx * 0.92 - inner, ry * 0.91 - inner, fill, 0)

    def box(self, x: float, y: float, width: float, height: float, fill: str, radius: float = 0, line: float = LINE) -> None:
        """A filled rectangle, (x, y) its upper left corner."""
        left = self.x + (x if self.flip > 0 else -x - width) * self.scale
        top = self.y + y * self.scale
        corners = [left, top, left + width * self.scale, top + height * self.scale]
        outline, size = rgb(INK, self.light), self._width(line) if line else 0
        self.ink.rounded_rectangle(
            corners, radius * self.scale, fill=rgb(fill, self.light), outline=outline if line else None, width=size
        )

    def slab(self, x: float, y: float, width: float, height: float, fill: str, radius: float = 0) -> None:
        """A rectangle in two tones: its right quarter lies in shadow."""
        self.box(x, y, width, height, fill, radius)
        self.box(x + width * 0.72, y + LINE, width * 0.28 - LINE, height - 2 * LINE, shade(fill), max(0.0, radius - LINE), 0)

    def stroke(self, points: Sequence[Point], colour: str = INK, line: float = LINE) -> None:
        """An open line with round ends."""
        corners, width = self._points(points), self._width(line)
        self.ink.line(corners, fill=rgb(colour, self.light), width=width, joint="curve")
        if width > 2:
            for cx, cy in (corners[0], corners[-1]):
                r = width / 2 - 0.5
                self.ink.ellipse([cx - r, cy - r, cx + r, cy + r], fill=rgb(colour, self.light))

    def limb(self, points: Sequence[Point], colour: str, line: float) -> None:
        """A thick line of a colour inside an ink line: an arm, a leg, a tail."""
        self.stroke(points, INK, line + 2 * LINE * 0.9)
        self.stroke(points, colour, line)


def blank(size: int) -> tuple[Image.Image, Pen]:
    """An empty picture of `size` pixels, enlarged for drawing, and the pen for it."""
    image = Image.new("RGB", (size * SUPERSAMPLING, size * SUPERSAMPLING))
    return image, Pen(ImageDraw.Draw(image), size * SUPERSAMPLING / 256)

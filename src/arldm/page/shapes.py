"""Outlines on a page: the box of a caption, and the balloon of what is said, with its tail."""

import math
from dataclasses import dataclass

ROUND = 26.0  # radius of a balloon's corners, if it is high enough
ROOT, LENGTH = 21.0, 31.0  # of a balloon's tail

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, (x, y) its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """Where it is cut in two, from the left."""
        return self.x + self.width / 2

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height

    @property
    def corners(self) -> tuple[Point, ...]:
        """Clockwise from (x, y)."""
        return (self.x, self.y), (self.right, self.y), (self.right, self.bottom), (self.x, self.bottom)


def balloon(box: Box, towards: Point) -> tuple[Point, ...]:
    """A box with round corners and a tail from its lower edge towards a point below, clockwise, all one outline."""
    radius = min(ROUND, box.height / 2, (box.width - ROOT) / 2)
    left, right, top, bottom = box.x + radius, box.right - radius, box.y + radius, box.bottom - radius
    reach = (right - left - ROOT) / 2  # of the tail's root, to where the corners begin
    root = box.middle + max(-reach, min(reach, (towards[0] - box.middle) / 2))
    lean = math.atan2(towards[0] - root, max(towards[1] - box.bottom, LENGTH))
    tip = root + LENGTH * math.sin(lean), box.bottom + LENGTH * math.cos(lean)
    waist = root, (box.bottom + tip[1]) / 2
    return (
        *_quarter(left, top, radius, 180),
        *_quarter(right, top, radius, 270),
        *_quarter(right, bottom, radius, 0),
        *_bow((root + ROOT / 2, box.bottom), waist, tip),
        *_bow(tip, waist, (root - ROOT / 2, box.bottom)),
        *_quarter(left, bottom, radius, 90),
    )


def _quarter(x: float, y: float, radius: float, start: float) -> list[Point]:
    """A quarter of a circle; it starts at so many degrees, of which 0 is right and 90 is down."""
    angles = [math.radians(start + 9 * step) for step in range(11)]
    return [(x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles]


def _bow(start: Point, by: Point, end: Point) -> list[Point]:
    """A quadratic Bezier curve."""
    weights = [((1 - t) ** 2, 2 * t * (1 - t), t * t) for t in (step / 8 for step in range(9))]
    return [(a * start[0] + b * by[0] + c * end[0], a * start[1] + b * by[1] + c * end[1]) for a, b, c in weights]

"""Paints a scene: the place, then the figures."""

from dataclasses import dataclass

from PIL import Image

from arldm.toonsv.canvas import SUPERSAMPLING, blank
from arldm.toonsv.cast import PAIR_ACTIONS, Scene
from arldm.toonsv.figures import figure
from arldm.toonsv.places import place

GROUND = 240.0
SCALE = 1.04  # of every figure, however many there are
SMALL = 0.86  # a child
#: A figure stands, up to whole steps of CELL, always at the same place, and all but its feet goes up and down by whole ones. Its
#: outlines then meet the cells of the latent grid in one way only, and what a denoiser has learned of it in one place holds in all.
CELL = 16.0
#: number of figures -> where they stand, and how far they keep from the landmark
STANDS = {0: ((), 0.0), 1: ((128.0,), CELL), 2: ((80.0, 176.0), CELL), 3: ((48.0, 128.0, 208.0), 0.0)}
MIDDLES = {2: 128.0, 3: 80.0}  # number of figures -> the middle between two who reach for each other
REACH = {"hug": 32.0, "highfive": 48.0}  # from there to either, so that arms reach


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a figure is and whither it looks."""

    x: float  # of its feet, from 0 to 256
    faces: int  # 1 = to the right, -1 = to the left
    scale: float


def standing(scene: Scene) -> list[Standing]:
    """Where the figures of a scene are, from left to right."""
    stands, away = STANDS[len(scene.figures)]
    shift = away * scene.aside * (1 if scene.place.side == "left" else -1)
    paired, last = any(figure.action in PAIR_ACTIONS for figure in scene.figures), len(scene.figures) - 1
    found = []
    for index, who in enumerate(scene.figures):
        x = stands[index] + shift
        if paired and index < 2:  # close together, so that arms reach
            x = MIDDLES[len(scene.figures)] + shift + (-1, 1)[index] * REACH[who.action]
        faces = -1 if index > 0 and (index == last or paired) else 1
        away_from_others = not paired and who.action == "hold" and last > 0
        found.append(Standing(x, -faces if away_from_others else faces, SCALE * (SMALL if who.who == "child" else 1.0)))
    return found


def paint(scene: Scene, size: int = 256, without: int | None = None, limbs: str = "", *, in_front: bool = True) -> Image.Image:
    """The picture of a scene, RGB, `size` pixels on a side.

    `without` the figure of that number, if one is given; or without its head alone, its limbs being of the colour `limbs`,
    and maybe without what is `in_front` of a head.
    """
    image, pen = blank(size)
    place(pen, scene.place, scene.weather, scene.time)
    lit = pen.lit(f"{scene.time} figure")
    for index, (who, stand) in enumerate(zip(scene.figures, standing(scene), strict=True)):
        if index != without or limbs:
            held = scene.prop if who.action == "hold" else None
            headless = limbs if index == without else ""
            figure(
                lit.at(stand.x, GROUND, stand.scale, stand.faces),
                who,
                stand.scale,
                held,
                headless,
                in_front=in_front or not headless,
            )
    return image.reduce(SUPERSAMPLING)

"""Paints a scene: the place, then the figures."""

from PIL import Image

from arldm.toonsv.canvas import SUPERSAMPLING, blank
from arldm.toonsv.cast import PAIR_ACTIONS, Scene
from arldm.toonsv.figures import figure
from arldm.toonsv.places import place

GROUND = 240.0
SCALE = 1.04  # of every figure, however many there are
#: A figure stands, up to whole steps of CELL, always at the same place. Its outlines then meet the cells of the latent grid in
#: one way only, and what a denoiser has learned of a figure in one place holds in all. (But for two who hug or clap hands beside a
#: third: they stand half a cell off, and to move them now would make all pictures of them others than those that were learned.)
CELL = 16.0
#: number of figures -> where they stand, and how far they keep from the landmark
STANDS = {1: ((128.0,), CELL), 2: ((80.0, 176.0), CELL), 3: ((48.0, 128.0, 208.0), 0.0)}
REACH = {"hug": 32.0, "highfive": 48.0}  # from the middle between two to either, so that arms reach


def paint(scene: Scene, size: int = 256) -> Image.Image:
    """The picture of a scene, RGB, `size` pixels on a side."""
    image, pen = blank(size)
    place(pen, scene.place, scene.weather, scene.time)
    stands, away = STANDS[len(scene.figures)]
    shift = away * scene.aside * (1 if scene.place.side == "left" else -1)
    paired = scene.figures[0].action in PAIR_ACTIONS
    lit = pen.lit(f"{scene.time} figure")
    for index, who in enumerate(scene.figures):
        x = stands[index] + shift
        if paired and index < 2:  # close together, so that arms reach
            middle = (stands[0] + stands[1]) / 2 + shift
            x = middle + (-1, 1)[index] * REACH[who.action]
        faces = -1 if index == len(scene.figures) - 1 and index > 0 else 1
        small = 0.86 if who.who == "child" else 1.0
        outward = faces if paired or who.action != "hold" or len(scene.figures) == 1 else -faces
        figure(lit.at(x, GROUND, SCALE * small, outward), who, scene.prop if who.action == "hold" else None)
    return image.reduce(SUPERSAMPLING)

"""Paints a scene: the place, then the figures."""

from PIL import Image

from arldm.toonsv.canvas import SUPERSAMPLING, blank
from arldm.toonsv.cast import PAIR_ACTIONS, Scene
from arldm.toonsv.figures import figure
from arldm.toonsv.places import place

GROUND = 236.0
#: number of figures -> where they stand and how large they are
STANDS = {1: ((128.0,), 1.22), 2: ((84.0, 172.0), 1.06), 3: ((52.0, 128.0, 204.0), 0.9)}


def paint(scene: Scene, size: int = 256) -> Image.Image:
    """The picture of a scene, RGB, `size` pixels on a side."""
    image, pen = blank(size)
    place(pen, scene.place, scene.weather, scene.time)
    stands, scale = STANDS[len(scene.figures)]
    away = {1: 14, 2: 11, 3: 0}[len(scene.figures)] * (1 if scene.place.side == "left" else -1)  # from the landmark
    shift = (scene.jitter % 4 - 1.5) * 2.4 + away
    lift = (scene.jitter // 4 - 1.5) * 1.2
    paired = scene.figures[0].action in PAIR_ACTIONS
    lit = pen.lit(f"{scene.time} figure")
    for index, who in enumerate(scene.figures):
        x = stands[index] + shift
        if paired and index < 2:  # close together, so that arms reach
            middle = (stands[0] + stands[1]) / 2 + shift
            x = middle + (-1, 1)[index] * (33 if who.action == "hug" else 43) * scale
        faces = -1 if index == len(scene.figures) - 1 and index > 0 else 1
        small = 0.86 if who.who == "child" else 1.0
        outward = faces if paired or who.action != "hold" or len(scene.figures) == 1 else -faces
        figure(lit.at(x, GROUND + lift, scale * small, outward), who, scene.prop if who.action == "hold" else None)
    return image.reduce(SUPERSAMPLING)

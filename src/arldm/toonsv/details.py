"""Where a picture shows what is small and tells much: faces, skins, hats, things that are held."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from arldm.toonsv.cast import COLOURS, MOODS, SKINS, Figure, Scene
from arldm.toonsv.paint import paint

KINDS = ("mood", "skin", "hat_colour", "colour")  # attributes; the last is a thing's
FINE = 8  # pixels along a cell when it is looked at
DIFFERENT = 16  # of 255; less is the smoothing of an edge


def details(scene: Scene, cells: int) -> np.ndarray:
    """For each of KINDS the cells that would look otherwise if it were another: bool (kind, cells, cells)."""
    seen = _pixels(scene, cells)
    found = np.zeros((len(KINDS), cells, cells), bool)
    for number, other in enumerate((_moods(scene), _skins(scene), _hats(scene), _thing(scene))):
        if other != scene:
            apart = abs(_pixels(other, cells) - seen).max(-1) > DIFFERENT
            found[number] = apart.reshape(cells, FINE, cells, FINE).any((1, 3))
    return found


def _pixels(scene: Scene, cells: int) -> np.ndarray:
    return np.asarray(paint(scene, FINE * cells), np.int16)


def _moods(scene: Scene) -> Scene:
    return replace(scene, figures=tuple(replace(figure, mood=_next(figure.mood, MOODS)) for figure in scene.figures))


def _skins(scene: Scene) -> Scene:
    def other(figure: Figure) -> Figure:
        look = figure.look and replace(figure.look, skin=_next(figure.look.skin, SKINS))
        return replace(figure, look=look)

    return replace(scene, figures=tuple(map(other, scene.figures)))


def _hats(scene: Scene) -> Scene:
    def other(figure: Figure) -> Figure:
        if figure.look is None or figure.look.hat == "none":
            return figure
        return replace(figure, look=replace(figure.look, hat_colour=_next(figure.look.hat_colour, COLOURS)))

    return replace(scene, figures=tuple(map(other, scene.figures)))


def _thing(scene: Scene) -> Scene:
    return replace(scene, prop=scene.prop and replace(scene.prop, colour=_next(scene.prop.colour, COLOURS)))


def _next(value: str, values: Sequence[str]) -> str:
    return values[(values.index(value) + 1) % len(values)]

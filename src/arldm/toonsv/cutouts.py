"""A character cut out of a picture, to stand in other places: what a pair of scissors does for an artist.

What is not the character is known in one of three ways: it is transparent, it is of one colour, or it is a place of ToonSV,
which can be painted again without anybody in it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from PIL import Image, ImageOps
from scipy import ndimage

from arldm.errors import PictureError
from arldm.pictures import flattened
from arldm.toonsv.canvas import LIGHT
from arldm.toonsv.cast import COLOURS, HUES, NAMES, PLACES, PROPS, SIDES, TIMES, WEATHERS, Figure, Place, Prop, Scene
from arldm.toonsv.drawings import PLAIN, Box, Drawing, drawn, touched
from arldm.toonsv.figures import ARMS, LIFT
from arldm.toonsv.paint import CELL, GROUND, SCALE, Standing, paint, standing

SIZE, SEARCHED = 256, 64  # pixels of a side: of a cutout, and of what is compared when a place is looked for
TALL = 150.0  # of SIZE; a drawing of any size is made as tall as somebody of the cast
HIGHEST = 75  # of SIZE; a drawing's feet above the ground, in a jump
DIFFERENT = 8  # of 255, in a picture without noise
CAPPED = 48.0  # of 255; more than that is somebody else, however much
CAPPED_SKY = 12.0  # rain in a window by night, of which an ear hides some, differs by less from whom else it may be
HEADS_FREE: tuple[str, ...] = ("stand", "run", "sit", "jump", "hold")  # actions whose arms do not hide the head
HAND = 3  # pixels, from the middle of a hand
BESIDE = 2  # pixels; nearer than this, one may be in front of the other
LEAST, MOST = 0.01, 0.5  # of a picture, that a figure may cover


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A figure without what was behind it."""

    pixels: np.ndarray  # (SIZE, SIZE, 3) float32, 0 to 255, seen by day
    opaque: np.ndarray  # (SIZE, SIZE) float32, 0 to 1
    x: float  # of its feet, as in Standing
    behind: Scene | None  # the place of ToonSV that it stood in; None for a drawing, whose body may be any


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The head of somebody of ToonSV's cast, and its tail: all in which one of them differs from another but for their limbs."""

    cutout: Cutout
    limbs: str  # their colour
    lift: float  # as in LIFT


def cut_outs(pictures: Sequence[Image.Image]) -> Iterator[Cutout]:
    """The one figure of each picture, RGB or RGBA, in their order.

    Raises PictureError when it comes to a picture in which it cannot be told from what is behind it.

    Drawings on sheets of one size have one scale and one ground: who sits is less tall than who stands, and who jumps is above
    where others stand.
    """
    drawings = [drawn(picture) for picture in pictures]
    for picture, drawing in zip(pictures, drawings, strict=True):
        beside = [other for other, sheet in zip(drawings, pictures, strict=True) if sheet.size == picture.size]
        if drawing is not None and not drawing.alone:
            raise PictureError("two figures stand side by side; expected one character, cut the sheet in two")
        found = _placed(picture) if drawing is None else _stood(drawing, [other.box for other in beside if other and other.box])
        if found is None or not LEAST < found.opaque.mean() < MOST:
            raise PictureError(
                f"the character cannot be told from what is behind it{touched(picture)}; expected a transparent background, "
                "one plain colour all around, or a picture of ToonSV's world with nobody else in it"
            )
        yield found


def put(scene: Scene, number: int, cutout: Cutout) -> Image.Image:
    """The scene with a cutout in the place of its figure of that number, in the scene's light."""
    behind = paint(scene, SIZE, without=number)
    return _laid(cutout, cutout.opaque, behind, scene, standing(scene)[number], 0)


def head(cutout: Cutout, action: str) -> Head | None:
    """The head of one who does `action`, one of HEADS_FREE, in a place of ToonSV: what a body without it, painted there, is not.

    None where what is held touches it: nobody knows what is behind.
    """
    assert cutout.behind is not None
    limbs = _limbs(cutout, action)

    def body(scene: Scene) -> np.ndarray:
        return _by_day(np.asarray(paint(scene, SIZE, without=0, limbs=limbs), np.float32), scene)

    def apart(scene: Scene) -> np.ndarray:
        return abs(cutout.pixels - body(scene)).max(-1)

    def nearest(scenes: Iterable[Scene]) -> Scene:
        return min(scenes, key=lambda scene: apart(scene)[cutout.opaque > 0].sum())

    scene = nearest(
        replace(cutout.behind, figures=(Figure(NAMES[0], "calm", action, coat),), aside=aside)
        for coat in COLOURS
        for aside in (0, 1)
    )
    if action == "hold":
        scene = nearest([scene, *(replace(scene, prop=Prop(kind, colour)) for kind in PROPS for colour in COLOURS)])
    opaque = (cutout.opaque > 0) & _beyond_noise(apart(scene))
    held = abs(body(scene) - body(replace(scene, prop=None))).max(-1) > DIFFERENT
    if (ndimage.binary_dilation(opaque, iterations=BESIDE) & held).any():
        return None
    return Head(replace(cutout, opaque=opaque.astype(np.float32)), limbs, LIFT.get(action, 0.0))


def pose(scene: Scene, number: int, head: Head) -> Image.Image:
    """The scene with a head on a body that does what the figure of that number does.

    All of the cast have one body, but for the colour of its limbs. Its front arm and what that holds are in front of the head.
    """
    body, bare = (np.asarray(paint(scene, SIZE, without=number, limbs=head.limbs, in_front=front)) for front in (True, False))
    in_front = abs(body.astype(np.int16) - bare).max(-1, keepdims=True) > DIFFERENT
    down = round(LIFT.get(scene.figures[number].action, 0.0) - head.lift)
    laid = _laid(head.cutout, head.cutout.opaque, Image.fromarray(body), scene, standing(scene)[number], down)
    return Image.fromarray(np.where(in_front, body, np.asarray(laid)))


def _limbs(cutout: Cutout, action: str) -> str:
    """The colour of its front hand."""
    x, y = ARMS[action][1][1]
    row, column = round(GROUND + SCALE * y + LIFT.get(action, 0.0)), round(cutout.x + SCALE * x)
    row, column = (min(max(HAND, place), SIZE - 1 - HAND) for place in (row, column))  # a hand may be beyond the border
    hand = cutout.pixels[row - HAND : row + HAND + 1, column - HAND : column + HAND + 1].reshape(-1, 3)
    red, green, blue = np.median(hand, axis=0).astype(int).tolist()
    return f"#{red:02x}{green:02x}{blue:02x}"


def _laid(cutout: Cutout, opaque: np.ndarray, behind: Image.Image, scene: Scene, stand: Standing, down: int) -> Image.Image:
    pixels, x = cutout.pixels, cutout.x
    if stand.faces < 0:
        pixels, opaque, x = pixels[:, ::-1], opaque[:, ::-1], SIZE - x
    moved = (down, round(stand.x - x))
    pixels = ndimage.shift(pixels, (*moved, 0), order=0, mode="nearest") * np.array(LIGHT[f"{scene.time} figure"], np.float32)
    opaque = ndimage.shift(opaque, moved, order=0)[..., None]
    return Image.fromarray((pixels * opaque + np.asarray(behind, np.float32) * (1 - opaque)).round().astype(np.uint8))


def _stood(drawing: Drawing, boxes: Sequence[Box]) -> Cutout | None:
    """A drawing in the middle, the tallest of the boxes being as tall as the cast, the lowest on the ground.

    Raises PictureError for one that is higher up than anybody jumps, if it is to be seen at all.
    """
    if drawing.box is None:
        return None
    scale = min(TALL / max(bottom - top for _, top, _, bottom in boxes), SIZE / max(right - left for left, _, right, _ in boxes))
    width, height = (max(1, round(scale * side)) for side in drawing.figure.size)
    above = round(scale * (max(bottom for *_, bottom in boxes) - drawing.box[3]))
    if above > HIGHEST:
        got = "stands much higher on its sheet than another one on a sheet of this size, as if it flew"
        raise PictureError(f"{got}; expected all on one ground, crop each sheet to its figure, with a margin")
    page = Image.new("RGBA", (SIZE, SIZE))
    figure = drawing.figure.resize((width, height), Image.Resampling.LANCZOS)
    page.paste(figure, ((SIZE - width) // 2, round(GROUND) - height - above))
    seen = np.asarray(page, np.float32)
    return Cutout(seen[..., :3], seen[..., 3] / 255, SIZE / 2, None)


def _placed(picture: Image.Image) -> Cutout | None:
    """What differs from the place behind it, painted again; None where it is no place of ToonSV."""
    seen = np.asarray(ImageOps.fit(flattened(picture), (SIZE, SIZE), Image.Resampling.LANCZOS), np.float32)
    scene = behind(seen)
    apart = abs(seen - np.asarray(paint(scene), np.float32)).max(-1)
    if np.median(apart) > PLAIN:  # that is no noise: it is another place
        return None
    opaque = _beyond_noise(apart).astype(np.float32)
    columns = np.arange(SIZE)[None] * opaque
    middle = SIZE / 2 + CELL * round((columns.sum() / max(1.0, opaque.sum()) - SIZE / 2) / CELL)
    return Cutout(_by_day(seen, scene), opaque, middle, scene)


def _by_day(seen: np.ndarray, scene: Scene) -> np.ndarray:
    """Figures that are seen in a scene's light, without it."""
    return (seen / np.array(LIGHT[f"{scene.time} figure"], np.float32)).clip(0, 255)


def _beyond_noise(apart: np.ndarray) -> np.ndarray:
    """Where differences from what was painted are more than the noise of a picture, which most of it has."""
    return apart > DIFFERENT + 4 * np.median(apart)


def behind(seen: np.ndarray) -> Scene:
    """The place, weather and time, without anybody, that agree best with a picture (SIZE, SIZE, 3)."""
    small = seen.reshape(SEARCHED, SIZE // SEARCHED, SEARCHED, SIZE // SEARCHED, 3).mean((1, 3))

    def cost(scene: Scene, capped: float = CAPPED) -> float:
        return float(np.minimum(abs(small - _small(scene)), capped).mean())

    best = min(_rough(), key=cost)
    while cost(better := min(_near(best), key=cost)) < cost(best):
        best = better
    weathers = (replace(best, weather=weather) for weather in WEATHERS)
    return min(weathers, key=lambda scene: cost(scene, CAPPED_SKY))


@lru_cache(512)  # 384 of _rough, which every picture is held against, and what is near the best of a few
def _small(scene: Scene) -> np.ndarray:
    return np.asarray(paint(scene, SEARCHED))


def _rough() -> Iterator[Scene]:
    for kind, landmarks in PLACES.items():
        for hue in HUES:
            for weather in WEATHERS:
                for time in TIMES:
                    yield Scene(Place(kind, hue, landmarks[0], SIDES[0]), weather, time, ())


def _near(scene: Scene) -> Iterator[Scene]:
    """What is otherwise in one thing at most, and the landmark with its side."""
    for landmark in PLACES[scene.place.kind]:
        for side in SIDES:
            yield replace(scene, place=replace(scene.place, landmark=landmark, side=side))
    for hue in HUES:
        yield replace(scene, place=replace(scene.place, hue=hue))
    for weather in WEATHERS:
        yield replace(scene, weather=weather)
    for time in TIMES:
        yield replace(scene, time=time)

"""Characters cut out of their pictures, and put into other places."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from arldm.errors import PictureError
from arldm.toonsv.cast import Figure, Place, Prop, Scene
from arldm.toonsv.cutouts import HEADS_FREE, SIZE, TALL, behind, cut_outs, head, pose, put
from arldm.toonsv.paint import GROUND, paint, standing
from arldm.toonsv.scenes import random_scene
from newcomers import cut_out

MOUSE = Figure("pako", "happy", "wave", "blue")
BEACH = Scene(Place("beach", "rose", "palm", "left"), "rain", "day", (MOUSE,), aside=1)
LIBRARY = Scene(Place("library", "mint", "globe", "right"), "clear", "day", (MOUSE,))


def array(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, np.int16)


def alone(index: int) -> Scene:
    scene = random_scene("train", index)
    return replace(scene, figures=(replace(MOUSE, action="stand", mood=scene.figures[0].mood),), prop=None)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1000))
@example(352)  # an ear hides some of the rain in a window by night
def test_a_figure_is_what_the_place_without_it_is_not(index: int) -> None:
    scene = alone(index)
    empty = replace(scene, figures=(), aside=0)
    assert replace(behind(array(paint(scene)).astype(np.float32)), aside=0) == empty
    found = cut_out(paint(scene))
    apart = abs(array(paint(scene)) - array(paint(empty))).max(-1)
    assert np.array_equal(found.opaque > 0, apart > 8)
    assert found.x == standing(scene)[0].x


@pytest.mark.parametrize("time", ["day", "dusk", "night"])
def test_who_was_cut_out_stands_elsewhere_as_if_painted_there(time: str) -> None:
    there = replace(LIBRARY, time=time)
    found = put(there, 0, cut_out(paint(BEACH)))
    apart = abs(array(found) - array(paint(there))).max(-1)
    assert (apart > 8).mean() < 0.01  # edges, where the sea shines through
    assert (abs(array(found) - array(paint(there, without=0))).max(-1) > 8).mean() > 0.05


def test_in_company_it_takes_one_place_and_looks_as_that_one_did() -> None:
    both = replace(LIBRARY, figures=(Figure("tilo", "calm", "stand", "red"), replace(MOUSE, action="run")))
    found = array(put(both, 1, cut_out(paint(replace(BEACH, figures=(replace(MOUSE, action="run"),))))))
    assert (abs(found - array(paint(both))).max(-1) > 24).mean() < 0.03  # its shadows are on the other side
    assert np.array_equal(found[:, :40], array(paint(both))[:, :40])


def test_what_it_holds_comes_with_it() -> None:
    holding = replace(BEACH, figures=(replace(MOUSE, action="hold"),), prop=Prop("balloon", "red"))
    found = array(put(LIBRARY, 0, cut_out(paint(holding))))
    there = replace(LIBRARY, figures=holding.figures, prop=holding.prop)
    assert (abs(found - array(paint(there))).max(-1) > 24).mean() < 0.01


def drawing() -> Image.Image:
    """Somebody red, 60 x 90, with a white belly, on nothing."""
    page = np.zeros((200, 160, 4), np.uint8)
    page[70:160, 30:90] = (200, 40, 40, 255)
    page[100:130, 50:70] = (255, 255, 255, 255)
    return Image.fromarray(page, "RGBA")


def on(colour: str) -> Image.Image:
    page = Image.new("RGBA", drawing().size, colour)
    return Image.alpha_composite(page, drawing()).convert("RGB")


@pytest.mark.parametrize("picture", [drawing(), on("white"), on("#80a080")], ids=["transparent", "white", "green"])
def test_a_drawing_is_as_tall_as_the_cast_and_stands_on_its_feet(picture: Image.Image) -> None:
    found = cut_out(picture)
    rows, columns = (np.flatnonzero((found.opaque > 0.5).any(axis)) for axis in (1, 0))
    assert rows[-1] - rows[0] + 1 == pytest.approx(TALL, abs=1)
    assert rows[-1] + 1 == pytest.approx(GROUND, abs=1)
    assert columns[0] + columns[-1] == pytest.approx(SIZE - 1, abs=2)
    assert found.opaque[round(GROUND - TALL * 0.5), SIZE // 2] == 1  # a belly of the paper's colour is no hole
    red = found.pixels[round(GROUND - 10), SIZE // 2]
    assert abs(red - (200, 40, 40)).max() < 3


def test_drawings_on_sheets_of_one_size_keep_their_sizes_and_their_ground() -> None:
    small = Image.new("RGBA", drawing().size)
    small.paste((0, 160, 0, 255), (40, 105, 70, 150))  # half as tall, and 10 of 90 above where the tall one stands
    found = next(cut_outs([small, drawing(), Image.new("RGB", (80, 80), "white")]))
    rows = np.flatnonzero((found.opaque > 0.5).any(1))
    assert rows[-1] - rows[0] + 1 == pytest.approx(TALL / 2, abs=1)
    assert rows[-1] + 1 == pytest.approx(GROUND - TALL / 9, abs=1)
    assert np.array_equal(next(cut_outs([drawing(), small])).opaque, cut_out(drawing()).opaque)
    other = np.flatnonzero((next(cut_outs([small, drawing().resize((80, 100))])).opaque > 0.5).any(1))
    assert (other[-1] - other[0] + 1, other[-1] + 1) == pytest.approx((TALL, GROUND), abs=1)


@pytest.mark.parametrize("colour", [None, "white"], ids=["transparent", "white"])
def test_a_speck_of_dust_is_no_part_of_the_figure(colour: str | None) -> None:
    """It made the character half as tall and pushed it aside."""
    page = drawing() if colour is None else on(colour).convert("RGBA")
    dusty = page.copy()
    dusty.paste((90, 90, 90, 255), (5, 5, 8, 8))
    found, clean = (cut_out(one if colour is None else one.convert("RGB")) for one in (dusty, page))
    assert np.array_equal(found.opaque, clean.opaque)


def test_it_can_be_mirrored() -> None:
    page = drawing()
    page.paste((0, 0, 255, 255), (30, 70, 60, 160))  # blue on its left
    both = replace(LIBRARY, figures=(MOUSE, MOUSE))  # who look at each other
    for number, x in enumerate((80, 176)):
        seen = array(put(both, number, cut_out(page)))[220]
        left, right = seen[x - 8, 2] > 200, seen[x + 8, 2] > 200
        assert (left, right) == (number == 0, number == 1)


@pytest.mark.parametrize("shown", HEADS_FREE)
@pytest.mark.parametrize(("wanted", "most"), [("wave", 0.012), ("sit", 0.012), ("jump", 0.012), ("hold", 0.024), ("hug", 0.024)])
def test_a_head_on_a_body_that_does_something_else(shown: str, wanted: str, most: float) -> None:
    cutout = cut_out(paint(replace(BEACH, figures=(replace(MOUSE, action=shown),), prop=Prop("lantern", "red"))))
    second = Figure("tilo", "calm", "hug" if wanted == "hug" else "stand", "red")
    prop = Prop("ball", "green") if wanted == "hold" else None
    there = replace(LIBRARY, time="dusk", figures=(replace(MOUSE, action=wanted), second), prop=prop)
    cut = head(cutout, shown)
    assert cut is not None
    found, true = array(pose(there, 0, cut)), array(paint(there))
    assert (abs(found - true).max(-1) > 24).mean() < most  # edges; who holds looks the other way, and has its shadows there
    other = array(paint(replace(there, figures=(Figure("bromm", "happy", wanted, "blue"), second))))
    assert (abs(other - true).max(-1) > 24).mean() > 0.09


@pytest.mark.parametrize("kind", ["kite", "balloon", "umbrella"])
def test_what_is_held_is_in_front_of_an_ear(kind: str) -> None:
    """It was behind it, and a mouse that finds a kite had none."""
    cut = head(cut_out(paint(replace(BEACH, figures=(MOUSE,)))), MOUSE.action)
    assert cut is not None
    there = replace(LIBRARY, figures=(replace(MOUSE, action="hold"),), prop=Prop(kind, "green"))
    without = replace(there, prop=None)
    held = abs(array(paint(there)) - array(paint(without))).max(-1) > 24
    found, true = array(pose(there, 0, cut)), array(paint(there))
    assert (abs(found - true).max(-1) > 24)[held].mean() < 0.06  # edges; it was 0.6


@pytest.mark.parametrize("shown", HEADS_FREE)
def test_a_head_is_without_arms_and_coat_and_with_a_tail(shown: str) -> None:
    mouse = replace(BEACH, time="night", aside=0, figures=(replace(MOUSE, action=shown, shirt="white"),), prop=Prop("ball", "red"))
    found = head(cut_out(paint(mouse)), shown)
    assert found is not None
    body = np.asarray(paint(mouse, without=0, limbs=found.limbs), np.int16)
    true = abs(array(paint(mouse)) - body).max(-1) > 12
    assert (true != (found.cutout.opaque > 0)).mean() < 0.001
    assert true[round(GROUND + found.lift) - 40 :, :120].any()  # the tail


def test_a_hand_beyond_the_border() -> None:
    """It had the colour of no pixel."""
    cutout = replace(cut_out(paint(alone(0))), x=float(SIZE - 8))
    assert all(head(cutout, action) is not None for action in ("stand", "jump"))


@pytest.mark.parametrize("kind", ["balloon", "umbrella", "kite", "flower"])
def test_a_head_that_is_hidden_in_part_is_none(kind: str) -> None:
    mouse = replace(BEACH, figures=(replace(MOUSE, action="hold"),), prop=Prop(kind, "red"))
    assert head(cut_out(paint(mouse)), "hold") is None


def shaded(above: tuple[int, int, int], below: tuple[int, int, int], floor: tuple[int, int, int]) -> Image.Image:
    """Somebody before a wall whose colour changes from place to place."""
    down = np.linspace(0, 1, SIZE)[:, None, None]
    wall = np.broadcast_to((1 - down) * above + down * below, (SIZE, SIZE, 3)).copy()
    wall[180:] = floor
    picture = Image.fromarray(wall.astype(np.uint8))
    picture.paste((220, 60, 40), (90, 60, 170, 150))
    picture.paste((40, 60, 200), (105, 140, 155, 220))
    return picture


@pytest.mark.parametrize(
    "picture",
    [
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)),
        Image.new("RGB", (64, 64), "white"),
        Image.new("RGBA", (64, 64)),
        shaded((136, 200, 166), (170, 255, 124), (211, 168, 136)),  # of which a bedroom's window was cut out
    ],
    ids=["noise", "nothing", "transparent", "shaded"],
)
def test_who_cannot_be_told_from_the_rest_is_refused(picture: Image.Image) -> None:
    with pytest.raises(PictureError, match="cannot be told from what is behind it; expected a transparent background"):
        cut_out(picture)


def test_a_picture_that_could_be_transparent_and_is_not() -> None:
    picture = paint(BEACH).convert("RGBA")
    assert np.array_equal(cut_out(picture).opaque, cut_out(paint(BEACH)).opaque)
    picture.putpixel((0, 0), (0, 0, 0, 0))  # a stroke of a rubber
    assert (cut_out(picture).opaque != cut_out(paint(BEACH)).opaque).sum() <= 1


def sheet(*rectangles: tuple[int, int, int, int], colour: str | None = "white") -> Image.Image:
    picture = Image.new("RGBA", (200, 160)) if colour is None else Image.new("RGB", (200, 160), colour)
    for rectangle in rectangles:
        picture.paste((220, 60, 40), rectangle)
    return picture


@pytest.mark.parametrize("colour", ["white", None])
def test_two_on_one_sheet_are_refused(colour: str | None) -> None:
    """They were one character, twice as wide."""
    alone, twin, smaller, above = (20, 40, 80, 140), (110, 50, 160, 140), (110, 90, 150, 130), (15, 2, 85, 38)
    two = sheet(alone, twin, colour=colour)
    found = cut_outs([sheet(alone, colour=colour), two])
    assert next(found).opaque.any()  # which picture it is is told by how far one came
    with pytest.raises(PictureError, match="two figures stand side by side; expected one character, cut the sheet in two"):
        next(found)
    for other in (smaller, above):  # a thing that it holds, a hat in the air
        assert cut_out(sheet(alone, other, colour=colour)).opaque.any()


def test_a_drawing_that_flies_is_refused() -> None:
    """Of drawings anywhere on sheets of one size the higher ones lost their heads."""
    low, leaping, flying = (sheet((80, top, 110, top + 60)) for top in (90, 66, 20))
    assert all(found.opaque.any() for found in cut_outs([low, leaping]))
    found = cut_outs([low, flying])
    next(found)
    with pytest.raises(PictureError, match=r"stands much higher on its sheet than another one.*crop each sheet to its figure"):
        next(found)


def test_where_a_sheet_is_not_plain_is_said() -> None:
    shade = np.broadcast_to(np.linspace(180, 255, 200)[None, :, None], (160, 200, 3)).astype(np.uint8).copy()
    shade[40:140, 60:140] = (220, 60, 40)
    for picture, sides in (
        (sheet((0, 40, 60, 140)), "left"),
        (sheet((20, 40, 80, 160)), "bottom"),
        (Image.fromarray(shade), "left"),
    ):
        with pytest.raises(PictureError, match=f"the sheet has another colour at its .*{sides}.*leave a margin there, and clean"):
            cut_out(picture)


def test_a_sheet_of_paper_on_nothing_is_not_the_figure() -> None:
    """As in screenshots of a window."""
    on_nothing = Image.new("RGBA", (260, 300))
    on_nothing.paste(on("white"), (30, 20))
    found, alone = cut_out(on_nothing), cut_out(on("white"))
    assert np.array_equal(found.opaque, alone.opaque)

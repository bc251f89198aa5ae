"""Where everything stands on a page, in units of a page 1000 wide: one layout for every way of printing it."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageOps, ImageStat

from arldm.page.lettering import Block, fitted, seen
from arldm.page.shapes import Box, Point, balloon
from arldm.story import Frame, Story

WIDTH = 1000.0
MARGIN = 44.0
GUTTER = 20.0
HEADING = 74.0  # height of the title, if it fits
LETTERING, CAPTION = 23.0, 21.0  # sizes of text on a picture, if it fits
PAD = (14.0, 8.0)  # round what is written on a picture, across and down
INSET = 8.0  # of a balloon from its panel
FOOT = 18.0  # a page's number, and the room that it takes below the margin
A_PAGE = 6  # panels at most


@dataclass(frozen=True, slots=True)
class Text:
    """A block of text, set in the middle of a box."""

    box: Box
    block: Block


@dataclass(frozen=True, slots=True)
class Panel:
    """A frame laid on a page: its picture, and on it the box with its caption or the balloon with its lettering."""

    box: Box
    image: Image.Image
    text: Text | None  # None if there is nothing to be said
    outline: tuple[Point, ...] = ()  # of the box or balloon


@dataclass(frozen=True, slots=True)
class Page:
    """One page, ready to be drawn."""

    height: float
    title: Text | None
    panels: tuple[Panel, ...]
    number: Text | None  # None if there is only one page


def laid_out(story: Story) -> list[Page]:
    """The pages of a story whose frames all have pictures."""
    groups = _pages(len(story.frames))
    pages, first = [], 0
    for number, rows in enumerate(groups, 1):
        frames = story.frames[first : first + sum(rows)]
        first += sum(rows)
        pages.append(_page(frames, rows, story.title if number == 1 else "", f"{number}" if len(groups) > 1 else ""))
    return pages


def _pages(frames: int) -> list[list[int]]:
    """How many panels stand in each row of each page: two large ones first, then three."""
    count = -(-frames // A_PAGE)
    shares = [frames // count + (page < frames % count) for page in range(count)]
    rows = {1: [1], 2: [2], 3: [1, 2], 4: [2, 2], 5: [2, 3], 6: [2, 2, 2]}
    return [rows[share] for share in shares]


def _page(frames: Sequence[Frame], rows: Sequence[int], title: str, number: str) -> Page:
    y, heading = MARGIN, None
    if seen(title).strip():
        block = fitted(title, (WIDTH - 2 * MARGIN, HEADING), 58, 20, bold=True)
        heading = Text(Box(MARGIN, y, WIDTH - 2 * MARGIN, max(HEADING, block.height)), block)
        y += heading.box.height + GUTTER
    panels: list[Panel] = []
    for row in rows:
        size = (WIDTH - 2 * MARGIN - GUTTER * (row - 1)) / row
        for column in range(row):
            panels.append(_panel(frames[len(panels)], Box(MARGIN + column * (size + GUTTER), y, size, size)))
        y += size + GUTTER
    end = y - GUTTER
    foot = Text(Box(0, end, WIDTH, MARGIN + FOOT), fitted(number, (WIDTH, MARGIN), FOOT)) if number else None
    return Page(end + MARGIN + (FOOT if number else 0), heading, tuple(panels), foot)


def _panel(frame: Frame, box: Box) -> Panel:
    picture = frame.picture
    assert picture is not None
    said = seen(frame.lettering or "").strip()
    room = (box.width * 0.62 if said else box.width - 2 * PAD[0], box.height * 0.23)
    block = fitted(said or frame.caption, room, LETTERING if said else CAPTION, 5, bold=bool(said))
    if not block.lines:
        return Panel(box, picture, None)
    width, height = block.width + 2 * PAD[0], block.height + 2 * PAD[1]
    if not said:
        corner = Box(box.x, box.y, width, height)
        return Panel(box, picture, Text(corner, block), corner.corners)
    aside = max(INSET, (box.width / 2 - width) / 2)  # a short one does not hide in the corner
    places = [Box(x, box.y + INSET, width, height) for x in (box.x + aside, box.right - aside - width)]
    clear = min(places, key=lambda place: _detail(picture, box, place))
    return Panel(box, picture, Text(clear, block), balloon(clear, (box.middle, box.y + 0.6 * box.height)))


def _detail(image: Image.Image, panel: Box, part: Box) -> float:
    """How much a part of a panel has to show: what a balloon had better not cover."""
    grey = ImageOps.fit(image.convert("L"), (100, 100))
    left, top = 100 * (part.x - panel.x) / panel.width, 100 * (part.y - panel.y) / panel.height
    right, bottom = left + 100 * part.width / panel.width, top + 100 * part.height / panel.height
    return ImageStat.Stat(grey.crop((round(left), round(top), round(right), round(bottom)))).var[0]

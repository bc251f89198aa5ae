"""Where everything stands on a page, in units of a page 1000 wide: one layout for every way of printing it."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from arldm.page.lettering import Block, fitted
from arldm.story import Frame, Story

WIDTH = 1000.0
MARGIN = 44.0
GUTTER = 20.0
HEADING = 74.0  # height of the title, if it fits
CAPTION = 62.0  # height of the band under a picture, if its caption fits
PAD = 12.0
FOOT = 18.0  # a page's number, and the room that it takes below the margin
A_PAGE = 6  # panels at most


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


@dataclass(frozen=True, slots=True)
class Text:
    """A block of text, set in the middle of a box."""

    box: Box
    block: Block


@dataclass(frozen=True, slots=True)
class Panel:
    """A frame laid on a page: its picture, the band with its caption, or the balloon with its lettering."""

    frame: Box  # with the caption's band
    picture: Box
    image: Image.Image
    caption: Text | None
    balloon: Text | None


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
    if title.strip():
        block = fitted(title, (WIDTH - 2 * MARGIN, HEADING), 58, 20, bold=True)
        heading = Text(Box(MARGIN, y, WIDTH - 2 * MARGIN, max(HEADING, block.height)), block)
        y += heading.box.height + GUTTER
    panels: list[Panel] = []
    for row in rows:
        size = (WIDTH - 2 * MARGIN - GUTTER * (row - 1)) / row
        for column in range(row):
            panels.append(_panel(frames[len(panels)], Box(MARGIN + column * (size + GUTTER), y, size, size)))
        y = max(panel.frame.y + panel.frame.height for panel in panels[-row:]) + GUTTER
    end = y - GUTTER
    foot = Text(Box(0, end, WIDTH, MARGIN + FOOT), fitted(number, (WIDTH, MARGIN), FOOT)) if number else None
    return Page(end + MARGIN + (FOOT if number else 0), heading, tuple(panels), foot)


def _panel(frame: Frame, picture: Box) -> Panel:
    assert frame.picture is not None
    if frame.lettering and frame.lettering.strip():
        block = fitted(frame.lettering, (picture.width * 0.62, picture.height * 0.24), 25, bold=True)
        balloon = Box(picture.x + PAD, picture.y + PAD, block.width + 3.4 * PAD, block.height + 2.2 * PAD)
        return Panel(picture, picture, frame.picture, None, Text(balloon, block))
    block = fitted(frame.caption, (picture.width - 2 * PAD, CAPTION - PAD * 0.6), 24)
    band = Box(picture.x, picture.y + picture.height, picture.width, max(CAPTION, block.height + PAD * 0.6))
    whole = Box(picture.x, picture.y, picture.width, picture.height + band.height)
    return Panel(whole, picture, frame.picture, Text(band, block), None)

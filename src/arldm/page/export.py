"""Prints laid-out pages: PNG by Pillow, PDF with real text by fpdf2."""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont, ImageOps

from arldm.errors import ConfigError, PictureError, ScriptError
from arldm.page.layout import WIDTH, Page, Panel, Text, laid_out
from arldm.page.lettering import BOLD, LEADING, REGULAR, missing
from arldm.page.shapes import Point
from arldm.pictures import encoded
from arldm.story import Story
from arldm.writing import put

PAPER, INK = "#faf6ec", "#2f2a3d"
SAID, TOLD = "#ffffff", "#fff3c9"  # the ground of balloons and of captions
LINE = 2.8  # units
PIXELS = 1.6  # a unit
FINER = 2  # times as many pixels each way while it is drawn, for smooth edges
POINTS = 0.6  # a unit: 600 points are the width of a page
DPI = 72 * PIXELS / POINTS
READABLE = 6.0  # points, of letters on a page of 21 cm


def render(story: Story, path: Path) -> list[Path]:
    """Write the pages of a story; several PNG pages are numbered. Raises ConfigError, PictureError, ScriptError, OutputError."""
    if not story.frames:
        raise PictureError("the story has no frames; expected at least one with a picture")
    if undrawn := [number for number, frame in enumerate(story.frames) if frame.picture is None]:
        raise PictureError(f"frame {undrawn[0]} has no picture; expected a story that is told, run `arldm tell` first")
    pages = laid_out(story)
    for text in (text for page in pages for text in _texts(page)):
        said = " ".join(text.block.lines)
        if unknown := missing(said, text.block.bold):
            raise ScriptError(
                f"the page's font has no {' '.join(unknown)} ({said!r}); expected letters that it has, change the words"
            )
    match path.suffix.lower():
        case ".pdf":
            put(path, _pdf(pages, story.title))
            return [path]
        case ".png":
            names = [path] if len(pages) == 1 else [path.with_stem(f"{path.stem}-{number}") for number in range(1, len(pages) + 1)]
            for name, page in zip(names, pages, strict=True):
                put(name, _png(page))
            return names
    raise ConfigError(f"{path}: ends in {path.suffix!r}; expected .png or .pdf")


def hard_to_read(story: Story) -> dict[int, float]:
    """Frames with so many words that their letters become tiny, by number, and how large these are in points."""
    panels = [panel for page in laid_out(story) for panel in page.panels]
    sizes = {number: panel.text.block.size * POINTS for number, panel in enumerate(panels) if panel.text is not None}
    return {number: size for number, size in sizes.items() if size < READABLE}


def left_over(path: Path, pages: Collection[Path]) -> list[Path]:
    """What of an earlier printing under this name is no page of this one."""
    numbered = [one for one in path.parent.glob("*.png") if re.fullmatch(rf"{re.escape(path.stem)}-\d+", one.stem)]
    return sorted(one for one in (path, *numbered) if path.suffix.lower() == ".png" and one.exists() and one not in pages)


def _png(page: Page) -> bytes:
    sheet = Image.new("RGB", (_px(WIDTH) * FINER, _px(page.height) * FINER), PAPER)
    pen = ImageDraw.Draw(sheet)
    for panel in page.panels:
        size = (_px(panel.box.width) * FINER, _px(panel.box.height) * FINER)
        picture = ImageOps.fit(panel.image, size, Image.Resampling.LANCZOS)
        sheet.paste(picture, (_px(panel.box.x) * FINER, _px(panel.box.y) * FINER))
        for outline, fill in _shapes(panel):
            points = [(x * PIXELS * FINER, y * PIXELS * FINER) for x, y in outline]
            pen.polygon(points, fill)
            pen.line([*points, *points[:2]], INK, round(LINE * PIXELS * FINER), "curve")
    for text in _texts(page):
        font = ImageFont.truetype(str(BOLD if text.block.bold else REGULAR), text.block.size * PIXELS * FINER)
        for x, y, line in _lines(text):
            pen.text((x * PIXELS * FINER, y * PIXELS * FINER), line, INK, font, "ms")
    return encoded(sheet.reduce(FINER), dpi=(DPI, DPI))


def _shapes(panel: Panel) -> list[tuple[tuple[Point, ...], str | None]]:
    """The outlines of a panel, and what they are filled with."""
    frame = panel.box.corners, None
    if panel.text is None:
        return [frame]
    return [(panel.outline, SAID if panel.text.block.bold else TOLD), frame]


def _texts(page: Page) -> list[Text]:
    return [text for text in (page.title, *(panel.text for panel in page.panels), page.number) if text is not None]


def _lines(text: Text) -> list[tuple[float, float, str]]:
    """Middle, baseline and words of each line."""
    block, box = text.block, text.box
    top = box.y + (box.height - block.height) / 2
    return [(box.middle, top + (number * LEADING + 0.9) * block.size, line) for number, line in enumerate(block.lines)]


def _px(units: float) -> int:
    return round(units * PIXELS)


def _pdf(pages: list[Page], title: str) -> bytes:
    document = FPDF(unit="pt")
    document.set_creation_date(datetime(2000, 1, 1, tzinfo=UTC))  # the same story gives the same bytes
    document.set_title(title or "Story")
    document.set_auto_page_break(False)
    document.add_font("Comic Neue", "", str(REGULAR))
    document.add_font("Comic Neue", "B", str(BOLD))
    for page in pages:
        document.add_page(format=(WIDTH * POINTS, page.height * POINTS))
        document.set_fill_color(PAPER)
        document.rect(0, 0, WIDTH * POINTS, page.height * POINTS, "F")
        for panel in page.panels:
            box, size = panel.box, (_px(panel.box.width), _px(panel.box.height))
            picture = ImageOps.fit(panel.image, size, Image.Resampling.LANCZOS)
            document.image(picture, box.x * POINTS, box.y * POINTS, box.width * POINTS, box.height * POINTS)
            for outline, fill in _shapes(panel):
                _outline(document, outline, fill)
        for text in _texts(page):
            _write(document, text)
    return bytes(document.output())


def _outline(document: FPDF, points: tuple[Point, ...], fill: str | None) -> None:
    with document.new_path(points[0][0] * POINTS, points[0][1] * POINTS) as path:
        path.style.fill_color, path.style.stroke_color, path.style.stroke_width = fill, INK, LINE * POINTS
        path.style.stroke_join_style = "round"
        for x, y in points[1:]:
            path.line_to(x * POINTS, y * POINTS)
        path.close()


def _write(document: FPDF, text: Text) -> None:
    document.set_font("Comic Neue", "B" if text.block.bold else "", text.block.size * POINTS)
    document.set_text_color(INK)
    for x, y, line in _lines(text):
        document.text(x * POINTS - document.get_string_width(line) / 2, y * POINTS, line)

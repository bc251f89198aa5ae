"""Prints laid-out pages: PNG by Pillow, PDF with real text by fpdf2."""

import io
from datetime import UTC, datetime
from pathlib import Path

from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont, ImageOps

from arldm.errors import ConfigError, PictureError
from arldm.page.layout import WIDTH, Box, Page, Panel, Text, laid_out
from arldm.page.lettering import BOLD, LEADING, REGULAR
from arldm.story import Story
from arldm.writing import put

PAPER, INK, BAND = "#faf6ec", "#2f2a3d", "#fffdf7"
LINE, RADIUS = 3.2, 9.0  # units
PIXELS = 1.6  # a unit
POINTS = 0.6  # a unit: 600 points are the width of a page


def render(story: Story, path: Path) -> list[Path]:
    """Write the pages of a story; several PNG pages are numbered. Raises ConfigError, PictureError, OutputError."""
    if not story.frames:
        raise PictureError("the story has no frames; expected at least one with a picture")
    if missing := [number for number, frame in enumerate(story.frames) if frame.picture is None]:
        raise PictureError(f"frame {missing[0]} has no picture; expected a story that is told, run `arldm tell` first")
    pages = laid_out(story)
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


def _png(page: Page) -> bytes:
    sheet = Image.new("RGB", (_px(WIDTH), _px(page.height)), PAPER)
    pen = ImageDraw.Draw(sheet)
    if page.title is not None:
        _letter(pen, page.title)
    for panel in page.panels:
        _panel_png(sheet, pen, panel)
    if page.number is not None:
        _letter(pen, page.number)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", dpi=(300, 300))
    return buffer.getvalue()


def _panel_png(sheet: Image.Image, pen: ImageDraw.ImageDraw, panel: Panel) -> None:
    frame = _corners(panel.frame)
    pen.rounded_rectangle(frame, _px(RADIUS), BAND)
    size = (_px(panel.picture.width), _px(panel.picture.height))
    mask = Image.new("L", sheet.size)
    ImageDraw.Draw(mask).rounded_rectangle(frame, _px(RADIUS), 255)
    picture = ImageOps.fit(panel.image, size, Image.Resampling.LANCZOS)
    left, top = _px(panel.picture.x), _px(panel.picture.y)
    sheet.paste(picture, (left, top), mask.crop((left, top, left + size[0], top + size[1])))
    if panel.caption is not None:
        pen.line([(left, top + size[1]), (left + size[0], top + size[1])], INK, _px(LINE * 0.7))
        _letter(pen, panel.caption)
    pen.rounded_rectangle(frame, _px(RADIUS), None, INK, _px(LINE))
    if panel.balloon is not None:
        pen.rounded_rectangle(_corners(panel.balloon.box), _px(panel.balloon.box.height / 2.6), "#ffffff", INK, _px(LINE * 0.8))
        _letter(pen, panel.balloon)


def _letter(pen: ImageDraw.ImageDraw, text: Text) -> None:
    font = ImageFont.truetype(str(BOLD if text.block.bold else REGULAR), text.block.size * PIXELS)
    for x, y, line in _lines(text):
        pen.text((x * PIXELS, y * PIXELS), line, INK, font, "ms")


def _lines(text: Text) -> list[tuple[float, float, str]]:
    """Middle, baseline and words of each line."""
    block, box = text.block, text.box
    top = box.y + (box.height - block.height) / 2
    return [(box.middle, top + (number * LEADING + 0.9) * block.size, line) for number, line in enumerate(block.lines)]


def _corners(box: Box) -> tuple[int, int, int, int]:
    return _px(box.x), _px(box.y), _px(box.x + box.width), _px(box.y + box.height)


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
        if page.title is not None:
            _write(document, page.title)
        for panel in page.panels:
            _panel_pdf(document, panel)
        if page.number is not None:
            _write(document, page.number)
    return bytes(document.output())


def _panel_pdf(document: FPDF, panel: Panel) -> None:
    document.set_draw_color(INK)
    _rectangle(document, panel.frame, BAND, LINE)
    size = (_px(panel.picture.width), _px(panel.picture.height))
    with document.rect_clip(*_scaled(panel.picture)):
        document.image(ImageOps.fit(panel.image, size, Image.Resampling.LANCZOS), *_scaled(panel.picture))
    if panel.caption is not None:
        document.set_line_width(LINE * 0.7 * POINTS)
        x, y, width, height = _scaled(panel.picture)
        document.line(x, y + height, x + width, y + height)
        _write(document, panel.caption)
    document.set_line_width(LINE * POINTS)
    document.rect(*_scaled(panel.frame), style="D")
    if panel.balloon is not None:
        _rectangle(document, panel.balloon.box, "#ffffff", LINE * 0.8, panel.balloon.box.height / 2.6)
        _write(document, panel.balloon)


def _rectangle(document: FPDF, box: Box, fill: str, line: float, radius: float = 0) -> None:
    document.set_fill_color(fill)
    document.set_line_width(line * POINTS)
    document.rect(*_scaled(box), style="DF", round_corners=radius > 0, corner_radius=radius * POINTS)


def _write(document: FPDF, text: Text) -> None:
    document.set_font("Comic Neue", "B" if text.block.bold else "", text.block.size * POINTS)
    document.set_text_color(INK)
    for x, y, line in _lines(text):
        document.text(x * POINTS - document.get_string_width(line) / 2, y * POINTS, line)


def _scaled(box: Box) -> tuple[float, float, float, float]:
    return box.x * POINTS, box.y * POINTS, box.width * POINTS, box.height * POINTS

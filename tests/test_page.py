"""Pages: where panels stand, how text is set, and what the printed files hold."""

import re
import zlib
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from fpdf import FPDF
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from arldm.errors import ConfigError, OutputError, PictureError, ScriptError
from arldm.page import render
from arldm.page.export import PIXELS, POINTS
from arldm.page.layout import A_PAGE, CAPTION, GUTTER, MARGIN, WIDTH, Page, Panel, Text, laid_out
from arldm.page.lettering import REGULAR, balanced, fitted, missing, width, wrapped
from arldm.page.shapes import Box, Point, balloon
from arldm.story import Frame, Story

NEAR = 1e-6  # units, or points: rounding only
WORDS = st.lists(st.text("abcdefghijklmnopqrstuvwxyzäéI.!'", min_size=1, max_size=14), max_size=24).map(" ".join)
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
FRAMES = st.builds(
    lambda size, caption, lettering: Frame(caption, Image.new("RGB", size), lettering=lettering), SIZES, WORDS, st.none() | WORDS
)
STORIES = st.builds(lambda frames, title: Story("s", tuple(frames), title), st.lists(FRAMES, min_size=1, max_size=40), WORDS)


def flat(frames: int, title: str = "", lettering: str | None = None) -> Story:
    """A story whose pictures have one colour each."""
    colours = np.random.Generator(np.random.PCG64(5)).integers(0, 256, (frames, 3)).tolist()
    return Story(
        "flat",
        tuple(
            Frame(f"Caption number {number} tells something.", Image.new("RGB", (32, 32), tuple(colours[number])), (), lettering)
            for number in range(frames)
        ),
        title,
    )


def within(inner: Box, outer: Box) -> bool:
    """No edge of the inner box lies outside the other."""
    return (
        inner.x >= outer.x - NEAR
        and inner.y >= outer.y - NEAR
        and inner.x + inner.width <= outer.x + outer.width + NEAR
        and inner.y + inner.height <= outer.y + outer.height + NEAR
    )


def gap(one: Box, two: Box) -> float:
    """How far apart two boxes are, across or down; negative where they overlap."""
    across = max(one.x, two.x) - min(one.x + one.width, two.x + two.width)
    down = max(one.y, two.y) - min(one.y + one.height, two.y + two.height)
    return max(across, down)


def texts(page: Page) -> list[Text]:
    """Everything that is lettered on a page."""
    return [text for text in (page.title, *(panel.text for panel in page.panels)) if text is not None]


def written(panel: Panel) -> Text:
    """What is lettered on a panel that has something to say."""
    assert panel.text is not None
    return panel.text


def one(lettering: str | None, picture: Image.Image | None = None, caption: str = "A caption.") -> Panel:
    """The first panel of a row of two."""
    frame = Frame(caption, picture or Image.new("RGB", (8, 8)), lettering=lettering)
    return laid_out(Story("s", (frame, frame)))[0].panels[0]


class TestLayout:
    @settings(deadline=None, max_examples=40)
    @given(STORIES)
    def test_panels_stand_inside_the_page_and_apart(self, story: Story) -> None:
        for page in laid_out(story):
            inside = Box(MARGIN, MARGIN, WIDTH - 2 * MARGIN, page.height - 2 * MARGIN)
            blocks = [panel.box for panel in page.panels] + ([page.title.box] if page.title else [])
            assert all(within(block, inside) for block in blocks)
            assert all(gap(one, two) >= GUTTER - NEAR for one, two in combinations(blocks, 2))

    @settings(deadline=None, max_examples=40)
    @given(STORIES)
    def test_frames_are_read_in_order(self, story: Story) -> None:
        pages = laid_out(story)
        assert [panel.image for page in pages for panel in page.panels] == [frame.picture for frame in story.frames]
        for page in pages:
            for before, after in pairwise(panel.box for panel in page.panels):
                same_row = after.y == before.y and after.x > before.x and after.height == before.height
                next_row = after.y >= before.bottom and after.x == MARGIN
                assert same_row or next_row

    @settings(deadline=None, max_examples=40)
    @given(STORIES)
    def test_what_a_panel_holds_lies_inside_it(self, story: Story) -> None:
        for page in laid_out(story):
            for panel in page.panels:
                assert (panel.text is None) == (not panel.outline)
                assert panel.text is None or within(panel.text.box, panel.box)
                assert all(within(Box(x, y, 0, 0), panel.box) for x, y in panel.outline)

    @settings(deadline=None, max_examples=40)
    @given(STORIES)
    def test_text_fits_its_box_and_no_word_is_lost(self, story: Story) -> None:
        pages = laid_out(story)
        for text in (text for page in pages for text in texts(page)):
            assert text.block.width <= text.box.width + NEAR
            assert text.block.height <= text.box.height + NEAR
        told = [panel.text for page in pages for panel in page.panels]
        for frame, text in zip(story.frames, told, strict=True):
            assert "".join(text.block.lines if text else ()).replace(" ", "") == (frame.lettering or frame.caption).replace(" ", "")

    @pytest.mark.parametrize("frames", range(1, 41))
    def test_a_book_has_full_pages_of_about_the_same_size(self, frames: int) -> None:
        pages = laid_out(flat(frames, "A title"))
        shares = [len(page.panels) for page in pages]
        assert sum(shares) == frames
        assert len(pages) == -(-frames // A_PAGE)
        assert max(shares) <= A_PAGE
        assert max(shares) - min(shares) <= 1
        assert [page.title is not None for page in pages] == [True] + [False] * (len(pages) - 1)
        numbers = [page.number and page.number.block.lines for page in pages]
        assert numbers == ([None] if len(pages) == 1 else [(str(n),) for n in range(1, len(pages) + 1)])

    @pytest.mark.parametrize("frames", [1, 2, 3, 7])
    def test_no_panel_cuts_the_feet_off(self, frames: int) -> None:
        panels = [panel for page in laid_out(flat(frames, "")) for panel in page.panels]
        assert all(panel.box.width == pytest.approx(panel.box.height) for panel in panels)

    def test_a_row_fills_the_page(self) -> None:
        for page in laid_out(flat(40)):
            for y in {panel.box.y for panel in page.panels}:
                row = [panel.box for panel in page.panels if panel.box.y == y]
                assert row[0].x == MARGIN
                assert row[-1].x + row[-1].width == pytest.approx(WIDTH - MARGIN)

    def test_a_long_caption_is_set_smaller_and_leaves_the_faces_free(self) -> None:
        long, short = one(None, caption="many words " * 80), one(None)
        assert written(long).block.size < written(short).block.size == CAPTION
        assert within(written(long).box, long.box)
        for panel in (long, short):
            assert written(panel).box.height < panel.box.height * 0.3

    def test_a_title_too_long_for_its_line_takes_more_of_them(self) -> None:
        page = laid_out(Story("s", flat(2).frames, "much of a title " * 60))[0]
        assert page.title is not None
        assert page.title.block.height <= page.title.box.height + NEAR

    @pytest.mark.parametrize("lettering", [None, "", "  \t"])
    def test_without_lettering_the_caption_stands_in_the_corner(self, lettering: str | None) -> None:
        panel = one(lettering)
        text = written(panel)
        assert (text.block.lines, text.block.bold) == (("A caption.",), False)
        assert (text.box.x, text.box.y) == (panel.box.x, panel.box.y)
        assert panel.outline == text.box.corners

    def test_with_lettering_a_balloon_stands_in_place_of_the_caption(self) -> None:
        panel = one("Oh no!")
        text = written(panel)
        assert (text.block.lines, text.block.bold) == (("Oh no!",), True)
        assert max(y for _, y in panel.outline) > text.box.bottom + 10  # its tail
        assert text.box.middle == pytest.approx(panel.box.x + panel.box.width / 4)

    @pytest.mark.parametrize("busy", ["left", "right"])
    def test_a_balloon_covers_the_corner_with_less_to_see(self, busy: str) -> None:
        noise = Image.effect_noise((32, 64), 120)
        picture = Image.new("L", (64, 64), 120)
        picture.paste(noise, (0 if busy == "left" else 32, 0))
        panel = one("I have something to say to you", picture.convert("RGB"))
        assert (written(panel).box.middle > panel.box.middle) == (busy == "left")

    def test_without_words_a_panel_is_its_picture(self) -> None:
        panel = one(None, caption="")
        assert (panel.text, panel.outline) == (None, ())

    @pytest.mark.parametrize("title", ["", "   "])
    def test_no_title_takes_no_room(self, title: str) -> None:
        page = laid_out(flat(2, title))[0]
        assert page.title is None
        assert page.panels[0].box.y == MARGIN


class TestBalloon:
    @pytest.mark.parametrize("towards", [(0.0, 300.0), (100.0, 300.0), (400.0, 90.0), (100.0, 0.0)])
    @pytest.mark.parametrize("size", [(40.0, 30.0), (180.0, 40.0), (200.0, 120.0)])
    def test_box_and_tail_are_one_outline(self, towards: Point, size: tuple[float, float]) -> None:
        box = Box(50, 20, *size)
        points = balloon(box, towards)
        tip = max(points, key=lambda point: point[1])
        assert tip[1] > box.bottom
        assert (tip[0] - box.middle) * (towards[0] - box.middle) >= 0  # it leans to where it shall point
        rest = [point for point in points if point[1] <= box.bottom + NEAR]
        assert (min(x for x, _ in rest), max(x for x, _ in rest)) == pytest.approx((box.x, box.right))
        area = sum(x * below - right * y for (x, y), (right, below) in pairwise((*points, points[0]))) / 2
        assert 0.7 * box.width * box.height < area < box.width * box.height + 400  # goes round once, clockwise

    def test_no_line_is_drawn_between_balloon_and_tail(self, tmp_path: Path) -> None:
        story = flat(2, lettering="Oh no!")
        panel = laid_out(story)[0].panels[0]
        bottom = written(panel).box.bottom
        _, left, right, _ = sorted(x for x, y in panel.outline if y == pytest.approx(bottom))  # the tail's root between corners
        with Image.open(render(story, tmp_path / "page.png")[0]) as image:
            below = [image.getpixel((int((left + right) / 2 * PIXELS), int((bottom + d) * PIXELS))) for d in (-3, 0, 3)]
        assert below == [(255, 255, 255)] * 3


class TestLettering:
    @settings(deadline=None, max_examples=100)
    @given(WORDS, st.floats(8, 60), st.floats(70, 900), st.booleans())
    def test_lines_fit_and_keep_every_letter(self, text: str, size: float, room: float, bold: bool) -> None:
        for lines in (wrapped(text, size, room, bold), balanced(text, size, room, bold)):
            assert all(width(line, size, bold) <= room + NEAR for line in lines)
            assert "".join(lines).replace(" ", "") == text.replace(" ", "")
            assert all(line and line == line.strip() for line in lines)

    @settings(deadline=None, max_examples=100)
    @given(WORDS, st.floats(8, 60), st.booleans())
    def test_a_word_that_fits_is_not_broken(self, text: str, size: float, bold: bool) -> None:
        room = 1.03 * max((width(word, size, bold) for word in text.split()), default=1)
        for lines in (wrapped(text, size, room, bold), balanced(text, size, room, bold)):
            assert " ".join(lines).split() == text.split()

    def test_evening_out_lines_breaks_no_word(self) -> None:
        # the middle word nearly fills the room, and the last line has space for what would be cut off
        assert balanced("so internationalisations is", 24, 1.02 * width("internationalisations", 24)) == (
            "so",
            "internationalisations",
            "is",
        )

    @settings(deadline=None, max_examples=60)
    @given(WORDS, st.floats(12, 40), st.floats(120, 900))
    def test_balanced_takes_no_more_lines(self, text: str, size: float, room: float) -> None:
        assert len(balanced(text, size, room)) == len(wrapped(text, size, room))

    def test_balanced_leaves_no_word_alone(self) -> None:
        text = "Momo walks all the way to the old lighthouse by the sea"
        room = width(text, 20) * 0.97  # only the last word does not fit
        assert wrapped(text, 20, room)[-1] == "sea"
        one, two = (width(line, 20) for line in balanced(text, 20, room))
        assert min(one, two) / max(one, two) > 0.7

    def test_a_word_wider_than_the_room_is_broken(self) -> None:
        lines = wrapped("a" * 60, 20, 100)
        assert len(lines) > 1
        assert "".join(lines) == "a" * 60

    def test_nothing_is_no_lines(self) -> None:
        block = fitted("  ", (100, 20), 30)
        assert (block.lines, block.width, block.height) == ((), 0, 0)

    def test_text_is_set_as_large_as_fits(self) -> None:
        few, some, many = (fitted("words to fit " * count, (300, 60), 40, 9) for count in (1, 6, 200))
        assert few.size == 40
        assert 9 < some.size < 40
        assert some.height <= 60
        assert len(balanced("words to fit " * 6, some.size / 0.94, 300)) * some.size / 0.94 * 1.22 > 60  # one size larger does not
        assert many.size == 9
        assert many.height > 60
        assert " ".join(many.lines).split() == ("words to fit " * 200).split()

    def test_width_grows_with_size(self) -> None:
        assert width("Momo", 40) == pytest.approx(2 * width("Momo", 20))
        assert width("Momo", 20, bold=True) != width("Momo", 20)
        assert width("", 20) == 0


class TestPng:
    def test_the_picture_has_the_size_of_the_page(self, tmp_path: Path) -> None:
        story = flat(4, "The title")
        path = tmp_path / "deep" / "page.PNG"  # a folder that is not there yet, and capitals
        assert render(story, path) == [path]
        with Image.open(path) as image:
            image.load()
            assert image.format == "PNG"
            assert image.size == (round(WIDTH * PIXELS), round(laid_out(story)[0].height * PIXELS))

    def test_each_panel_shows_its_picture(self, tmp_path: Path) -> None:
        story = flat(6)
        with Image.open(render(story, tmp_path / "page.png")[0]) as image:
            for panel in laid_out(story)[0].panels:
                middle = panel.box.middle * PIXELS, (panel.box.y + panel.box.height / 2) * PIXELS
                assert image.getpixel((int(middle[0]), int(middle[1]))) == panel.image.getpixel((0, 0))

    @pytest.mark.parametrize("lettering", [None, "Oh no, a letter!"])
    def test_text_is_inked_inside_its_box(self, tmp_path: Path, lettering: str | None) -> None:
        story = flat(2, "The title", lettering)
        for text in texts(laid_out(story)[0]):
            with Image.open(render(story, tmp_path / "page.png")[0]) as image:
                box = text.box
                area = np.asarray(image.convert("L").crop(tuple(round(n * PIXELS) for n in _inset(box))))
            assert (area < 100).any()

    def test_a_book_is_several_files(self, tmp_path: Path) -> None:
        names = render(flat(13, "Long"), tmp_path / "book.png")
        assert [name.name for name in names] == ["book-1.png", "book-2.png", "book-3.png"]
        assert sorted(tmp_path.iterdir()) == names  # nothing half written is left beside them
        for name in names:
            with Image.open(name) as image:
                image.load()

    def test_the_same_story_gives_the_same_bytes(self, tmp_path: Path) -> None:
        for suffix in (".png", ".pdf"):
            one, two = (render(flat(3, "Again"), tmp_path / f"{name}{suffix}")[0].read_bytes() for name in "ab")
            assert one == two
        assert b"/CreationDate (D:2000" in one  # not the hour at which it was printed


def _inset(box: Box) -> tuple[float, float, float, float]:
    """Without the lines drawn round it."""
    return box.x + 5, box.y + 5, box.x + box.width - 5, box.y + box.height - 5


class Pdf:
    """As much of a PDF reader as it takes to get at the text: objects, page contents, and each font's way back to Unicode."""

    def __init__(self, data: bytes) -> None:
        self.objects = {int(m[1]): m[2] for m in re.finditer(rb"(\d+) 0 obj\n(.*?)\nendobj", data, re.DOTALL)}
        kids = next(body for body in self.objects.values() if b"/Type /Pages" in body)
        self.pages = [self.objects[int(n)] for n in re.findall(rb"(\d+) 0 R", kids[kids.index(b"/Kids") : kids.index(b"]")])]

    def sizes(self) -> list[tuple[float, float]]:
        """Width and height of each page in points."""
        found = [re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", page) for page in self.pages]
        return [(float(m[1]), float(m[2])) for m in found if m]

    def lines(self, number: int) -> list[str]:
        """The lines of text of a page, as they would be copied from it."""
        return [line for _, line in self.placed(number)]

    def placed(self, number: int) -> list[tuple[float, str]]:
        """The lines of text of a page, with the place from the left at which each begins."""
        page = self.pages[number]
        fonts = {m[1]: self._letters(int(m[2])) for m in re.finditer(rb"/(F\d+) (\d+) 0 R", self._follow(page, b"Resources"))}
        lines, letters = [], {}
        tokens = rb"/(F\d+) [\d.]+ Tf|([\d.]+) [\d.]+ Td \(((?:\\.|[^\\)])*)\) Tj"
        for m in re.finditer(tokens, self._stream(self._follow(page, b"Contents")), re.DOTALL):
            if m[1]:
                letters = fonts[m[1]]
            else:
                codes = re.sub(rb"\\(.)", lambda e: {b"r": b"\r", b"n": b"\n"}.get(e[1], e[1]), m[3], flags=re.DOTALL)
                lines.append((float(m[2]), "".join(letters[codes[k : k + 2].hex()] for k in range(0, len(codes), 2))))
        return lines

    def points(self, number: int) -> set[tuple[float, float]]:
        """All corners of the outlines of a page, in points from its upper left corner."""
        stream = self._stream(self._follow(self.pages[number], b"Contents"))
        return {(float(m[1]), float(m[2])) for m in re.finditer(rb"([\d.]+) ([\d.]+) [ml]\b", stream)}

    def _follow(self, body: bytes, name: bytes) -> bytes:
        found = re.search(rb"/" + name + rb" (\d+) 0 R", body)
        assert found is not None
        return self.objects[int(found[1])]

    def _stream(self, body: bytes) -> bytes:
        data = body[body.index(b"stream\n") + 7 : body.rindex(b"\nendstream")]
        return zlib.decompress(data) if b"/FlateDecode" in body else data

    def _letters(self, font: int) -> dict[str, str]:
        """Two-byte code in hexadecimal -> letter."""
        table = self._stream(self._follow(self.objects[font], b"ToUnicode")).decode()
        pairs = re.findall(r"<(\w{4})> <(\w+)>", table[table.index("beginbfchar") :])
        return {code.lower(): bytes.fromhex(letter).decode("utf-16-be") for code, letter in pairs}

    def fonts(self) -> dict[str, bytes]:
        """Name -> the font file inside."""
        found = {}
        for body in self.objects.values():
            if b"/Type /FontDescriptor" in body and (name := re.search(rb"/FontName /(\S+)", body)):
                found[name[1].decode()] = self._stream(self._follow(body, b"FontFile2"))
        return found


class TestPdf:
    def test_the_words_can_be_copied(self, tmp_path: Path) -> None:
        frames = [
            Frame("Momo (the fox) walks to the café\\bar.", Image.new("RGB", (30, 20))),
            Frame("unsaid", Image.new("RGB", (20, 30)), lettering="I’m here, finally — at last!"),
            Frame("Many words " * 20, Image.new("RGB", (20, 30))),
        ]
        path = tmp_path / "page.pdf"
        assert render(Story("s", tuple(frames), "Größe & Glück"), path) == [path]
        said = " ".join(Pdf(path.read_bytes()).lines(0)).split()
        assert said == [
            "Größe",
            "&",
            "Glück",
            *frames[0].caption.split(),
            *str(frames[1].lettering).split(),
            *["Many", "words"] * 20,
        ]

    def test_a_book_is_one_file_with_numbered_pages(self, tmp_path: Path) -> None:
        story = flat(13, "Long")
        path = tmp_path / "book.pdf"
        assert render(story, path) == [path]
        assert list(tmp_path.iterdir()) == [path]
        pdf, pages = Pdf(path.read_bytes()), laid_out(story)
        assert pdf.sizes() == [pytest.approx((WIDTH * POINTS, page.height * POINTS), abs=0.01) for page in pages]
        first = 0
        for number, page in enumerate(pages):
            lines = pdf.lines(number)
            assert lines[-1] == str(number + 1)
            assert page.number is not None
            left = (WIDTH - page.number.block.width) / 2 * POINTS
            assert pdf.placed(number)[-1][0] == pytest.approx(left, abs=0.5)
            said = " ".join(lines[:-1])
            for frame in story.frames[first : first + len(page.panels)]:
                assert frame.caption in said
            first += len(page.panels)

    def test_the_comic_font_is_inside(self, tmp_path: Path) -> None:
        fonts = Pdf(render(flat(3, "Title"), tmp_path / "page.pdf")[0].read_bytes()).fonts()
        assert {name.split("+")[1] for name in fonts} == {"ComicNeue", "ComicNeueBold"}
        for file in fonts.values():
            assert file[:4] in (b"OTTO", b"\0\1\0\0")  # outlines of either kind, not only a name
            assert 1000 < len(file) < REGULAR.stat().st_size  # and only the letters that are used

    @pytest.mark.parametrize(
        "caption", ["Momo walks to the old lighthouse with a red kite, and it rains.", "To Tyra: We Vow to Yawn. " * 6]
    )
    def test_lines_stand_in_the_middle_and_fit_in_print_as_on_screen(self, tmp_path: Path, caption: str) -> None:
        """Fpdf2 sets letters without kerning, so its lines are a little longer than those that were measured."""
        story = Story("s", (Frame(caption, Image.new("RGB", (8, 8))),))
        text = written(laid_out(story)[0].panels[0])
        placed = Pdf(render(story, tmp_path / "page.pdf")[0].read_bytes()).placed(0)
        assert tuple(line for _, line in placed) == text.block.lines
        document = FPDF(unit="pt")
        document.add_font("Comic Neue", "", str(REGULAR))
        document.set_font("Comic Neue", "", text.block.size * POINTS)
        widths = [document.get_string_width(line) for line in text.block.lines]
        for font in document.fonts.values():
            font.close()
        assert max(widths) <= text.box.width * POINTS
        for (left, _), long in zip(placed, widths, strict=True):
            assert left + long / 2 == pytest.approx(text.box.middle * POINTS, abs=0.1)

    def test_balloons_have_the_same_outline_as_on_screen(self, tmp_path: Path) -> None:
        story = flat(2, lettering="Oh no!")
        drawn = Pdf(render(story, tmp_path / "page.pdf")[0].read_bytes()).points(0)
        for x, y in (point for panel in laid_out(story)[0].panels for point in panel.outline):
            assert min(abs(x * POINTS - px) + abs(y * POINTS - py) for px, py in drawn) < 0.01

    def test_the_title_is_the_documents(self, tmp_path: Path) -> None:
        assert b"/Title (A title)" in render(flat(2, "A title"), tmp_path / "a.pdf")[0].read_bytes()
        assert b"/Title (Story)" in render(flat(2), tmp_path / "b.pdf")[0].read_bytes()


class TestRefused:
    @pytest.mark.parametrize("name", ["page.jpg", "page", "page.pdf.txt", ".png"])
    def test_another_kind_of_file(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(ConfigError, match=r"expected \.png or \.pdf"):
            render(flat(2), tmp_path / name)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("suffix", [".png", ".pdf"])
    def test_frames_without_pictures(self, tmp_path: Path, suffix: str) -> None:
        story = flat(3)
        frames = (*story.frames[:1], Frame("Not drawn"), *story.frames[2:])
        with pytest.raises(PictureError, match="frame 1 has no picture"):
            render(Story("s", frames), tmp_path / f"page{suffix}")
        with pytest.raises(PictureError, match="no frames"):
            render(Story("s", ()), tmp_path / f"page{suffix}")
        assert list(tmp_path.iterdir()) == []

    def test_a_place_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "page.png").mkdir()
        with pytest.raises(OutputError, match=r"page\.png: cannot be written"):
            render(flat(2), tmp_path / "page.png")
        assert [path.name for path in tmp_path.iterdir()] == ["page.png"]


def test_accents_of_their_own_are_put_on_their_letters(tmp_path: Path) -> None:
    assert fitted("Cafe\u0301", (200, 50), 20).lines == ("Café",)
    assert missing("Café\u200b! ♥") == "♥"
    story = flat(2)
    for number, said in enumerate(("Café\u200b!", "Ğ")):
        frames = (replace(story.frames[0], lettering=said), *story.frames[1:])
        if number:
            with pytest.raises(ScriptError, match="the page's font has no Ğ"):
                render(replace(story, frames=frames), tmp_path / "page.pdf")
        else:
            assert render(replace(story, frames=frames), tmp_path / "page.pdf")


@pytest.mark.parametrize("letter", ["\u200b", "\u200d", "\ufeff", "\u00ad", "\u2060"])
def test_what_is_not_to_be_seen_is_not_printed(letter: str) -> None:
    """PDFs had a hyphen in the middle of a word, or a line too far to the left; a balloon of nothing else was empty."""
    assert fitted(f"extra{letter}ordinary", (300, 50), 20).lines == ("extraordinary",)
    assert fitted(letter, (100, 50), 20).lines == ()
    (page,) = laid_out(flat(2, lettering=letter))
    assert ["".join(panel.text.block.lines)[:7] for panel in page.panels if panel.text] == ["Caption", "Caption"]


def test_a_letter_without_width_is_set_and_not_waited_for() -> None:
    assert fitted("\u0301", (100, 50), 20).lines == ("\u0301",)

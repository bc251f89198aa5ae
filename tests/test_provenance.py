"""What a drawn frame says of itself: written, read back, and refused where it cannot be understood."""

import json
import struct
import zlib
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from arldm.config import TellConfig, to_dict
from arldm.errors import PictureError
from arldm.provenance import CHUNK, PACKAGES, Origin, origin, pixel_hash, read_origin
from arldm.story import Frame, Story
from arldm.story_files import StoryFolder
from conftest import picture

STORY = Story("tale", (Frame("Momo walks."), Frame("Es regnet, 雨."), Frame("She sits.")), "Title")
CONFIG = TellConfig(steps=7, guidance=2.5, scheduler="unipc", seed=11)


def of_frame(frame: int, history: str = "pictures") -> Origin:
    return origin(
        STORY,
        frame,
        [picture(k) for k in range(frame + 1)],
        CONFIG,
        model=("toonsv", "0123abcd"),
        history=history,
        take=2,
        threads=3,
        packs=(),
        device="cpu",
    )


def written(path: Path, text: str | None, name: str = CHUNK) -> Path:
    """A PNG with one chunk of text."""
    info = PngImagePlugin.PngInfo()
    if text is not None:
        info.add_itxt(name, text)
    picture(1).save(path, "PNG", pnginfo=info)
    return path


class TestOrigin:
    def test_it_says_what_the_frame_was_made_from(self) -> None:
        made = of_frame(2)
        assert (made.model, made.model_hash, made.story, made.frame) == ("toonsv", "0123abcd", "tale", 2)
        assert made.captions == ("Momo walks.", "Es regnet, 雨.", "She sits.")
        assert made.past == (pixel_hash(picture(0)), pixel_hash(picture(1)))
        assert made.pixels == pixel_hash(picture(2))
        assert (made.config, made.take, made.history, made.threads) == (CONFIG, 2, "pictures", 3)
        assert made.versions == {package: version(package) for package in PACKAGES}

    def test_a_frame_from_before_there_were_precisions_was_drawn_in_float32(self, tmp_path: Path) -> None:
        values = to_dict(of_frame(1))
        del values["config"]["precision"]
        assert read_origin(written(tmp_path / "old.png", json.dumps(values))).config.precision == "no"

    @pytest.mark.parametrize(
        "changed",
        [{"packs": [5]}, {"captions": "words"}, {"config": {"scheduler": ["ddim"]}}, {"config": {"precision": "half"}}],
        ids=lambda changed: min(changed),
    )
    def test_values_of_another_kind_are_refused(self, tmp_path: Path, changed: dict) -> None:
        values = to_dict(of_frame(1))
        values |= {"config": values["config"] | changed["config"]} if "config" in changed else changed
        with pytest.raises(PictureError, match="cannot be understood"):
            read_origin(written(tmp_path / "altered.png", json.dumps(values)))

    def test_a_path_may_be_no_letters(self, tmp_path: Path) -> None:
        made = replace(of_frame(1), packs=("packs/Ren\udce9",))
        chunks = made.chunks((8, 8))
        assert read_origin(written(tmp_path / "frame.png", chunks[CHUNK])) == made

    def test_later_captions_do_not_matter(self) -> None:
        assert of_frame(0).captions == ("Momo walks.",)
        assert of_frame(0).past == ()

    @pytest.mark.parametrize("history", ["captions", "none"])
    def test_pictures_count_only_where_they_are_looked_at(self, history: str) -> None:
        assert of_frame(2, history).past == ()
        assert of_frame(2, history).pixels == of_frame(2).pixels

    @pytest.mark.parametrize("frame", [0, 1, 2])
    def test_round_trip_through_a_frame(self, tmp_path: Path, frame: int) -> None:
        made = of_frame(frame)
        folder = StoryFolder(tmp_path / "out", STORY)
        folder.keep(frame, picture(frame), made.chunks(picture(frame).size))
        assert read_origin(folder.picture(frame)) == made
        with Image.open(folder.picture(frame)) as image:
            assert pixel_hash(image) == made.pixels  # PNG loses nothing

    @settings(deadline=None, max_examples=50)
    @given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1), st.integers(0, 2**63), st.floats(0, 50))
    def test_its_text_is_json_whatever_it_says(self, caption: str, seed: int, guidance: float) -> None:
        made = replace(of_frame(1), captions=("One.", caption), config=replace(CONFIG, seed=seed, guidance=guidance))
        found = json.loads(made.chunks((32, 32))[CHUNK])
        assert found == to_dict(made)
        assert found["captions"] == ["One.", caption]
        assert TellConfig(**found["config"]) == made.config

    def test_the_line_that_other_tools_read(self) -> None:
        assert of_frame(1).chunks((64, 32))["parameters"] == (
            "Es regnet, 雨.\nSteps: 7, Sampler: unipc, CFG scale: 2.5, Seed: 11, Size: 64x32, Model hash: 0123abcd"
        )


class TestPixelHash:
    def test_the_same_pixels_have_the_same_name(self) -> None:
        assert pixel_hash(picture(1)) == pixel_hash(picture(1).copy())
        assert pixel_hash(picture(1)) == pixel_hash(picture(1).convert("RGBA"))
        assert len(pixel_hash(picture(1))) == 16

    @pytest.mark.parametrize("channel", [0, 1, 2])
    @pytest.mark.parametrize("at", [(0, 0), (31, 31), (17, 5)])
    def test_one_step_of_one_pixel_changes_it(self, at: tuple[int, int], channel: int) -> None:
        other = picture(1)
        colour = list(other.getpixel(at))  # type: ignore[arg-type]
        colour[channel] ^= 1
        other.putpixel(at, tuple(colour))
        assert pixel_hash(other) != pixel_hash(picture(1))

    def test_the_size_changes_it(self) -> None:
        names = {pixel_hash(Image.new("RGB", size)) for size in ((4, 6), (6, 4), (2, 12), (24, 1))}  # the same bytes each time
        assert len(names) == 4


#: a DDS without a pixel format, a kind of file that the program never asks Pillow for
ODD = b"DDS " + struct.pack("<7I44x", 124, 0x1007, 4, 4, 16, 0, 0) + struct.pack("<2I24x20x", 32, 0)


class TestRefused:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(PictureError, match="not there"):
            read_origin(tmp_path / "none.png")

    @pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n", ODD])
    def test_no_picture(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "odd.png").write_bytes(data)
        with pytest.raises(PictureError, match="is not a picture"):
            read_origin(tmp_path / "odd.png")
        with pytest.raises(PictureError, match="is not a picture"):
            read_origin(tmp_path)

    @pytest.mark.parametrize("size", [8, 50_000], ids=["a chunk far too long", "far too many pixels"])
    def test_what_pillow_refuses(self, tmp_path: Path, size: int) -> None:
        chunks = [b"IHDR" + struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0), b"IDAT"]
        if size == 8:
            chunks.insert(1, b"iTXtarldm\0\1\0\0\0" + zlib.compress(bytes(PngImagePlugin.MAX_TEXT_CHUNK + 1)))
        data = b"".join(struct.pack(">I", len(one) - 4) + one + struct.pack(">I", zlib.crc32(one)) for one in chunks)
        (tmp_path / "odd.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
        with pytest.raises(PictureError):
            read_origin(tmp_path / "odd.png")

    def test_a_picture_that_says_nothing(self, tmp_path: Path) -> None:
        picture(1).save(tmp_path / "photo.jpg")
        for path in (
            tmp_path / "photo.jpg",
            written(tmp_path / "plain.png", None),
            written(tmp_path / "other.png", "{}", "parameters"),
        ):
            with pytest.raises(PictureError, match="does not say what it was made from"):
                read_origin(path)

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"config": 3}', '{"config": {"steps": 3}}'])
    def test_what_cannot_be_understood(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(PictureError, match="cannot be understood"):
            read_origin(written(tmp_path / "odd.png", text))

    @pytest.mark.parametrize("change", ["unknown", "missing", "option", "captions"])
    def test_another_version(self, tmp_path: Path, change: str) -> None:
        values = to_dict(of_frame(1))
        match change:
            case "unknown":
                values["weather"] = "rain"
            case "missing":
                del values["take"]
            case "option":
                values["config"]["eta"] = 1
            case "captions":
                values["captions"] = None
        with pytest.raises(PictureError, match="another version may have drawn it"):
            read_origin(written(tmp_path / "odd.png", json.dumps(values)))

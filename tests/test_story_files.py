"""Scripts and told stories on disk: what is understood, what is refused, and that nothing is ever half written."""

import json
import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors import SafetensorError

from arldm.errors import OutputError, PictureError, ScriptError
from arldm.pictures import GUTTER, encoded, flattened, read_picture, strip
from arldm.story import Fact, Frame, Story
from arldm.story_files import (
    STORY,
    STRIP,
    StoryFolder,
    check_cast,
    identified,
    parse,
    read_held,
    read_script,
    read_told,
)
from arldm.toonsv import story as known
from arldm.truth_files import write_known
from arldm.writing import check_writable, put, replacing_folder, sweep
from conftest import picture

LETTERS = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))
TEXT = st.text(LETTERS, min_size=1, max_size=40).map(str.strip).filter(bool)
FRAMES = st.builds(
    lambda caption, who, lettering: Frame(caption, None, tuple(who), lettering),
    TEXT,
    st.lists(TEXT.map(str.lower), max_size=3, unique=True),
    st.none() | TEXT,
)


def told(path: Path, count: int = 3) -> Story:
    """A story of `count` pictures, told into a folder."""
    frames = tuple(Frame(f"Frame {k}.", picture(k), ("momo",), "Hi!" if k else None) for k in range(count))
    story = Story("abc", frames, "Title")
    folder = StoryFolder(path, story)
    folder.begin(story)
    for number, frame in enumerate(frames):
        assert frame.picture is not None
        folder.keep(number, frame.picture, {})
    folder.finish([frame.picture for frame in frames if frame.picture])
    return story


def write_story(path: Path, **changes: object) -> Path:
    """A story.json of two frames, the first of which has these entries too."""
    frames = [{"caption": "One.", **changes}, {"caption": "Two."}]
    (path / STORY).write_text(json.dumps({"title": "T", "frames": frames}))
    return path / STORY


class TestParse:
    def test_a_script(self) -> None:
        story = parse(
            "# The red kite\n\n[Momo] and [Fenna] walk.\n   \n  They meet [momo] again, and [FENNA].  # What a day! \nRain.\n"
        )
        assert story.title == "The red kite"
        assert story.frames == (
            Frame("Momo and Fenna walk.", None, ("momo", "fenna"), None),
            Frame("They meet momo again, and FENNA.", None, ("momo", "fenna"), "What a day!"),
            Frame("Rain.", None, (), None),
        )

    def test_only_a_hash_after_a_space_and_before_no_number_begins_lettering(self) -> None:
        one, two, three, four = parse("Room#1 is open.\nThe #1 fan waves. #I am #1!\nQuiet #\nHe waves.\t# Bye!\n").frames
        assert (one.caption, one.lettering) == ("Room#1 is open.", None)
        assert (two.caption, two.lettering) == ("The #1 fan waves.", "I am #1!")
        assert (three.caption, three.lettering) == ("Quiet", None)
        assert (four.caption, four.lettering) == ("He waves.", "Bye!")

    @pytest.mark.parametrize("text", ["# T\nOne.\n# Scene two\nTwo.", "One.\n#Two.\nThree.", "# T\n# U\nOne.\nTwo."])
    def test_a_title_comes_once_and_first(self, text: str) -> None:
        with pytest.raises(ScriptError, match=r"tale\.txt: line \d begins with # and is not the title"):
            parse(text, "tale.txt")
        assert parse("#T\nOne.\nTwo.").title == "T"

    def test_names_are_those_in_whole_brackets(self) -> None:
        one, two, three = parse("[] is nobody.\nAn [open bracket.\n[old man] sits.").frames
        assert (one.caption, one.characters) == ("[] is nobody.", ())
        assert (two.caption, two.characters) == ("An [open bracket.", ())
        assert (three.caption, three.characters) == ("old man sits.", ("old man",))

    def test_a_name_in_lettering_is_only_lettering(self) -> None:
        assert parse("He calls. #[Momo]!\nNo one.").frames[0] == Frame("He calls.", None, (), "[Momo]!")

    @pytest.mark.parametrize("text", ["", "\n \n", "# Title", "# Title\nOnly one."])
    def test_fewer_than_two_frames(self, text: str) -> None:
        with pytest.raises(ScriptError, match=r"tale\.txt: has [01] frames?; expected at least 2"):
            parse(text, "tale.txt")

    @pytest.mark.parametrize("line", [" # Boo!", "   #Boo!"])
    def test_lettering_without_a_caption(self, line: str) -> None:
        with pytest.raises(ScriptError, match="lettering and no caption"):
            parse(f"One.\nTwo.\n{line}")

    def test_the_id_follows_from_the_captions_alone(self) -> None:
        story = parse("One.\nTwo.")
        assert story.id == parse("# Title\n[One]. # Boo\n\nTwo.").id
        assert len({story.id, parse("One.\nThree.").id, parse("Two.\nOne.").id, parse("One.\nTwo.\nTwo.").id}) == 4

    @settings(deadline=None, max_examples=100)
    @given(st.text(max_size=200))
    def test_any_text_is_a_story_or_a_script_error(self, text: str) -> None:
        said = ""
        try:
            frames = parse(text).frames
        except ScriptError as error:
            frames, said = (), str(error)
        assert len(frames) >= 2 or len(said.splitlines()) == 1
        assert all(frame.caption for frame in frames)


class TestReadScript:
    def test_text_json_and_folder(self, tmp_path: Path) -> None:
        (tmp_path / "tale.txt").write_text("# T\nOne.\nTwo.\n", encoding="utf-8")
        write_story(tmp_path)
        stories = [read_script(tmp_path / "tale.txt"), read_script(tmp_path / STORY), read_script(str(tmp_path))]
        assert stories[0] == stories[1] == stories[2]
        assert stories[0].title == "T"

    def test_a_name_that_the_model_does_not_know(self) -> None:
        story = parse("[Momo] and the [old woman] walk.\n[Nobody] comes.")
        check_cast(story, ("momo", "old", "woman", "nobody"))
        with pytest.raises(ScriptError, match=r"\[nobody\] in 'Nobody comes\.' is nobody the model knows"):
            check_cast(story, ("momo", "old", "woman"))
        with pytest.raises(ScriptError, match=r"\[old woman\]"):  # each of its words must be known
            check_cast(story, ("momo", "old", "nobody"))

    def test_what_cannot_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00O")
        with pytest.raises(ScriptError, match=r"bytes\.txt: cannot be read as text"):
            read_script(tmp_path / "bytes.txt")
        with pytest.raises(ScriptError, match=r"none\.txt: not there"):
            read_script(tmp_path / "none.txt")
        with pytest.raises(ScriptError, match=r"story\.json: not there"):
            read_script(tmp_path)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "[]",
            "3",
            '{"frames": null}',
            '{"frames": []}',
            '{"frames": [{"caption": "One."}]}',
            '{"frames": [{"caption": "One."}, {}]}',
            '{"frames": [{"caption": "One."}, {"caption": ""}]}',
            '{"frames": [{"caption": "One."}, {"caption": " "}]}',
            '{"frames": [{"caption": "One."}, {"caption": 2}]}',
            '{"frames": [{"caption": "One."}, {"caption": "Two.", "characters": 3}]}',
            '{"frames": [{"caption": "One."}, {"caption": "Two.", "characters": [null]}]}',
            '{"frames": [{"caption": "One."}, {"caption": "Two.", "characters": [" "]}]}',
            '{"frames": [{"caption": "One."}, {"caption": "Two.", "picture": 3}]}',
            '{"frames": [{"caption": "One."}, {"caption": "\\ud800"}]}',
            '{"frames": ["One.", "Two."]}',
        ],
    )
    def test_what_is_no_story(self, tmp_path: Path, text: str) -> None:
        (tmp_path / STORY).write_text(text)
        with pytest.raises(ScriptError, match="expected") as caught:
            read_script(tmp_path)
        assert len(str(caught.value).splitlines()) == 1

    @pytest.mark.parametrize(
        "changes",
        [{"characters": "momo"}, {"lettering": 5}, {"lettering": ["Boo"]}, {"lettering": "\ud800"}],
        ids=["name", "number", "list", "surrogate"],
    )
    def test_entries_of_another_type(self, tmp_path: Path, changes: dict[str, object]) -> None:
        write_story(tmp_path, **changes)
        with pytest.raises(ScriptError):
            read_script(tmp_path)

    def test_a_title_of_null_is_none(self, tmp_path: Path) -> None:
        (tmp_path / STORY).write_text('{"title": null, "frames": [{"caption": "One."}, {"caption": "Two."}]}')
        assert read_script(tmp_path).title == ""

    def test_json_far_too_deep(self, tmp_path: Path) -> None:
        (tmp_path / STORY).write_text("[" * 100_000)
        with pytest.raises(ScriptError):
            read_script(tmp_path)

    def test_a_byte_order_mark_is_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "tale.txt").write_text("# T\nOne.\nTwo.\n", encoding="utf-8-sig")  # as some editors save it
        assert read_script(tmp_path / "tale.txt").title == "T"

    def test_pictures_inside_the_folder_are_read(self, tmp_path: Path) -> None:
        (tmp_path / "art").mkdir()
        picture(1).save(tmp_path / "art" / "one.png")
        write_story(tmp_path, picture="art/../art/one.png")
        found = read_script(tmp_path).frames[0].picture
        assert found is not None
        assert found.tobytes() == picture(1).tobytes()

    def test_pictures_outside_the_folder_are_refused(self, tmp_path: Path) -> None:
        inside = tmp_path / "story"
        inside.mkdir()
        picture(1).save(tmp_path / "one.png")
        (tmp_path / "story-two").mkdir()  # its name begins like the folder's
        picture(1).save(tmp_path / "story-two" / "one.png")
        (inside / "link.png").symlink_to(tmp_path / "one.png")
        for name in ("../one.png", str(tmp_path / "one.png"), "../story-two/one.png", "link.png"):
            write_story(inside, picture=name)
            with pytest.raises(PictureError, match="lies outside"):
                read_script(inside)

    def test_a_picture_that_is_not_there(self, tmp_path: Path) -> None:
        write_story(tmp_path, picture="none.png")
        with pytest.raises(PictureError, match=r"none\.png: not there"):
            read_script(tmp_path)


class TestStoryFolder:
    @settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        frames=st.lists(FRAMES, min_size=2, max_size=8), title=TEXT | st.just(""), name=st.text("abc019-", min_size=1, max_size=12)
    )
    def test_a_told_story_is_read_as_it_was(
        self, tmp_path_factory: pytest.TempPathFactory, frames: list[Frame], title: str, name: str
    ) -> None:
        path = tmp_path_factory.mktemp("told") / "story"
        story = Story(name, tuple(replace(frame, picture=picture(k, 8)) for k, frame in enumerate(frames)), title)
        folder = StoryFolder(path, story)
        folder.begin(story)
        for number, frame in enumerate(story.frames):
            assert frame.picture is not None
            folder.keep(number, frame.picture, {})
        found = read_told(path)
        assert (found.id, found.title) == (story.id, story.title)
        for one, other in zip(found.frames, story.frames, strict=True):
            assert (one.caption, one.characters, one.lettering) == (other.caption, other.characters, other.lettering)
            assert one.picture is not None
            assert other.picture is not None
            assert one.picture.tobytes() == other.picture.tobytes()

    @settings(deadline=None, max_examples=40)
    @given(title=TEXT, captions=st.lists(TEXT, min_size=2, max_size=5))
    def test_the_id_of_a_script_is_that_of_its_captions(self, title: str, captions: list[str]) -> None:
        frames = [Frame(caption) for caption in captions]
        assert identified(frames, title, "x").id == identified(frames, "", "y").id

    def test_what_a_telling_leaves(self, tmp_path: Path) -> None:
        told(tmp_path / "out")
        names = ["000.png", "001.png", "002.png", STORY, STRIP]
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names  # nothing half written beside them
        assert (tmp_path / "out" / STORY).read_text(encoding="utf-8").endswith("}\n")

    def test_chunks_are_kept_whatever_the_language(self, tmp_path: Path) -> None:
        story = identified([Frame("a"), Frame("b")], "", "x")
        StoryFolder(tmp_path / "out", story).keep(3, picture(1), {"parameters": "Größe, 雨", "arldm": "{}"})
        with Image.open(tmp_path / "out" / "003.png") as image:
            assert (image.info["parameters"], image.info["arldm"]) == ("Größe, 雨", "{}")

    def test_another_story_is_refused(self, tmp_path: Path) -> None:
        story = told(tmp_path / "out")
        before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
        StoryFolder(tmp_path / "out", story)  # its own may go on
        with pytest.raises(OutputError, match=r"holds another story \(abc, this one is xyz\)"):
            StoryFolder(tmp_path / "out", replace(story, id="xyz"))
        assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null"])
    def test_a_story_json_of_something_else_is_refused(self, tmp_path: Path, text: str) -> None:
        (tmp_path / STORY).write_text(text)
        with pytest.raises(OutputError, match="is not a told story"):
            StoryFolder(tmp_path, Story("abc", ()))

    def test_a_folder_with_other_things_is_refused(self, tmp_path: Path) -> None:
        StoryFolder(tmp_path, Story("abc", ()))  # an empty one may be filled
        (tmp_path / "notes.txt").write_text("mine")
        for path, said in ((tmp_path, "is not empty and holds no story"), (tmp_path / "notes.txt", r"notes\.txt: is a file")):
            with pytest.raises(OutputError, match=said):
                StoryFolder(path, Story("abc", ()))

    def test_an_interrupted_telling_goes_on(self, tmp_path: Path) -> None:
        story = told(tmp_path / "out")
        undrawn = replace(story, frames=tuple(replace(frame, picture=None) for frame in story.frames))
        (tmp_path / "out" / "002.png").unlink()
        mine = replace(undrawn.frames[1], picture=picture(77))  # a given picture is not replaced by what lies there
        found = StoryFolder(tmp_path / "out", story).with_drawn(
            replace(undrawn, frames=(undrawn.frames[0], mine, undrawn.frames[2]))
        )
        one, two, three = (frame.picture for frame in found.frames)
        assert one is not None
        assert one.tobytes() == picture(0).tobytes()
        assert two is mine.picture
        assert three is None

    def test_a_longer_story_that_lies_there_is_not_mixed_with_it(self, tmp_path: Path) -> None:
        write_known(known("test", 0, 3, 32), tmp_path / "out")
        with pytest.raises(OutputError, match=r"002.png: is there of a longer story; expected none beyond 2 frames"):
            write_known(known("test", 0, 2, 32), tmp_path / "out")

    def test_a_known_story_lies_with_its_truth(self, tmp_path: Path) -> None:
        facts = (Fact("momo", "mood", "happy", "caption"), Fact("beach", "hue", "mint", "free"))
        story = Story("known", (Frame("a", picture(0), ("momo",), None, facts), Frame("b", picture(1))))
        write_known(story, tmp_path / "out")
        assert read_told(tmp_path / "out").id == "known"
        truth = json.loads((tmp_path / "out" / "truth.json").read_text())
        assert truth == [[["momo", "mood", "happy", "caption"], ["beach", "hue", "mint", "free"]], []]
        assert (tmp_path / "out" / STRIP).exists()


class TestPut:
    def test_a_file_is_written_with_its_folders(self, tmp_path: Path) -> None:
        put(tmp_path / "a" / "b" / "c.txt", b"one")
        put(tmp_path / "a" / "b" / "c.txt", b"two")
        assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == b"two"
        assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["c.txt"]

    @pytest.mark.parametrize("broken", ["fsync", "replace"])
    def test_a_failure_in_the_middle_leaves_the_old_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
    ) -> None:
        (tmp_path / "c.txt").write_bytes(b"old")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(*((os, "fsync") if broken == "fsync" else (Path, "replace")), full)
        with pytest.raises(OutputError, match=r"c\.txt: cannot be written \(No space left on device\)"):
            put(tmp_path / "c.txt", b"new" * 1000)
        assert (tmp_path / "c.txt").read_bytes() == b"old"
        assert [path.name for path in tmp_path.iterdir()] == ["c.txt"]

    def test_a_folder_in_its_place(self, tmp_path: Path) -> None:
        (tmp_path / "c.txt").mkdir()
        with pytest.raises(OutputError, match="cannot be written"):
            put(tmp_path / "c.txt", b"new")
        assert [path.name for path in tmp_path.iterdir()] == ["c.txt"]

    def test_a_file_in_place_of_its_folder(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"mine")
        for path in (tmp_path / "file" / "c.txt", tmp_path / "file" / "deep" / "c.txt"):
            with pytest.raises(OutputError, match="cannot be written"):
                put(path, b"new")
        assert (tmp_path / "file").read_bytes() == b"mine"


class TestStrip:
    def test_frames_stand_side_by_side_as_high_as_the_last(self) -> None:
        colours = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
        sizes = ((10, 20), (30, 6), (7, 12))
        sheet = strip([Image.new("RGB", size, colour) for size, colour in zip(sizes, colours, strict=True)])
        widths = (6, 60, 7)  # the first at 12 / 20, the second at 12 / 6 of its size
        assert sheet.size == (sum(widths) + 2 * GUTTER, 12)
        pixels = np.asarray(sheet)
        left = 0
        for width, colour in zip(widths, colours, strict=True):
            assert (pixels[:, left : left + width] == colour).all()
            assert (pixels[:, left + width : left + width + GUTTER] == 255).all()
            left += width + GUTTER

    def test_one_frame_is_itself(self) -> None:
        assert strip([picture(1)]).tobytes() == picture(1).tobytes()


def header(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and in which no pixels follow."""
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def test_a_name_is_known_however_its_accent_was_typed() -> None:
    check_cast(parse("[Rene\u0301] waves.\nHe sits."), {"ren\u00e9"})
    with pytest.raises(ScriptError, match="is nobody the model knows"):
        check_cast(parse("[Rene] waves.\nHe sits."), {"ren\u00e9"})


class TestReadPicture:
    @pytest.mark.parametrize("suffix", [".png", ".webp", ".gif", ".bmp"])
    @pytest.mark.parametrize("mode", ["RGB", "L", "P"])
    def test_any_kind_becomes_rgb(self, tmp_path: Path, suffix: str, mode: str) -> None:
        grey = Image.new("L", (9, 5), 51).convert(mode)
        options = {"lossless": True} if suffix == ".webp" else {}
        grey.save(tmp_path / f"grey{suffix}", **options)
        found = read_picture(tmp_path / f"grey{suffix}")
        assert (found.mode, found.size) == ("RGB", (9, 5))
        assert found.getpixel((4, 2)) == (51, 51, 51)

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(PictureError, match="not there"):
            read_picture(tmp_path / "none.png")

    @pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"<svg/>"])
    def test_no_picture(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "odd.png").write_bytes(data)
        with pytest.raises(PictureError, match="is not a picture"):
            read_picture(tmp_path / "odd.png")

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(PictureError, match=r"cannot be read \(Is a directory\)"):
            read_picture(tmp_path)

    def test_a_story_of_odd_words_is_written_twice(self, tmp_path: Path) -> None:
        """An archive may have empty captions, and half a batch is told again."""
        one = Story(" a ", (Frame("", picture(1), ("",)),))
        for _ in range(2):
            write_known(one, tmp_path / "told")
        assert read_held(tmp_path / "told") == Story(" a ", (Frame("", characters=("",)),))

    def test_a_picture_that_says_words_where_numbers_should_be(self, tmp_path: Path) -> None:
        """Pillow stumbles over it with an error of another kind."""
        path = tmp_path / "odd.tif"
        picture(1).save(path)
        data = path.read_bytes()
        offsets = data.index(b"\x11\x01\x04\x00")  # where the rows lie: as a text
        path.write_bytes(data[: offsets + 2] + b"\x02" + data[offsets + 3 :])
        with pytest.raises(PictureError, match="cannot be decoded"):
            read_picture(path)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_cut_off_anywhere(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "cut"
        Image.effect_noise((64, 64), 90).convert("RGB").save(path, kind)
        data = path.read_bytes()
        for share in (0.05, 0.3, 0.6, 0.9):
            path.write_bytes(data[: int(len(data) * share)])
            with pytest.raises(PictureError) as caught:
                read_picture(path)
            assert len(str(caught.value).splitlines()) == 1

    def test_damaged_in_the_middle(self, tmp_path: Path) -> None:
        data = bytearray(encoded(picture(1)))
        at = data.index(b"IDAT") + 8
        data[at : at + 8] = bytes(8)
        (tmp_path / "bad.png").write_bytes(data)
        with pytest.raises(PictureError, match="cannot be decoded"):
            read_picture(tmp_path / "bad.png")

    def test_too_large_is_seen_in_the_header(self, tmp_path: Path) -> None:
        path = tmp_path / "large.png"
        path.write_bytes(header(8001, 8000))
        with pytest.raises(PictureError, match="8001 x 8000 pixels; expected at most 64 million"):
            read_picture(path)
        path.write_bytes(header(50000, 50000))
        with pytest.raises(PictureError, match="far too large"):
            read_picture(path)
        path.write_bytes(header(8000, 8000))  # just allowed, but there is nothing in it
        with pytest.raises(PictureError, match="cannot be decoded"):
            read_picture(path)


def test_a_folder_that_cannot_be_replaced_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the old one can neither be replaced nor be put back, it stays beside."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("old")
    rename = Path.rename

    def full(path: Path, to: Path) -> Path:
        if to == tmp_path / "model":
            raise OSError(28, "No space left on device")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OutputError, match="model: cannot be written"), replacing_folder(tmp_path / "model") as folder:
        (folder / "weights").write_text("new")
    assert [path.read_text() for path in tmp_path.rglob("weights")] == ["old"]


def test_links_lead_to_what_is_replaced_and_devices_never_are(tmp_path: Path) -> None:
    (tmp_path / "target.json").write_text("old")
    (tmp_path / "link.json").symlink_to("target.json")
    put(tmp_path / "link.json", b"new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "target.json").read_bytes() == b"new"
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "folder"):
        (tmp_path / "folder").mkdir(exist_ok=True)
        with pytest.raises(OutputError, match=f"{name}: cannot be written, for it is no file; expected"):
            put(tmp_path / name, b"new")
        with pytest.raises(OutputError, match=r"--json: .* cannot be written \(is (no file|a folder)\)"):
            check_writable(tmp_path / name, "--json")
    check_writable(tmp_path / "a" / "b" / "report.json", "--json")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "folder", "link.json", "pipe", "target.json"]


def test_a_folder_behind_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    """The link became a hidden one that no later run could clear."""
    (tmp_path / "disk" / "model").mkdir(parents=True)
    (tmp_path / "model").symlink_to(tmp_path / "disk" / "model")
    with replacing_folder(tmp_path / "model") as folder:
        (folder / "weights").write_text("new")
    assert (tmp_path / "model").is_symlink()
    assert (tmp_path / "disk" / "model" / "weights").read_text() == "new"
    assert sorted(one.name for one in [*tmp_path.iterdir(), *(tmp_path / "disk").iterdir()]) == ["disk", "model", "model"]


def test_a_disk_that_safetensors_finds_full_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"model: cannot be written \(no space\)"), replacing_folder(tmp_path / "model"):
        raise SafetensorError("no space")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_is_swept_away_and_what_it_had_set_aside_comes_back(tmp_path: Path) -> None:
    for name in (".model.12.new", ".model.12.old", "kept", ".kept.13.new", ".kept.13.old", ".git", ".story.json.14.new"):
        (tmp_path / name).mkdir()
        put(tmp_path / name / "file", name.encode())
    put(tmp_path / ".note.json.15.new", b"half")
    put(tmp_path / ".venv3.12", b"mine")  # not what such a process leaves
    sweep(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == [".git", ".venv3.12", "kept", "model"]
    assert (tmp_path / "model" / "file").read_bytes() == b".model.12.old"
    assert (tmp_path / "kept" / "file").read_bytes() == b"kept"


def test_a_broken_exif_is_no_broken_picture(tmp_path: Path) -> None:
    Image.new("RGB", (8, 6), "red").save(tmp_path / "x.png", exif=b"Exif\0\0II*\0")
    assert read_picture(tmp_path / "x.png").size == (8, 6)


def test_greys_of_16_bits_are_read_by_their_upper_8_and_what_is_transparent_is_white(tmp_path: Path) -> None:
    ramp = (np.arange(256, dtype=np.uint16) * 257)[None].repeat(4, 0)
    for name, kind in (("x.png", "<u2"), ("x.tiff", ">u2")):
        Image.fromarray(ramp.astype(kind)).save(tmp_path / name)
        assert np.array_equal(np.asarray(read_picture(tmp_path / name))[0, :, 0], np.arange(256))
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "nothing.png")
    assert read_picture(tmp_path / "nothing.png").getpixel((0, 0)) == (255, 255, 255)
    assert flattened(Image.new("LA", (4, 4), (0, 128))).getpixel((0, 0)) == (127, 127, 127)


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_greys_of_32_bits_are_refused(tmp_path: Path, kind: type) -> None:
    Image.fromarray(np.ones((4, 4), kind)).save(tmp_path / "x.tiff")
    with pytest.raises(PictureError, match=r"x.tiff: has greys of 32 bits; expected 8 or 16"):
        read_picture(tmp_path / "x.tiff")


def test_a_link_to_itself_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "a.png")
    frames = [{"caption": "Momo walks.", "picture": "a.png"}, {"caption": "Momo sits."}]
    (tmp_path / STORY).write_text(json.dumps({"frames": frames}))
    with pytest.raises(PictureError, match=r"a.png: "):
        read_told(tmp_path)


def test_a_name_of_blanks_is_nobody() -> None:
    assert [frame.characters for frame in parse("[ ] Momo walks.\n[Momo] sits.").frames] == [(), ("momo",)]

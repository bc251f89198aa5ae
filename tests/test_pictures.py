"""Any method's pictures: the layouts that are known, and pictures that cannot be compared."""

import shutil
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arldm.errors import ConfigError, PictureError
from arldm.evaluate.pictures import Pictures, aligned, find, opened, write_vistorybench
from arldm.truth_files import write_known
from conftest import picture, story

Refused = Callable[[Path, str], None]


def drawn(folder: Path, *names: str) -> Path:
    """A folder with these pictures, each different."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(path)
    return folder


def names(found: Pictures, below: Path) -> dict[str, list[str]]:
    return {story: [str(path.relative_to(below)) for path in frames] for story, frames in found.stories.items()}


class TestLayouts:
    def test_a_told_story_without_its_strip(self, tmp_path: Path) -> None:
        write_known(story(3, given=3), tmp_path / "told")
        found = find(tmp_path / "told")
        assert found.layout == "a told story"
        assert names(found, tmp_path) == {"told": ["told/000.png", "told/001.png", "told/002.png"]}

    def test_told_stories_as_sample_leaves_them(self, tmp_path: Path) -> None:
        for number in (0, 1, 10):
            write_known(story(2, given=2, name=f"s{number}"), tmp_path / f"{number:05}-s{number}")
        (tmp_path / "sample.json").write_text("{}")
        found = find(tmp_path)
        assert found.layout == "a folder for each story"
        assert list(found.stories) == ["00000-s0", "00001-s1", "00010-s10"]
        assert all([one.name for one in frames] == ["000.png", "001.png"] for frames in found.stories.values())

    def test_pages_and_copies_are_no_frames_of_a_told_story(self, tmp_path: Path) -> None:
        """`arldm page told -o told/page.png` added a frame to what was judged."""
        write_known(story(2, given=2), tmp_path / "told")
        drawn(tmp_path / "told", "page.png", "001-before.png")
        assert names(find(tmp_path), tmp_path) == {"told": ["told/000.png", "told/001.png"]}

    def test_a_strip_of_another_program_is_a_picture(self, tmp_path: Path) -> None:
        assert len(find(drawn(tmp_path, "a/1.png", "a/strip.png")).frames) == 2

    def test_numbers_are_those_that_count(self, tmp_path: Path) -> None:
        """Superscripts are digits of no number, and ended it with a traceback."""
        assert len(find(drawn(tmp_path, "1²3/0.png", "1²3/1.png")).frames) == 2

    def test_storydalle(self, tmp_path: Path) -> None:
        drawn(
            tmp_path, "gen_sample_10_0.png", "gen_sample_2_1.png", "gen_sample_2_0.png", "gen_sample_2_10.png", "gen_sample_2_9.png"
        )
        found = find(tmp_path)
        assert found.layout == "StoryDALL-E's names"
        assert names(found, tmp_path) == {
            "2": ["gen_sample_2_0.png", "gen_sample_2_1.png", "gen_sample_2_9.png", "gen_sample_2_10.png"],
            "10": ["gen_sample_10_0.png"],
        }

    def test_one_folder(self, tmp_path: Path) -> None:
        found = find(drawn(tmp_path, "b.jpg", "a10.webp", "a9.PNG"))
        assert found.layout == "one folder, no stories"
        assert list(found.stories) == ["a9.PNG", "a10.webp", "b.jpg"]
        assert found.owners.tolist() == [0, 1, 2]

    @pytest.mark.parametrize("below", ["base/en/20250430-101500", "en/base/20250430_101500", "base/ViStory/en", "."])
    def test_vistorybench(self, tmp_path: Path, below: str) -> None:
        drawn(tmp_path / below, "01/shots/shot_02.png", "01/shots/shot_01.png", "02/shots/shot_01.png", "01/chars/a.png")
        found = find(tmp_path)
        assert found.layout == "ViStoryBench's tree"
        assert list(found.stories) == ["01", "02"]
        assert [one.name for one in found.stories["01"]] == ["shot_01.png", "shot_02.png"]

    def test_of_several_runs_the_latest(self, tmp_path: Path) -> None:
        for time in ("20250430-101500", "20250501_000000", "20250429-235959"):
            drawn(tmp_path / "uno" / "base" / "en" / time, "01/shots/shot_01.png")
        drawn(tmp_path / "uno" / "base" / "en" / "20250430-101500", "02/shots/shot_01.png")  # which the latest has not
        (frame,) = find(tmp_path / "uno").frames
        assert "20250501_000000" in frame.parts

    def test_two_stories_of_one_name(self, tmp_path: Path) -> None:
        method = find(drawn(tmp_path / "ours", "first/1.png", "second/1.png"))
        top = write_vistorybench(method, tmp_path / "outputs", "base", "en", "20261124-120000")
        (top / "stories.json").write_text('{"01": "same", "02": "same"}')
        with pytest.raises(PictureError, match=r"has two stories of one name in stories.json"):
            find(tmp_path / "outputs" / "ours")

    def test_two_modes_are_no_method(self, tmp_path: Path) -> None:
        drawn(tmp_path, "base/en/01/shots/1.png", "full/en/01/shots/1.png")
        with pytest.raises(PictureError, match=r"stories of base/en and of full/en; expected one method's"):
            find(tmp_path)

    def test_numbers_come_before_words_however_the_folder_is_called(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """By the name ".", words came first."""
        drawn(tmp_path, "cover.png", "10.png", "2.png", "1.png", "２.png")  # the last is full-width, text to us
        monkeypatch.chdir(tmp_path)
        for folder in (tmp_path, Path()):
            assert [path.stem for path in find(folder).frames] == ["1", "2", "10", "cover", "２"]

    def test_folders_that_programs_keep_for_themselves_are_no_stories(self, tmp_path: Path) -> None:
        drawn(tmp_path, "a/0.png", ".ipynb_checkpoints/0.png")
        assert list(find(tmp_path).stories) == ["a"]
        drawn(tmp_path / "tree", "ours/base/en/01/shots/shot_01.png", "ours/.old/en/02/shots/shot_01.png")
        assert len(find(tmp_path / "tree" / "ours").stories) == 1

    def test_the_tree_that_is_written_is_read(self, tmp_path: Path) -> None:
        method = find(drawn(tmp_path / "ours", "first/1.png", "first/2.png", "second/1.png"))
        top = write_vistorybench(method, tmp_path / "outputs", "base", "en", "20261124-120000")
        assert top == tmp_path / "outputs/ours/base/en/20261124-120000"
        assert sorted(str(one.relative_to(top)) for one in top.rglob("*.png")) == [
            "01/shots/shot_01.png",
            "01/shots/shot_02.png",
            "02/shots/shot_01.png",
        ]
        with pytest.raises(ConfigError, match="expected a name without folders"):
            write_vistorybench(find(tmp_path / "ours", "/a/ours"), tmp_path / "outputs", "base", "en", "20261124-120000")
        again = find(tmp_path / "outputs" / "ours")
        assert [one.read_bytes() for one in again.frames] == [one.read_bytes() for one in method.frames]
        assert aligned(again, method).stories == again.stories

    def test_stories_of_the_tree_keep_their_names(self, tmp_path: Path) -> None:
        """They are numbered from 01 there, and whoever counted from 0 would be compared with the next story."""
        reference = find(drawn(tmp_path / "truth", "test-000000/000.png", "test-000001/000.png", "test-000002/000.png"))
        top = write_vistorybench(reference, tmp_path / "outputs", "base", "en", "20261124-120000")
        found = aligned(find(tmp_path / "outputs" / "truth"), reference)
        assert [one.read_bytes() for one in found.frames] == [one.read_bytes() for one in reference.frames]
        (top / "stories.json").write_text('{"01": "test-000000"}')
        with pytest.raises(PictureError, match=r"stories.json: does not name story 02; expected what arldm wrote"):
            find(tmp_path / "outputs" / "truth")

    def test_folders_that_hold_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "empty" / "deeper").mkdir(parents=True)
        (tmp_path / "empty" / "readme.txt").write_text("no picture")
        with pytest.raises(PictureError, match="holds no pictures; expected PNG"):
            find(tmp_path / "empty")
        with pytest.raises(PictureError, match="is no folder"):
            find(tmp_path / "missing")
        drawn(tmp_path / "mixed", "one.png", "story/1.png")
        with pytest.raises(PictureError, match=r"holds pictures \(one.png\) beside folders of pictures \(story\)"):
            find(tmp_path / "mixed")


class TestOpened:
    @pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "RGB"])
    def test_what_becomes_colours_in_one_way(self, tmp_path: Path, mode: str) -> None:
        picture(1).convert("L").convert(mode).save(tmp_path / "a.png")
        found = opened(tmp_path / "a.png")
        assert found.mode == "RGB"
        assert found.size == (32, 32)
        if mode != "1":
            assert found.tobytes() == picture(1).convert("L").convert("RGB").tobytes()

    def test_what_does_not(self, tmp_path: Path) -> None:
        picture(1).convert("CMYK").save(tmp_path / "inks.jpg")
        Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / "deep.png")
        for kind, ending in (("gif", "gif"), ("png", "png"), ("webp", "webp")):
            picture(1).save(tmp_path / f"moves_{kind}.{ending}", save_all=True, append_images=[picture(2)])
        glass = picture(1).convert("RGBA")
        glass.putpixel((3, 3), (0, 0, 0, 200))
        glass.save(tmp_path / "glass.png")
        whole = drawn(tmp_path, "whole.png") / "whole.png"
        (tmp_path / "half.png").write_bytes(whole.read_bytes()[:100])
        (tmp_path / "text.png").write_text("no picture")
        parts = [(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(8 * 49))), (b"IEND", b"")]
        chunks = (struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts)
        (tmp_path / "deep_colours.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))  # 16 bits of each colour
        said = {
            "inks.jpg": r"is in inks \(CMYK\); expected colours or grey of 8 bits",
            "deep.png": "is of 16 bits; expected",
            "deep_colours.png": "is of 16 bits; expected",
            "moves_gif.gif": "holds 2 pictures; expected one that does not move",
            "moves_png.png": "holds 2 pictures",
            "moves_webp.webp": "holds 2 pictures",
            "glass.png": "is transparent in places; expected one without holes",
            "half.png": "cannot be decoded",
            "text.png": "is not a picture",
            "gone.png": "is gone; expected a picture",
        }
        for name, part in said.items():
            with pytest.raises(PictureError, match=rf"{name}: {part}"):
                opened(tmp_path / name)


class TestAligned:
    def sets(self, folder: Path, ours: Sequence[str], theirs: Sequence[str]) -> tuple[Pictures, Pictures]:
        return find(drawn(folder / "ours", *ours)), find(drawn(folder / "theirs", *theirs))

    def test_by_number_whatever_the_names(self, tmp_path: Path) -> None:
        ours, theirs = self.sets(tmp_path, ["gen_sample_2_0.png", "gen_sample_1_0.png"], ["00001-a/000.png", "00002-b/000.png"])
        assert names(aligned(ours, theirs), tmp_path / "ours") == {
            "00001-a": ["gen_sample_1_0.png"],
            "00002-b": ["gen_sample_2_0.png"],
        }

    def test_by_name_where_there_are_no_numbers(self, tmp_path: Path) -> None:
        ours, theirs = self.sets(tmp_path, ["b/1.png", "a/1.png"], ["a/0.png", "b/0.png"])
        assert list(aligned(ours, theirs).stories) == ["a", "b"]

    def test_given_pictures_may_be_there_or_not(self, tmp_path: Path) -> None:
        frames = [f"1/{number}.png" for number in range(5)]
        for ours in (frames, frames[1:]):
            shutil.rmtree(tmp_path / "ours", ignore_errors=True)
            method, reference = self.sets(tmp_path, ours, frames)
            found = aligned(method, reference, given=1)
            assert [one.name for one in found.frames] == ["1.png", "2.png", "3.png", "4.png"]
            assert [one.name for one in reference.after(1).frames] == ["1.png", "2.png", "3.png", "4.png"]

    @pytest.mark.parametrize("alone", [False, True])
    def test_a_story_that_lost_a_frame_is_not_taken_for_one_without_the_given(self, tmp_path: Path, alone: bool) -> None:
        """It was shifted by one frame, and its first, the truth, counted as drawn."""
        frames = [f"{story}/{number}.png" for story in range(3) for number in range(4)]
        ours = [frame for frame in frames if not (alone and frame.endswith("0.png")) and frame != "0/3.png"]
        method, reference = self.sets(tmp_path, ours, frames)
        with pytest.raises(ConfigError, match=f"ours: has {3 - alone} frames in 0 where {4 - alone} are expected"):
            aligned(method, reference, given=1)

    def test_a_story_of_one_folder_is_named_and_not_the_folder(self, tmp_path: Path) -> None:
        ours, theirs = self.sets(tmp_path, ["gen_sample_1_0.png", "gen_sample_2_0.png"], ["1/0.png", "2/0.png", "2/1.png"])
        with pytest.raises(ConfigError, match="ours: has 1 frames in 2 where 2 are expected"):
            aligned(ours, theirs)

    def test_stories_that_say_that_they_are_others_are_refused(self, tmp_path: Path) -> None:
        """Of another split, by their numbers alone they were judged as if they were the same."""
        for name, first in (("ours", 0), ("truth", 0), ("other", 5)):
            for number in range(2):
                told = replace(story(2, given=2, name=f"s{first + number}"), id=f"{name}-{number}")
                frames = tuple(replace(frame, caption=f"{frame.caption} {first}") for frame in told.frames)
                write_known(replace(told, frames=frames), tmp_path / name / f"{number:05}")
        assert aligned(find(tmp_path / "ours"), find(tmp_path / "truth"))
        with pytest.raises(ConfigError, match="other: tells another story in 00000, with other captions"):
            aligned(find(tmp_path / "other"), find(tmp_path / "truth"))

    @pytest.mark.parametrize(
        ("ours", "said"),
        [
            (["1/0.png", "1/1.png"], r"ours: lacks 1 story \(2\); expected the reference's stories"),
            (["1/0.png", "1/1.png", "2/0.png", "2/1.png", "7/0.png", "8/0.png"], r"has 2 stories \(7, 8\) besides"),
            (["1/0.png", "1/1.png", "2/0.png"], "has 1 frames in 2 where 2 are expected"),
        ],
    )
    def test_unequal_sets_are_named(self, tmp_path: Path, ours: list[str], said: str) -> None:
        method, reference = self.sets(tmp_path, ours, ["1/0.png", "1/1.png", "2/0.png", "2/1.png"])
        with pytest.raises(ConfigError, match=said):
            aligned(method, reference)

    def test_nothing_but_given_pictures(self, tmp_path: Path) -> None:
        with pytest.raises(PictureError, match="story 1 has no more than the 1 given"):
            find(drawn(tmp_path, "1/0.png", "2/0.png", "2/1.png")).after(1)

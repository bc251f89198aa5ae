"""What the command does beyond its everyday use (test_command.py): each odd input one line, and nothing lost or half-written."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageFile, PngImagePlugin

from arldm.cli import main
from arldm.config import to_dict
from arldm.provenance import CHUNK, read_origin
from arldm.recipes import RECIPES, Enlarger
from arldm.train.checks import check_recipe
from arldm.writing import alone_in
from conftest import picture

SCRIPT = """# A day out
Momo walks to the beach.  # Hello!
A stranger waves at [Momo].
They sit down.
"""
TELL = ["tell", "script.txt", "--out", "told", "--model", "model", "--steps", "2"]
#: an autoencoder that is trained in a second
TRAIN = [
    *("train", "toonsv-autoencoder", "--out", "run", "--picture-size", "32", "--crop", "16", "--stories", "2"),
    *("--train.steps", "2", "--train.batch-size", "2", "--train.threads", "1", "--train.checkpoint-every", "1"),
    *("--train.preview-every", "0", "--train.report-to", "none"),
    *("--latents.channels", "4", "--latents.widths", "8", "16", "--latents.layers", "1", "--latents.unshuffle", "2"),
]
NO_SPACE = OSError(28, "No space left on device")
Refused = Callable[..., None]


@pytest.fixture
def desk(tmp_path: Path, toy_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a script and a model in it."""
    (tmp_path / "script.txt").write_text(SCRIPT)
    (tmp_path / "model").symlink_to(toy_folder)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refused(desk: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run the command: is it refused with exit code 2, one line that says this, and everything on the disk as it was?"""

    def check(arguments: list[str], *said: str) -> None:
        before = files(desk)
        capsys.readouterr()
        assert main(arguments) == 2
        shown = visible(capsys.readouterr().err)
        assert shown.startswith("arldm: ")
        assert shown.count("\n") == 1
        assert shown.endswith("\n")
        for part in said:
            assert part in shown
        assert files(desk) == before

    return check


def visible(text: str) -> str:
    """What a terminal shows of it in the end: a bar that is wiped away is not there."""
    return "\n".join(line.rpartition("\r")[2] for line in text.split("\n"))


def files(folder: Path) -> dict[str, bytes | None]:
    """All that lies in a folder, folders too."""
    return {str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes() for path in sorted(folder.rglob("*"))}


def marked(path: Path, text: str) -> None:
    """Write other metadata into a frame."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt(CHUNK, text)
    with Image.open(path) as image:
        image.save(path, pnginfo=info)


def once(fault: BaseException, real: Callable[..., object], call: int) -> Callable[..., object]:
    """A function of the system that fails at one call, counted from 1."""
    calls: list[int] = []

    def fails(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == call:
            raise fault
        return real(*arguments)

    return fails


class TestArguments:
    @pytest.mark.parametrize(
        ("given", "missing"),
        [
            ("tell", "Missing from arldm tell: SCRIPT, --out PATH"),
            ("tell script.txt", "Missing from arldm tell: --out PATH"),
            ("page", "Missing from arldm page: STORY, -o PATH, --out PATH"),
            ("show", "Missing from arldm show: FRAME"),
            ("replay", "Missing from arldm replay: STORY"),
            ("toonsv", "Missing from arldm toonsv: OUT"),
            (
                "train",
                "Expected one of {toonsv, toonsv-autoencoder, toonsv-encoders, toonsv-context, toonsv-decoder, ",
            ),
            ("train toonsv", "Missing from arldm train toonsv: --out PATH"),
            ("train pororo-visualization", "Missing from arldm train pororo-visualization: --out PATH"),
            ("evaluate", "Expected one of {toonsv, pictures, truth}"),
            ("evaluate pictures", "Missing from arldm evaluate pictures: --reference PATH"),
        ],
    )
    def test_what_is_missing_is_named(self, refused: Refused, given: str, missing: str) -> None:
        refused(given.split(), missing, "see --help")

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (
                "paint",
                "paint; expected one of: tell, page, show, replay, toonsv, prepare, photographs, init, plan, train, ",
            ),
            ("--version", "--version; expected one of: tell, page"),
            ("tell one.txt two.txt --out told", "Unrecognized options: two.txt; see --help"),
            ("tell script.txt --out told --stepz 3", "perhaps you meant --steps; see --help"),
            (
                "train paper",
                "options: paper; expected one of: toonsv, toonsv-autoencoder, toonsv-encoders, toonsv-context, ",
            ),
            ("train paper --out run", "options: paper, --out, run; expected one of: toonsv, toonsv-autoencoder"),
            ("tell script.txt --out told --stepz 3 --modle m", "--modle, m; perhaps you meant --model, --steps; see --help"),
            ("train toonsv --out run --train.stepz 3", "perhaps you meant --train.steps; see --help"),
            ("train toonsv --out run --train.betas 1", "'--train.betas'. Expected 2 values"),
            ("train toonsv --out run --train.steps many", "--train.steps: invalid literal for int() with base 10: 'many'"),
            ("evaluate paper", "paper; expected one of: toonsv, pictures"),
            ("toonsv world --split tset", "'tset' for argument '--split'. Expected one of ('train', 'val', 'test')"),
        ],
    )
    def test_what_cannot_be_understood(self, refused: Refused, given: str, said: str) -> None:
        refused(given.split(), said)

    @pytest.mark.parametrize("where", ["terminal", "utf-8", "ascii"])
    def test_they_are_said_wherever_the_command_runs(self, desk: Path, where: str) -> None:
        """tyro's box has colours in a terminal, and no edges where they cannot be printed."""
        command = [sys.executable, "-m", "arldm", "train", "toonsv", "--out", "run", "--train.stepz", "3"]
        if where == "terminal":
            ours, theirs = os.openpty()
            done = subprocess.run(command, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}, check=False)
            os.close(theirs)
            shown = os.read(ours, 10_000).decode().replace("\r\n", "\n")
            os.close(ours)
        else:
            done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": where}, check=False)
            shown = done.stderr.decode()
        assert shown == "arldm: Unrecognized options: --train.stepz, 3; perhaps you meant --train.steps; see --help\n"
        assert done.returncode == 2


def test_threads_that_wait_make_room_for_others_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside two busy processes, telling took three times as long."""
    for told, expected in ((None, "30000"), ("7", "7")):
        monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
        if told is not None:
            monkeypatch.setenv("GOMP_SPINCOUNT", told)
        assert main(["--help"]) == 0
        assert os.environ["GOMP_SPINCOUNT"] == expected


class TestRefusedTelling:
    @pytest.mark.parametrize(
        ("script", "said"),
        [
            ("empty", "empty/story.json: not there; expected a script"),
            ("script.txt/more", "cannot be read as text"),
            ("Momo walks to the beach. " * 20, "cannot be read as text; expected a script in UTF-8, one frame a line"),
            ("two\nlines.txt", "two lines.txt: not there"),
        ],
        ids=["a folder", "inside a file", "the story itself", "a name of two lines"],
    )
    def test_scripts(self, refused: Refused, desk: Path, script: str, said: str) -> None:
        (desk / "empty").mkdir()
        refused(["tell", script, *TELL[2:]], said)

    def test_a_caption_too_long_is_named(self, refused: Refused, desk: Path) -> None:
        (desk / "script.txt").write_text(SCRIPT + "Once upon a time there was a mouse " + "who ran " * 60)
        refused(TELL, 'caption "Once upon a time there was ..." has', "the limit is 32, shorten it")

    def test_an_unknown_name_and_those_that_are_known(self, refused: Refused, desk: Path, toy_folder: Path) -> None:
        shutil.copytree(toy_folder, desk / "worldly")
        (desk / "worldly" / "tokenizer" / "vocabulary.json").write_text(json.dumps(["waves", "tilo", "lumi", "zuzi"]))
        for name, hint in (("Lumy", "perhaps you meant [lumi], expected one of"), ("Rumpelstilzchen", "knows; expected one of")):
            (desk / "script.txt").write_text(f"Tilo waves.\n[{name}] waves.\n")
            refused([*TELL, "--model", "worldly"], f"[{name.lower()}] in '{name} waves.' is nobody", f"{hint} tilo, zuzi, lumi")

    def test_a_picture_far_too_large_is_never_decoded(self, refused: Refused, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """10,000 x 10,000 is where Pillow warns, 30,000 x 30,000 where it refuses."""
        for side in (10_000, 30_000):
            Image.new("1", (side, side)).save(desk / f"{side}.png")
        monkeypatch.setattr(ImageFile.ImageFile, "load", once(MemoryError(), ImageFile.ImageFile.load, 1))
        refused([*TELL, "--picture", "10000.png"], "10000.png: has 10000 x 10000 pixels; expected at most 64 million")
        refused([*TELL, "--picture", "30000.png"], "30000.png: is far too large", "expected at most 64 million pixels")
        refused(["show", "10000.png"], "10000.png: does not say what it was made from")
        refused(["show", "30000.png"], "30000.png: is not a picture")

    def test_a_picture_far_too_long_for_a_strip(self, refused: Refused, desk: Path) -> None:
        """Made as high as what is drawn, it had millions of pixels in a row."""
        Image.new("RGB", (2001, 2)).save(desk / "wide.png")
        refused([*TELL, "--picture", "wide.png"], "wide.png: has 2001 x 2 pixels; expected sides of which none is 1000 times")

    @pytest.mark.parametrize("kind", ["DDS", "TIFF"])
    def test_pictures_of_which_pillow_complains_in_its_own_way(self, refused: Refused, desk: Path, kind: str) -> None:
        picture(1).save(desk / "odd", kind)
        data = bytearray((desk / "odd").read_bytes())
        data[80:84] = b"\x8a\0\0\0" if kind == "DDS" else data[80:84]  # an unknown kind of pixels: NotImplementedError
        (desk / "odd").write_bytes(data if kind == "DDS" else data[:100])  # cut within its header: a warning
        refused([*TELL, "--picture", "odd"], "odd: ", "expected")

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--steps", "1001"], "steps is 1001; expected 1 or more, at most the 1000"),
            (["--steps", "-1"], "steps is -1; expected 1 or more"),
            (["--guidance", "-1"], "guidance is -1.0"),
            (["--guidance", "inf"], "guidance is inf"),
            (["--threads", "5000"], "--threads: got 5000; expected 1 to 1024, or 0 for all"),
            (["--frames", "-1"], "frame -1 is asked for; the story has frames 0 to 2"),
            (["--frames", "1-2"], "--frames: got '1-2'; expected numbers as in the file names, e.g. 3,4"),
            (["--picture"], "'--picture'. Expected 1 values"),
            (["--model", "script.txt"], "script.txt/arldm.json: not there; expected an arldm model folder"),
            (["--model", "m" * 300], "File name too long"),
            (["--out", "o" * 300], "File name too long"),
            (["--out", "script.txt/told"], "cannot be written"),
        ],
    )
    def test_options(self, refused: Refused, options: list[str], said: str) -> None:
        refused([*TELL, "--steps", "1", *options], said)

    def test_nothing_is_warned_of_where_nothing_is_drawn(self, refused: Refused, desk: Path) -> None:
        (desk / "script.txt").write_text("Momo juggles.\nMomo sits.\n")
        refused([*TELL, "--frames", "9"], "frame 9 is asked for")

    def test_a_folder_with_the_json_of_something_else(self, refused: Refused, desk: Path) -> None:
        (desk / "told").mkdir()
        (desk / "told" / "story.json").write_text("{}")
        refused(TELL, "is not a told story; expected a new folder, choose another --out")

    def test_a_drawn_frame_that_is_broken(self, refused: Refused, desk: Path) -> None:
        assert main(TELL) == 0
        (desk / "told" / "001.png").write_bytes((desk / "told" / "001.png").read_bytes()[:-30])
        refused(TELL, "told/001.png: cannot be decoded")


class TestTold:
    def test_what_a_killed_process_left_is_not_in_the_way(self, desk: Path) -> None:
        (desk / "told").mkdir()
        (desk / "told" / ".story.json.123").write_text("{")
        assert main(TELL) == 0

    @pytest.mark.parametrize("fault", [KeyboardInterrupt(), NO_SPACE], ids=["Ctrl-C", "full disk"])
    @pytest.mark.parametrize("write", [1, 2, 4, 5], ids=["story.json", "000.png", "002.png", "strip.png"])
    def test_stopped_while_it_writes_and_continued(
        self, desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: BaseException, write: int
    ) -> None:
        assert main([*TELL, "--out", "whole"]) == 0
        capsys.readouterr()
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", once(fault, os.fsync, write))
            code = main(TELL)
        said = visible(capsys.readouterr().err)
        if fault is NO_SPACE:
            assert code == 2
            assert "cannot be written (No space left on device); free some space" in said
        else:
            assert code == 130
            assert said == "arldm: interrupted; to go on, run the same command again\n"
        whole = files(desk / "whole")
        drawn = dict(list({"story.json": whole["story.json"], **whole}.items())[: write - 1])
        assert files(desk / "told") == drawn
        assert main(TELL) == 0
        assert files(desk / "told") == whole

    def test_a_told_folder_is_a_script_too_and_keeps_its_other_frames(self, desk: Path) -> None:
        assert main(TELL) == 0
        before = files(desk / "told")
        assert main(["tell", "told", *TELL[2:], "--frames", "1", "--take", "1"]) == 0
        after = files(desk / "told")
        assert {name for name in before if before[name] != after[name]} == {"001.png", "strip.png"}
        assert read_origin(desk / "told" / "001.png").take == 1

    def test_frames_anew_from_a_told_folder_into_another_are_continued(
        self, desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What was drawn anew before the kill was compared with what it was to replace: the same command was refused."""
        assert main(TELL) == 0
        anew = ["tell", "told", "--out", "copy", *TELL[4:], "--frames", "0,1", "--take", "1"]
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", once(KeyboardInterrupt(), os.fsync, 3))
            assert main(anew) == 130
        assert (desk / "copy" / "000.png").exists()
        assert main(anew) == 0
        assert [read_origin(desk / "copy" / f"{number:03}.png").take for number in (0, 1)] == [1, 1]
        capsys.readouterr()

    def test_a_picture_may_be_given_anywhere_in_a_story(self, desk: Path) -> None:
        picture(5).save(desk / "five.png")
        captions = [{"caption": "Momo sits."}, {"caption": "They sit down."}, {"caption": "Momo waves.", "picture": "five.png"}]
        (desk / "story.json").write_text(json.dumps({"frames": captions}))
        command = ["tell", "story.json", *TELL[2:]]
        assert main(command) == 0
        with Image.open(desk / "told" / "002.png") as image:
            assert image.tobytes() == picture(5).tobytes()
            assert CHUNK not in image.info
        before = files(desk / "told")
        assert main(command) == 0
        assert files(desk / "told") == before
        assert main(["replay", "told"]) == 0

    def test_a_continued_picture_is_not_written_again(self, desk: Path) -> None:
        picture(1, 48).save(desk / "first.png")
        assert main([*TELL, "--picture", "first.png"]) == 0
        before = files(desk / "told")
        assert main([*TELL, "--picture", "first.png"]) == 0
        assert main(TELL) == 0
        assert files(desk / "told") == before


class TestToldAgain:
    """What story.json says is what the pictures were drawn from, whatever is told into a folder, and however it ends."""

    ANEW = (*TELL, "--frames", "1", "--take", "1")

    def changed(self, desk: Path) -> None:
        (desk / "script.txt").write_text(SCRIPT.replace("A stranger waves", "A stranger walks"))

    def captions(self) -> list[str]:
        return [frame["caption"] for frame in json.loads(Path("told/story.json").read_text())["frames"]]

    def test_an_earlier_script_does_not_put_its_caption_under_a_later_picture(self, refused: Refused, desk: Path) -> None:
        assert main(TELL) == 0
        self.changed(desk)
        assert main(list(self.ANEW)) == 0
        (desk / "script.txt").write_text(SCRIPT)
        refused(TELL, "frame 1 has another caption there ('A stranger walks at Momo.'); draw it again with --frames 1")

    def test_a_longer_story_is_not_cut_short(self, refused: Refused, desk: Path) -> None:
        assert main(TELL) == 0
        (desk / "script.txt").write_text(SCRIPT + "They wave.\n")
        assert main(TELL) == 0
        (desk / "script.txt").write_text(SCRIPT)
        refused(TELL, "told: has 4 frames, and the script 3; expected the longer story, or choose another --out")

    def test_a_redraw_that_fails_leaves_the_old_caption(
        self, refused: Refused, desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(TELL) == 0
        before = self.captions()
        self.changed(desk)
        refused([*self.ANEW, "--guidance", "1e300"], "frame 1 is no numbers")
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", once(KeyboardInterrupt(), os.fsync, 2))  # story.json is written, 001.png is not
            assert main(list(self.ANEW)) == 130
        assert self.captions() == before
        refused(TELL, "frame 1 has another caption there")
        assert main(list(self.ANEW)) == 0
        assert self.captions()[1] == "A stranger walks at Momo."
        capsys.readouterr()
        main(["replay", "told"])
        assert "001.png: identical" in capsys.readouterr().out

    def test_a_broken_frame_can_be_drawn_again(self, refused: Refused, desk: Path) -> None:
        assert main(TELL) == 0
        whole = files(desk / "told")
        (desk / "told" / "001.png").write_bytes(whole["001.png"][:300])
        refused(TELL, "001.png: cannot be decoded", "save it again, or draw it again with --frames 1")
        assert main([*TELL, "--frames", "1"]) == 0
        assert files(desk / "told") == whole

    def test_a_broken_frame_can_be_drawn_again_beside_a_missing_one(self, desk: Path) -> None:
        assert main(TELL) == 0
        whole = files(desk / "told")
        (desk / "told" / "001.png").write_bytes(b"")
        (desk / "told" / "002.png").unlink()
        assert main([*TELL, "--frames", "1"]) == 0
        assert files(desk / "told") == whole

    def test_a_story_of_somebodys_own_is_no_told_one(self, refused: Refused, desk: Path) -> None:
        """Its pictures would have been taken for those of the script that tells the same."""
        assert main(TELL) == 0
        path = desk / "told" / "story.json"
        path.write_text(json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name != "id"}))
        refused(TELL, "told/story.json: is not a told story; expected a new folder, choose another --out")
        path.write_text(json.dumps(json.loads(path.read_text()) | {"id": 5}))
        refused(TELL, "told/story.json: is not a told story")
        refused(["replay", "told"], "story.json: is not a story (its id is 5, expected words)")

    def test_what_a_script_gives_is_not_drawn_over(self, refused: Refused, desk: Path) -> None:
        picture(5).save(desk / "five.png")
        captions = [{"caption": "Momo sits."}, {"caption": "They sit down.", "picture": "five.png"}, {"caption": "Momo waves."}]
        (desk / "own.json").write_text(json.dumps({"frames": captions}))
        own = ["tell", "own.json", *TELL[2:]]
        assert main(own) == 0
        refused([*own, "--frames", "1"], "--frames: got 1, which own.json gives; expected frames that are drawn")

    def test_words_written_into_a_folder_by_hand_are_told_before_the_script_replaces_them(self, desk: Path, capsys) -> None:
        assert main(TELL) == 0
        path = desk / "told" / "story.json"
        path.write_text(path.read_text().replace("Hello!", "Good morning!").replace("A day out", "My day"))
        capsys.readouterr()
        assert main(TELL) == 0
        said = visible(capsys.readouterr().err)
        assert "told: title was 'My day' and is now 'A day out', as in the script" in said
        assert "told: lettering of frame 0 was 'Good morning!' and is now 'Hello!'" in said

    def test_two_at_once_are_not_mixed(self, refused: Refused, desk: Path) -> None:
        (desk / "told").mkdir()
        with alone_in(desk / "told"):
            refused(TELL, "told: another process writes there")
        assert main(TELL) == 0

    def test_a_folder_is_made_for_what_can_be_told_alone(self, refused: Refused, desk: Path) -> None:
        refused([*TELL, "--steps", "0"], "steps is 0")
        assert not (desk / "told").exists()

    def test_a_story_with_the_mark_of_some_editors(self, desk: Path) -> None:
        assert main(TELL) == 0
        path = desk / "told" / "story.json"
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        assert main(["page", "told", "-o", "page.png"]) == 0
        assert main(["replay", "told"]) == 0
        assert main(TELL) == 0


class TestShowAndReplayAndPage:
    @pytest.fixture
    def told(self, desk: Path) -> Path:
        assert main(TELL) == 0
        return desk / "told"

    def test_showing_what_arldm_did_not_draw(self, refused: Refused, desk: Path) -> None:
        picture(1).save(desk / "plain.png")
        refused(["show", "plain.png"], "plain.png: does not say what it was made from; expected a frame that arldm drew")
        refused(["show", "script.txt"], "script.txt: is not a picture")
        refused(["show", "model"], "model: is not a picture")
        refused(["show", "none.png"], "none.png: not there")

    @pytest.mark.parametrize("change", [{"threads": "all"}, {"frame": None}, {"config": {"guidance": "much"}}])
    def test_metadata_that_somebody_changed(self, refused: Refused, told: Path, change: dict[str, object]) -> None:
        marked(told / "001.png", json.dumps(to_dict(read_origin(told / "001.png")) | change))
        for command in (["show", "told/001.png"], ["replay", "told"]):
            refused(command, "001.png: what it says of itself cannot be understood", "another version may have drawn it")

    def test_replaying_what_is_no_story_or_was_told_without_metadata(self, refused: Refused, desk: Path) -> None:
        (desk / "empty").mkdir()
        refused(["replay", "empty"], "empty/story.json: not there")
        refused(["replay", "script.txt"], "script.txt/story.json: cannot be read")
        assert main([*TELL, "--no-metadata"]) == 0
        refused(["replay", "told"], "told: no frame says what it was made from; expected a story told with metadata")

    def test_a_missing_frame_is_not_called_given(self, refused: Refused, told: Path, capsys) -> None:
        (told / "002.png").unlink()
        assert main(["replay", "told"]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == "002.png: not drawn yet"
        (told / "000.png").unlink()
        refused(["replay", "told"], "000.png: not there, and frames after it are; expected all before them, run `arldm tell` again")

    def test_a_frame_that_its_story_has_forgotten(self, refused: Refused, told: Path) -> None:
        """It was drawn again, and compared with nothing: a traceback."""
        path = told / "story.json"
        held = json.loads(path.read_text())
        held["frames"][-1]["picture"] = None
        path.write_text(json.dumps(held))
        refused(["replay", "told"], "002.png: is not told of in story.json; expected all before them, run `arldm tell` again")

    def test_an_altered_frame_without_metadata_is_noticed_by_those_after_it(self, told: Path, capsys) -> None:
        picture(9).save(told / "001.png")
        assert main(["replay", "told"]) == 1
        assert capsys.readouterr().out.splitlines()[-3:] == [
            "000.png: identical",
            "001.png: given, not drawn",
            "002.png: was drawn after other frames than these",
        ]

    def test_each_frame_is_replayed_with_its_own_number_of_threads(self, told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for number, threads in ((0, 1), (1, 2), (2, 1)):
            origin = to_dict(read_origin(told / f"{number:03}.png"))
            marked(told / f"{number:03}.png", json.dumps(origin | {"threads": threads}))
        used: list[int] = []
        monkeypatch.setattr(torch, "set_num_threads", used.append)
        assert main(["replay", "told"]) == 0
        assert used == [1, 2, 1]

    def test_pages_that_cannot_be(self, refused: Refused, told: Path, desk: Path) -> None:
        (desk / "folder.png").mkdir()
        refused(["page", "told", "-o", "page"], "page: ends in ''; expected .png or .pdf")
        refused(["page", "told", "-o", "folder.png"], "folder.png: cannot be written")
        refused(["page", "script.txt", "-o", "page.png"], "script.txt/story.json: cannot be read")
        refused(["page", "told", "-o", "page.png", "--enlarge"], "--enlarge: no frame of told says that the embedded model drew it")
        (told / "002.png").unlink()
        refused(["page", "told", "-o", "page.png"], "frame 2 has no picture; expected a story that is told")

    @pytest.mark.parametrize("name", ["000.png", "001.png", "strip.png", "mine-1.png", "mine.png"])
    def test_a_page_takes_the_place_of_no_picture(self, refused: Refused, told: Path, name: str) -> None:
        """A page that has several sheets is numbered."""
        picture(3).save(told / "mine-1.png")
        path = told / "story.json"
        path.write_text(path.read_text().replace("001.png", "mine-1.png"))
        refused(["page", "told", "-o", f"told/{name}"], "is a picture of the story; expected another name, such as page.png")

    def test_letters_that_become_tiny_are_told_of(self, told: Path, desk: Path, capsys) -> None:
        path = told / "story.json"
        held = json.loads(path.read_text())
        held["frames"][1]["lettering"] = "So many words go into no balloon. " * 40
        path.write_text(json.dumps(held))
        assert main(["page", "told", "-o", "page.pdf"]) == 0
        said = visible(capsys.readouterr().err)
        assert re.fullmatch(r"arldm: frame 1: so many words .* are [345]\.\d points high; expected fewer, or two frames\n", said)

    def test_sheets_of_an_earlier_printing_are_named(self, told: Path, desk: Path, capsys) -> None:
        for name in ("page-1.png", "page-x.png", "page-old-1.png"):
            picture(3).save(desk / name)
        assert main(["page", "told", "-o", "page.png"]) == 0
        said = visible(capsys.readouterr().err)
        assert said == "arldm: page-1.png: is of an earlier printing, and no page of this one\n"


class TestWorldAndTraining:
    def test_the_world_is_written_once_and_over_nothing_else(self, refused: Refused, desk: Path) -> None:
        command = ["toonsv", "world", "--stories", "1", "--frames", "2", "--size", "16"]
        assert main(command) == 0
        before = files(desk / "world")
        assert main(command) == 0
        assert files(desk / "world") == before
        (desk / "taken" / "test-000000").mkdir(parents=True)
        (desk / "taken" / "test-000000" / "diary.txt").write_text("mine")
        refused(["toonsv", "taken", *command[2:]], "test-000000: is not empty and holds no story")
        refused(["toonsv", "script.txt", *command[2:]], "cannot be written")

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ("--batch 0", "--batch: got 0; expected 1 or more"),
            ("--batch -1", "--batch: got -1"),
            ("--stories -1", "--stories -1"),
            ("--given -1", "--given -1"),
            ("--json .", "--json: . cannot be written (is a folder)"),
            ("--steps 1001", "steps is 1001; expected 1 or more, at most the 1000"),
            ("--steps 0 --stories 1", "steps is 0; expected 1 or more"),
            ("--guidance nan --stories 1", "guidance is nan"),
            ("--history sometimes", "'sometimes'"),
            ("--frames 1", "frames: got 1, expected 2 to 100"),
            ("--frames 3 --given 3", "--given 3: expected at least 1 story and 0 to 2 given pictures"),
            ("--pinned first", "--pinned: got 'first'; expected numbers"),
            ("--held-out --split train", "the train split holds no such story; expected val or test"),
            ("--memory 3", "--memory: got 3; expected 4 past frames or more"),
        ],
    )
    def test_evaluations_that_cannot_be(self, refused: Refused, options: str, said: str) -> None:
        refused(["evaluate", "toonsv", "--model", "model", *options.split()], said)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ("--train.steps 0", "--train.steps: got 0; expected 1 or more"),
            ("--train.batch-size 0", "--train.batch-size: got 0; expected 1 or more"),
            ("--train.threads -1", "--train.threads: got -1; expected 0 to 1024"),
            ("--train.learning-rate nan", "--train.learning-rate: got nan; expected 0 or more"),
            ("--train.learning-rate inf", "--train.learning-rate: got inf"),
            ("--train.ema-decay 1.5", "--train.ema-decay: got 1.5; expected 0 to 1"),
            ("--train.betas 0.9 1.0", "--train.betas: got 1.0; expected 0 to 0.999999"),
            ("--train.seed -1", "--train.seed: got -1"),
            (
                "--train.learning-rate 0",
                "--train.learning-rate 0 with --train.muon-learning-rate 0.003: expected both above 0, or neither",
            ),
            ("--latents.finish -1", "--latents.finish: got -1; expected 0 or more"),
            ("--latents.layers 0", "--latents.layers: got 0; expected 1 or more"),
            ("--stories 0", "--stories: got 0"),
            ("--crop 0", "--crop: got 0; expected a multiple of 4 pixels"),
            ("--crop 64", "--crop: got 64; expected a multiple of 4 pixels, and no crop larger than the picture"),
            ("--picture-size 30", "--picture-size: got 30; expected a multiple of 4"),
            ("--out script.txt", "script.txt: is a file; expected a folder for the run"),
        ],
    )
    def test_trainings_that_cannot_be(self, refused: Refused, options: str, said: str) -> None:
        refused([*TRAIN, *options.split()], said)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ("--autoencoder none", "--autoencoder: none is not there; run `arldm train toonsv-autoencoder` first"),
            ("--autoencoder script.txt --encoders none", "--encoders: none is not there; run `arldm train toonsv-encoders`"),
            ("--frames 1", "--frames: got 1; expected 2 to 100"),
            ("--autoencoder script.txt --scenes -1", "--scenes: got -1; expected 0 or more"),
            ("--denoiser none --autoencoder script.txt", "--denoiser: none is not there; run `arldm train toonsv` first"),
            ("--autoencoder script.txt --model.context -3", "--model.context: got -3; expected 0 or more"),
        ],
    )
    def test_what_a_training_starts_from(self, refused: Refused, options: str, said: str) -> None:
        refused(["train", "toonsv", "--out", "run", *options.split()], said)

    @pytest.mark.parametrize("name", RECIPES)
    def test_what_a_recipe_is_by_default_can_be(self, name: str, tmp_path: Path) -> None:
        there = {"autoencoder", "encoders", "denoiser", "model", "dataset"} & {field.name for field in fields(RECIPES[name])}
        check_recipe(replace(RECIPES[name], **dict.fromkeys(there, tmp_path)))

    def test_lessons_of_the_context_have_three_frames(self, refused: Refused) -> None:
        refused(
            ["train", "toonsv-context", "--out", "run", "--encoders", "script.txt", "--frames", "2"],
            "--frames: got 2; expected 3 to 100",
        )

    @pytest.mark.parametrize("crop", [3, 0, 500])
    def test_crops_that_an_enlarger_cannot_have(self, refused: Refused, crop: int) -> None:
        command = ["train", "toonsv-enlarger", "--out", "run", "--stories", "1", "--crop", str(crop), "--train.report-to", "none"]
        refused(command, f"--crop: got {crop}; expected a multiple of 16 pixels, 256 at most")
        assert not Path("run").exists()

    def test_models_that_a_training_starts_from(self, refused: Refused) -> None:
        begins = ["--out", "run", "--model", "none"]
        refused(["train", "toonsv-decoder", *begins], "--model: none is not there; run `arldm train toonsv` first")
        refused(["train", "toonsv-enlarger", *begins], "--model: none is not there; run `arldm train toonsv-decoder` first")
        check_recipe(Enlarger(model=Path("toonsv")))  # which ships with the program

    def test_a_tracker_that_is_not_installed(self, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("arldm.train.checks.find_spec", lambda _: None)
        refused(["train", "toonsv-reader", "--out", "run"], "tensorboard is not installed; pip install 'arldm[train]', or --train")
        assert not Path("run").exists()

    def test_an_optimizer_that_is_not_installed(self, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
        """It was said when all had been drawn."""
        monkeypatch.setattr("arldm.train.checks.find_spec", lambda name: None if name == "bitsandbytes" else True)
        refused([*TRAIN, "--train.optimizer", "adamw_8bit"], "bitsandbytes is not installed; pip install 'arldm[8bit]'")
        assert not Path("run").exists()

    def test_a_run_that_was_begun_otherwise_or_lost_all_its_checkpoints(self, refused: Refused, desk: Path) -> None:
        assert main(TRAIN) == 0
        assert (desk / "run" / "autoencoder.safetensors").exists()
        refused([*TRAIN, "--stories", "3"], "--stories is 3; run was begun with 2, keep it or choose another --out")
        for path in (desk / "run").glob("checkpoint-*/*.safetensors"):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        refused(TRAIN, "run: none of its 2 checkpoints is whole", "delete the folder to start again")
        for text in ("{", '{"model_type": "clip"}'):  # such as every model of transformers has
            (desk / "run" / "config.json").write_text(text)
            refused(TRAIN, "config.json: is not the config of a run; choose another --out")

    @pytest.mark.parametrize("name", ["model/mine.txt", "metrics.jsonl", "samples/mine.png"])
    def test_what_lies_in_a_folder_that_holds_no_run_stays(self, refused: Refused, desk: Path, name: str) -> None:
        """A project's own `model` was replaced, its log emptied."""
        mine = desk / "run" / name
        mine.parent.mkdir(parents=True)
        mine.write_text("mine")
        refused(TRAIN, f"run: holds {name.split('/')[0]} and no run, which would write over it; expected a new folder")
        assert mine.read_text() == "mine"

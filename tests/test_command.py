"""The command, as its users know it: what goes well, and one clear line for everything that does not."""

import json
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image, PngImagePlugin
from safetensors.torch import load_file, save_file

import arldm.sample
from arldm.adapt.adapt import adapt
from arldm.cli import main
from arldm.evaluate.survey.methods import told_by_method
from arldm.model.arldm import ARLDM
from arldm.model.text import CaptionTokenizer
from arldm.model.vocabulary import train_bert_tokenizer, train_clip_tokenizer
from arldm.provenance import origin_in, read_origin
from arldm.recipes import TINY
from arldm.toonsv import plot, split_hash
from conftest import build, picture
from newcomers import recipe

SCRIPT = """# A day out
Momo walks to the beach.  # Hello!
A stranger waves at [Momo].
They sit down.
"""
Run = Callable[..., int]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.txt"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def tell(toy_folder: Path, script: Path) -> Run:
    """`arldm tell` with the toy model, two steps a frame."""
    return lambda out, *options, script=script: main(
        ["tell", str(script), "--out", str(out), "--model", str(toy_folder), "--steps", "2", *map(str, options)]
    )


@pytest.fixture
def pinned(toy_folder: Path, rumo: Path, tmp_path: Path) -> Path:
    """A pack."""
    adapt(recipe(toy_folder, rumo, "pin"), tmp_path / "pack")
    return tmp_path / "pack"


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Callable[[int, str], None]:
    """Was it refused with exit code 2 and one line that says this?"""

    def check(code: int, *said: str) -> None:
        shown = capfd.readouterr().err.splitlines()
        lines = [line for line in shown if line.strip() and "step/s]" not in line]  # a bar may have been there, and is wiped away
        assert len(lines) == 1, shown
        assert lines[0].startswith("arldm: ")
        for part in said:
            assert part in lines[0]
        assert "Traceback" not in lines[0]
        assert code == 2

    return check


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def files(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def test_a_story_is_told_and_told_again_only_where_asked(tell: Run, tmp_path: Path, capfd) -> None:
    out = tmp_path / "told"
    assert tell(out) == 0
    told = files(out)
    assert sorted(told) == ["000.png", "001.png", "002.png", "story.json", "strip.png"]
    assert json.loads(told["story.json"])["frames"][0]["lettering"] == "Hello!"
    assert opened(out / "strip.png").size == (3 * 32 + 2 * 8, 32)
    capfd.readouterr()
    assert tell(out) == 0
    assert "all is drawn; --frames" in capfd.readouterr().out
    assert files(out) == told
    assert tell(out, "--frames", "1", "--take", 1) == 0
    again = files(out)
    assert again["001.png"] != told["001.png"]
    assert {name for name in told if told[name] != again[name]} == {"001.png", "strip.png"}


def test_interrupted_and_continued_is_the_unbroken_story(tell: Run, tmp_path: Path, monkeypatch, capfd) -> None:
    assert tell(tmp_path / "whole") == 0
    drawn = arldm.sample._draw
    calls: list[int] = []

    def ctrl_c(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return drawn(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(arldm.sample, "_draw", ctrl_c)
        assert tell(tmp_path / "cut") == 130
    assert "run the same command again" in capfd.readouterr().err
    assert sorted(files(tmp_path / "cut")) == ["000.png", "001.png", "story.json"]
    assert tell(tmp_path / "cut") == 0
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_half_a_story_is_not_continued_otherwise(tell: Run, tmp_path: Path, refused, capfd) -> None:
    """A forgotten pack or seed gave a comic whose second half was by another model, and said nothing."""
    out = tmp_path / "told"
    assert tell(out, "--seed", "-1") == 0
    whole = files(out)
    for name in ("001.png", "002.png", "strip.png"):
        (out / name).unlink()
    capfd.readouterr()
    refused(tell(out, "--seed", 5), "frame 0 was drawn with seed", "frame 1 would be with 5", "--frames 1,2 if that is meant")
    refused(tell(out, "--seed", "-1", "--steps", 3), "was drawn with steps 2", "with 3")
    assert not (out / "001.png").exists()
    assert tell(out, "--seed", "-1") == 0  # the same command
    assert files(out) == whole
    for name in ("002.png", "strip.png"):
        (out / name).unlink()
    assert tell(tmp_path / "other", "--seed", 7) == 0
    shutil.copy(tmp_path / "other" / "000.png", out / "000-before.png")  # a picture of one's own is no frame
    capfd.readouterr()
    refused(tell(out, "--seed", 7), "frame 2 would be with 7")
    assert tell(out, "--seed", "-1") == 0
    (out / "000-before.png").unlink()
    assert files(out) == whole
    assert tell(out, "--frames", "2", "--seed", 5) == 0
    assert read_origin(out / "002.png").config.seed == 5
    (out / "002.png").unlink()
    assert tell(out, "--frames", "2", "--steps", 3) == 0


def test_a_frame_is_not_drawn_again_by_another_model(tell: Run, tmp_path: Path, pinned: Path, refused, capfd) -> None:
    """With a pack forgotten, or another one, a frame took the place of one that could not be had again."""
    out = tmp_path / "told"
    assert tell(out, "--pack", pinned) == 0
    told = files(out)
    capfd.readouterr()
    refused(tell(out), f"frame 0 was drawn with packs {pinned}, and none is asked for, but all is drawn", "or another --out")
    said = f"001.png: was drawn with packs {pinned}, and would be drawn again with none; expected the same packs, another --out"
    refused(tell(out, "--frames", "1"), said, "take it away if that is meant")
    assert files(out) == told
    assert tell(out, "--frames", "1", "--take", 1, "--pack", pinned) == 0
    assert files(out)["001.png"] != told["001.png"]
    (out / "001.png").unlink()
    assert tell(out, "--frames", "1") == 0
    assert read_origin(out / "001.png").packs == ()


def test_a_told_story_as_a_script_has_all_its_pictures(tell: Run, tmp_path: Path, capfd) -> None:
    assert tell(tmp_path / "told") == 0
    capfd.readouterr()
    assert tell(tmp_path / "copy", script=tmp_path / "told") == 0
    said = f"copy: all pictures are given, or those of {tmp_path / 'told'}; --frames 0,1 --take 1 draws these anew"
    assert said in capfd.readouterr().out
    picture(5).save(tmp_path / "mine.png")
    assert tell(tmp_path / "mine", "--picture", tmp_path / "mine.png", script=tmp_path / "told") == 0
    assert "; --frames 1,2 --take 1 draws these anew" in capfd.readouterr().out
    assert origin_in(tmp_path / "mine" / "000.png") is None


def test_a_copy_of_a_told_story_says_what_it_was_made_from_and_is_replayed(tell: Run, tmp_path: Path, script: Path, capfd) -> None:
    """Its frames said nothing, and where a caption had been changed since, it had another id: other noise."""
    assert tell(tmp_path / "told") == 0
    script.write_text(SCRIPT.replace("They sit down.", "They jump."))
    assert tell(tmp_path / "told", "--frames", "2") == 0
    assert tell(tmp_path / "copy", "--frames", "2", "--take", 1, script=tmp_path / "told") == 0
    for name in ("000.png", "001.png"):
        assert read_origin(tmp_path / "copy" / name) == read_origin(tmp_path / "told" / name)
    capfd.readouterr()
    assert main(["replay", str(tmp_path / "copy")]) == 0
    assert capfd.readouterr().out.count("identical") == 3


def test_replay_knows_captions_that_were_changed_since(tell: Run, tmp_path: Path, capfd) -> None:
    out = tmp_path / "told"
    assert tell(out) == 0
    (out / "story.json").write_text((out / "story.json").read_text().replace("They sit down.", "They jump."))
    capfd.readouterr()
    assert main(["replay", str(out)]) == 1
    assert capfd.readouterr().out.splitlines()[-1] == "002.png: was drawn after other captions than these"


def test_options_of_other_commands_are_not_proposed(refused) -> None:
    """`arldm adapt --steps` was told of --model.denoiser.train-timesteps."""
    needed = ["--pictures", "x", "--name", "rumo", "--like", "momo", "--out", "pack"]
    refused(main(["adapt", "toonsv", *needed, "--steps", "5"]), "Unrecognized options: --steps, 5; see --help")


def test_a_file_as_the_folder_of_a_story(tell: Run, script: Path, refused) -> None:
    refused(tell(script), f"{script}: is a file; expected a new folder, choose another --out")


def test_a_caption_is_changed_and_one_added(tell: Run, tmp_path: Path, script: Path, refused, capfd) -> None:
    out = tmp_path / "told"
    assert tell(out) == 0
    told = files(out)
    script.write_text(SCRIPT.replace("They sit down.", "They jump.").replace("Hello!", "Hi!") + "They wave.\n")
    capfd.readouterr()
    refused(tell(out), "frame 2 has another caption there ('They sit down.')", "--frames 2,", "choose another --out")
    assert files(out) == told
    assert tell(out, "--frames", "2") == 0
    now = files(out)
    assert {name for name in told if told[name] == now[name]} == {"000.png", "001.png"}
    assert read_origin(out / "003.png").captions[2:] == ("They jump.", "They wave.")
    assert json.loads(now["story.json"])["frames"][0]["lettering"] == "Hi!"
    assert main(["replay", str(out)]) == 0
    assert tell(out) == 0
    assert files(out) == now
    script.write_text("\n".join(SCRIPT.splitlines()[:3]))
    capfd.readouterr()
    refused(tell(out), "holds another story")


def test_an_unfinished_story_can_be_looked_at_and_finished(tell: Run, tmp_path: Path, refused, capfd) -> None:
    out = tmp_path / "told"
    assert tell(out) == 0
    whole = files(out)
    (out / "002.png").unlink()
    assert main(["replay", str(out)]) == 0
    capfd.readouterr()
    refused(main(["page", str(out), "-o", str(tmp_path / "page.png")]), "frame 2 has no picture", "run `arldm tell` first")
    assert tell(out, script=out) == 0
    assert files(out) == whole


def test_a_page_is_not_written_over_a_frame(tell: Run, tmp_path: Path, refused, capfd) -> None:
    out = tmp_path / "told"
    assert tell(out) == 0
    told = files(out)
    capfd.readouterr()
    for name in ("001.png", "strip.png"):
        refused(main(["page", str(out), "-o", str(out / name)]), f"{name}: is a picture of the story", "page.png")
    assert files(out) == told


def test_letters_that_the_font_does_not_have_are_named(tell: Run, tmp_path: Path, script: Path, refused, capfd) -> None:
    """They were printed as crossed boxes."""
    script.write_text(SCRIPT.replace("Hello!", "I \u2665 you \u266a"))
    assert tell(tmp_path / "told") == 0
    capfd.readouterr()
    refused(
        main(["page", str(tmp_path / "told"), "-o", str(tmp_path / "page.png")]), "font has no \u2665 \u266a", "change the words"
    )


def test_nothing_is_said_of_drawing_before_all_is_found_right(tell: Run, tmp_path: Path, capfd) -> None:
    assert tell(tmp_path / "told") == 0
    capfd.readouterr()
    assert tell(tmp_path / "told", "--frames", "9") == 2
    assert capfd.readouterr().out == ""


def test_a_given_picture_that_is_no_square_is_told_of(tell: Run, tmp_path: Path, capfd) -> None:
    picture(1, 48).resize((64, 48)).save(tmp_path / "first.png")
    assert tell(tmp_path / "told", "--picture", tmp_path / "first.png") == 0
    assert "first.png is 64 x 48: only the square in its middle" in capfd.readouterr().err


def test_who_reads_only_the_first_lines_is_no_error(tell: Run, tmp_path: Path) -> None:
    assert tell(tmp_path / "told") == 0
    command = [sys.executable, "-m", "arldm", "show", str(tmp_path / "told" / "000.png")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as shown:
        assert shown.stdout is not None
        assert shown.stderr is not None
        shown.stdout.close()
        assert shown.stderr.read() == b""
    assert shown.returncode == 141


def test_a_given_picture_is_continued(tell: Run, tmp_path: Path, refused, capfd) -> None:
    picture(1, 48).save(tmp_path / "first.png")
    out = tmp_path / "told"
    assert tell(out, "--picture", tmp_path / "first.png") == 0
    assert opened(out / "000.png").tobytes() == picture(1, 48).tobytes()
    assert main(["replay", str(out)]) == 0
    picture(2, 48).save(tmp_path / "other.png")
    before = files(out)
    capfd.readouterr()
    refused(tell(out, "--picture", tmp_path / "other.png"), "another picture", "choose another --out")
    assert files(out) == before


def test_words_the_model_never_saw_are_named(tell: Run, tmp_path: Path, script: Path, capfd) -> None:
    script.write_text("Momo juggles.\nShe sits down.\n")
    assert tell(tmp_path / "told") == 0
    assert "never saw these words, and may not draw them: juggles" in capfd.readouterr().err


def test_a_random_seed_is_told(tell: Run, tmp_path: Path, capfd) -> None:
    assert tell(tmp_path / "told", "--seed", "-1") == 0
    seed = int(capfd.readouterr().out.splitlines()[0].removeprefix("seed "))
    assert read_origin(tmp_path / "told" / "000.png").config.seed == seed


def test_show_replay_and_page(tell: Run, tmp_path: Path, capfd, refused) -> None:
    out = tmp_path / "told"
    tell(out)
    capfd.readouterr()
    assert main(["show", str(out / "001.png")]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert (shown["frame"], shown["captions"][1]) == (1, "A stranger waves at Momo.")
    assert main(["replay", str(out)]) == 0
    assert capfd.readouterr().out.count("identical") == 3
    changed = opened(out / "002.png")
    text = dict(changed.info)
    changed = changed.copy()
    changed.putpixel((0, 0), (1, 2, 3))
    info = PngImagePlugin.PngInfo()
    for name, value in text.items():
        info.add_itxt(name, value)
    changed.save(out / "002.png", pnginfo=info)
    assert main(["replay", str(out)]) == 1
    assert "002.png: different" in capfd.readouterr().out
    changed.save(out / "001.png")  # which now looks otherwise, and says of itself nothing
    assert main(["replay", str(out)]) == 1
    assert "002.png: was drawn after other frames than these" in capfd.readouterr().out
    for name in ("page.png", "page.pdf"):
        assert main(["page", str(out), "-o", str(tmp_path / name)]) == 0
        assert (tmp_path / name).exists()
    capfd.readouterr()
    refused(main(["page", str(out), "-o", str(tmp_path / "page.gif")]), "page.gif", ".png", ".pdf")
    refused(main(["page", str(tmp_path / "nothing"), "-o", str(tmp_path / "x.png")]), "not there")
    refused(main(["replay", str(tmp_path / "nothing")]), "not there")


def test_what_was_told_quickly_is_replayed_as_it_was_told(tell: Run, tmp_path: Path, capfd) -> None:
    exact, quick = tmp_path / "exact", tmp_path / "quick"
    tell(exact)
    assert tell(quick, "--precision", "bf16") == 0
    assert read_origin(quick / "000.png").config.precision == "bf16"
    assert (quick / "000.png").read_bytes() != (exact / "000.png").read_bytes()
    capfd.readouterr()
    assert main(["replay", str(quick)]) == 0
    assert capfd.readouterr().out.count("identical") == 3


def test_no_metadata_leaves_none(tell: Run, tmp_path: Path, refused, capfd) -> None:
    assert tell(tmp_path / "told", "--no-metadata") == 0
    assert opened(tmp_path / "told" / "000.png").info == {}
    capfd.readouterr()
    refused(main(["show", str(tmp_path / "told" / "000.png")]), "does not say what it was made from")


def test_replay_with_another_model_is_refused(tell: Run, tmp_path: Path, refused, capfd) -> None:
    tell(tmp_path / "told")
    build(seed=2).save_pretrained(tmp_path / "other")
    capfd.readouterr()
    refused(
        main(["replay", str(tmp_path / "told"), "--model", str(tmp_path / "other")]), "is model", "which drew frame 0", "--model"
    )


def huge(path: Path) -> None:
    """A PNG that says it is 30,000 x 30,000 and has nearly nothing in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", ("has 0 frames", "at least 2")),
        (b"Momo waves.\n", ("has 1 frame;", "at least 2")),
        (b"\xff\xfe\x00", ("cannot be read as text", "UTF-8")),
        (b"Momo waves.\n" + b"walks " * 60 + b"\n", ("tokens", "the limit is 32", "shorten")),
        (b"Momo waves.\n[Nobody] waves.\n", ("[nobody]", "nobody the model knows")),
        (b"Momo waves.\n[Mono] waves.\n", ("perhaps you meant [momo]",)),
        (b"Momo waves.\n # Only lettering\n", ("no caption",)),
    ],
)
def test_scripts_that_cannot_be_told(tell: Run, tmp_path: Path, script: Path, refused, text: bytes, said: tuple) -> None:
    script.write_bytes(text)
    refused(tell(tmp_path / "told"), *said)
    assert not (tmp_path / "told").exists()


def test_script_that_is_not_there(tell: Run, tmp_path: Path, refused) -> None:
    refused(tell(tmp_path / "told", script=tmp_path / "no.txt"), "no.txt: not there", "expected a script")


@pytest.mark.parametrize("kind", ["missing", "truncated", "text", "huge", "folder"])
def test_pictures_that_cannot_be_used(tell: Run, tmp_path: Path, refused, kind: str) -> None:
    path = tmp_path / "first.png"
    if kind == "truncated":
        picture(1, 64).save(path)
        path.write_bytes(path.read_bytes()[:-40])
    elif kind == "text":
        path.write_text("not a picture")
    elif kind == "huge":
        huge(path)
    elif kind == "folder":
        path.mkdir()
    expected = {"missing": "not there", "truncated": "cannot be decoded", "text": "is not a picture", "huge": "64 million"}
    refused(tell(tmp_path / "told", "--picture", path), "first.png", expected.get(kind, "expected"))
    assert not (tmp_path / "told").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--steps", "many"], ("--steps", "many")),
        (["--steps", "0"], ("steps is 0", "1 or more")),
        (["--guidance", "nan"], ("guidance is nan",)),
        (["--scheduler", "ddim2"], ("ddim2", "'ddim', 'dpm++', 'unipc'")),
        (["--take", "-1"], ("take", "0 or more")),
        (["--threads", "-3"], ("--threads: got -3",)),
        (["--frames", "9"], ("frame 9", "0 to 2")),
        (["--frames", "x"], ("--frames", "'x'", "3,4")),
        (["--frames", "0", "--picture", "given.png"], ("--frames: got 0", "which --picture gives")),
        (["--stepz", "3"], ("--stepz", "perhaps you meant --steps")),
        (["--picture", "a", "--picture", "b", "--picture", "c"], ("got 3 for a story of 3 frames",)),
        (["--model", "nowhere"], ("nowhere", "not there")),
    ],
)
def test_options_that_cannot_be(tell: Run, tmp_path: Path, monkeypatch, refused, options: list[str], said: tuple[str, ...]) -> None:
    monkeypatch.chdir(tmp_path)
    picture(1, 64).save("given.png")
    refused(tell(tmp_path / "told", *options), *said)
    assert not (tmp_path / "told").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tell"], ("Missing from arldm tell: SCRIPT, --out PATH",)),
        (["draw"], ("Unrecognized options: draw", "tell, page, show")),
        (["train", "toonsv", "--out", "x", "--train.stepz", "3"], ("perhaps you meant --train.steps",)),
        (["show", "nothing.png"], ("nothing.png: not there",)),
        (["evaluate", "toonsv", "--stories", "0"], ("--stories 0", "at least 1")),
        (["evaluate", "toonsv", "--skip", "-1"], ("--skip: got -1", "0 or more")),
        (["evaluate", "toonsv", "--given", "5"], ("--given 5", "0 to 4")),
        (["evaluate", "toonsv", "--pinned", "5"], ("--pinned: got 5", "0 to 4")),
        (["evaluate", "toonsv", "--json", "/dev/null/report.json"], ("--json: /dev/null/report.json cannot be written",)),
        (["evaluate", "toonsv", "--json", "/dev/null"], ("--json: /dev/null cannot be written (is no file)",)),
        (["toonsv", "x", "--stories", "0"], ("got 0", "at least 1")),
        (["toonsv", "x", "--size", "0"], ("of 0 pixels", "at least 16")),
        (["toonsv", "x", "--frames", "1"], ("frames: got 1", "2 to 100")),
        (["toonsv", "x", "--frames", "101"], ("frames: got 101", "2 to 100")),
        (["train", "toonsv", "--out", "x", "--autoencoder", "no.safetensors"], ("no.safetensors", "toonsv-autoencoder")),
    ],
)
def test_commands_that_cannot_be(tmp_path: Path, monkeypatch, refused, arguments: list[str], said: tuple[str, ...]) -> None:
    monkeypatch.chdir(tmp_path)
    refused(main(arguments), *said)
    assert not [path for path in tmp_path.rglob("*") if path.name != "config.json" and path.is_file()]


@pytest.mark.parametrize("how", ["missing", "shape", "pickle"])
def test_model_folders_that_cannot_be_used(tell: Run, toy_folder: Path, tmp_path: Path, refused, how: str) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(toy_folder, broken)
    weights = broken / "unet" / "diffusion_pytorch_model.safetensors"
    if how == "shape":
        tensors = load_file(weights)
        save_file({**tensors, "conv_in.weight": torch.zeros(1)}, weights)
    else:
        weights.unlink()
    if how == "pickle":
        (broken / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x04.")
    refused(tell(tmp_path / "told", "--model", broken), "broken")
    assert not (tmp_path / "told").exists()


def test_folders_that_are_taken(tell: Run, tmp_path: Path, script: Path, refused, capfd) -> None:
    assert tell(tmp_path / "told") == 0
    before = files(tmp_path / "told")
    capfd.readouterr()
    script.write_text("Momo walks.\nMomo sits down.\n")
    refused(tell(tmp_path / "told"), "holds another story", "choose another --out")
    assert files(tmp_path / "told") == before
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "diary.txt").write_text("mine")
    refused(tell(tmp_path / "full"), "is not empty", "choose another --out")
    refused(tell(script), "expected a new folder")


@pytest.mark.parametrize("reason", ["No space left on device", "Read-only file system"])
def test_a_disk_that_cannot_be_written(tell: Run, tmp_path: Path, monkeypatch, refused, reason: str) -> None:
    opened = Path.open

    def fails(path: Path, mode: str = "r", *rest, **options):
        if "w" in mode and "told" in str(path):
            raise OSError(28, reason)
        return opened(path, mode, *rest, **options)

    monkeypatch.setattr(Path, "open", fails)
    refused(tell(tmp_path / "told"), "cannot be written", reason)
    assert files(tmp_path) == {"script.txt": SCRIPT.encode()}


@pytest.fixture
def worldly(tmp_path: Path) -> Path:
    """A toy model that reads ToonSV's captions."""
    captions = [shot.caption for index in range(40) for shot in plot("train", index)]
    tokenizer = CaptionTokenizer(train_clip_tokenizer(captions, TINY.text.vocabulary), TINY.text.max_tokens)
    past_tokenizer = CaptionTokenizer(train_bert_tokenizer(captions, TINY.past.vocabulary), TINY.past.max_tokens)
    ARLDM.build(TINY, tokenizer, past_tokenizer).save_pretrained(tmp_path / "worldly")
    return tmp_path / "worldly"


def test_evaluation_reports_what_it_takes_to_repeat_it(worldly: Path, tmp_path: Path, capfd, refused) -> None:
    report = tmp_path / "report.json"
    options = ["--stories", "2", "--steps", "1", "--given", "1", "--history", "captions", "--brackets", "--json", str(report)]
    assert main(["evaluate", "toonsv", "--model", str(worldly), *options]) == 0
    found = json.loads(report.read_text())
    assert {"relevance", "consistency", "frame_accuracy", "character_f1"} == set(found["metrics"])
    assert {"value", "low", "high", "count"} == set(found["metrics"]["relevance"])
    assert set(found["brackets"]) == {"rendered truth", "truth without memory", "autoencoder's reconstruction"}
    assert (found["history"], found["options"]["given"], found["sampling"]["steps"]) == ("captions", 1, 1)
    assert found["seconds_per_story"] > 0
    assert 0.9 < found["reader"]["facts"] <= 1
    assert "relevance" in capfd.readouterr().out
    refused(main(["evaluate", "toonsv", "--model", str(worldly), "--stories", "1", "--history", "more"]), "--history", "pictures")


def test_longer_stories_and_what_training_never_held(worldly: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    options = ["--stories", "2", "--steps", "1", "--frames", "7", "--memory", "6", "--pinned", "0,2", "--held-out"]
    assert main(["evaluate", "toonsv", "--model", str(worldly), *options, "--json", str(report)]) == 0
    found = json.loads(report.read_text())
    assert (found["frames"], found["memory"], found["pinned"], found["held_out"]) == (7, 6, [0, 2], True)
    assert set(found["by_frame"]["relevance"]) == set("0123456")
    assert found["relevance_by_combination"]["held out"]["count"] > 0


def test_stories_by_which_something_was_chosen_are_left_out(worldly: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    options = ["--stories", "1", "--skip", "3", "--frames", "2", "--steps", "1", "--json", str(report)]
    assert main(["evaluate", "toonsv", "--model", str(worldly), *options]) == 0
    found = json.loads(report.read_text())
    assert (found["skipped"], found["split_hash"]) == (3, split_hash("test", [3], 2))


def test_a_kept_evaluation_goes_on_where_it_was(worldly: Path, tmp_path: Path, capfd, refused) -> None:
    kept = tmp_path / "kept"
    evaluate = ["evaluate", "toonsv", "--model", str(worldly), "--steps", "1", "--keep", str(kept), "--stories"]
    assert main([*evaluate, "1"]) == 0
    first = {path: path.stat().st_mtime_ns for path in kept.rglob("*.png")}
    assert len(first) == 6
    assert main([*evaluate, "2", "--json", str(tmp_path / "two.json")]) == 0
    assert len(list(kept.rglob("*.png"))) == 12
    assert {path: path.stat().st_mtime_ns for path in first} == first
    assert main([*evaluate, "2", "--json", str(tmp_path / "again.json")]) == 0
    two, again = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("two", "again"))
    assert (two["metrics"], two["seconds_per_story"]) == (again["metrics"], again["seconds_per_story"])
    told = told_by_method(kept)  # as any told stories: raters read their captions, pages can be printed of them
    assert told["test-000001"].captions == tuple(shot.caption for shot in plot("test", 1))
    assert len(list(kept.rglob("strip.png"))) == 2
    capfd.readouterr()
    refused(main([*evaluate, "2", "--given", "1"]), "--keep", "told with given 0, this is 1")
    (kept / "00000" / "002.png").rename(kept / "lost.png")
    assert main([*evaluate, "2"]) == 2
    assert "002.png: not there; expected a picture" in capfd.readouterr().err
    (kept / "lost.png").rename(kept / "00000" / "002.png")
    notes = (kept / "told.json").read_text()
    (kept / "told.json").write_text(json.dumps(json.loads(notes) | {"world": "another"}))
    refused(main([*evaluate, "2"]), "was told with world another, this is", "choose another --keep")
    (kept / "told.json").write_text(json.dumps(json.loads(notes) | {"seconds": 3}))
    refused(main([*evaluate, "2"]), "told.json: seconds are 3; expected them by story")
    (kept / "told.json").write_text("[" * 100_000)  # nested too deep
    refused(main([*evaluate, "2"]), "--keep", "told.json: cannot be read")
    (kept / "told.json").unlink()
    refused(main([*evaluate, "2"]), "--keep", "is not empty and holds no told stories")


def test_toonsv_writes_stories_with_their_truth(tmp_path: Path) -> None:
    assert main(["toonsv", str(tmp_path / "world"), "--stories", "2", "--frames", "2", "--size", "32", "--split", "val"]) == 0
    assert sorted(path.name for path in (tmp_path / "world").iterdir()) == ["val-000000", "val-000001"]
    assert json.loads((tmp_path / "world" / "val-000000" / "truth.json").read_text())[0]
    assert opened(tmp_path / "world" / "val-000001" / "001.png").size == (32, 32)

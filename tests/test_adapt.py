"""A new character from a few pictures: what is read, how a run goes on, and what is refused."""

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image
from safetensors.torch import load_file

from arldm.adapt.adapt import adapt, adaptation
from arldm.adapt.old import of_old
from arldm.adapt.pictures import passed_over, read_pictures
from arldm.adapt.school import School
from arldm.cli import main
from arldm.cli.adapting import Adapt
from arldm.cli.packs import recipe_of, tell_of_pictures
from arldm.config import Mode
from arldm.errors import ArldmError, ConfigError, DatasetError, OutputError, PictureError
from arldm.model.pack import CARD, TENSORS, read_card
from conftest import TINY, build, noise
from newcomers import TRAIN, recipe


def test_old_stories_are_as_long_as_there_are_pictures(toy_folder: Path, rumo: Path) -> None:
    long = replace(TINY, text=replace(TINY.text, max_tokens=128), past=replace(TINY.past, max_tokens=128))
    old = of_old(build(long), replace(recipe(toy_folder, rumo), keep_old="toonsv", old=2), frames=7)
    assert old is not None
    assert old.stories.latents.shape[:2] == (2, 7)


def test_an_interrupted_adaptation_goes_on(toy_folder: Path, rumo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapt(recipe(toy_folder, rumo), tmp_path / "whole")
    school = School.__call__

    def stopping(self: School, number: int):
        if number == 1:
            raise KeyboardInterrupt
        return school(self, number)

    slow = replace(recipe(toy_folder, rumo), train=replace(TRAIN, checkpoint_every=1))
    with monkeypatch.context() as stopped:
        stopped.setattr(School, "__call__", stopping)
        with pytest.raises(KeyboardInterrupt):
            adapt(slow, tmp_path / "part")
    assert not (tmp_path / "part").exists()
    numbers: list[int] = []
    with monkeypatch.context() as noted:
        noted.setattr(School, "__call__", lambda self, number: (numbers.append(number), school(self, number))[1])
        adapt(slow, tmp_path / "part")
    assert numbers[0] == 1  # what was learned is not learned again
    whole, part = (load_file(tmp_path / name / TENSORS) for name in ("whole", "part"))
    assert all(torch.equal(part[name], tensor) for name, tensor in whole.items())
    assert not list((tmp_path / "part.run").glob("checkpoint-*"))
    with pytest.raises(OutputError, match="is there already; expected a new folder for the pack"):
        adapt(slow, tmp_path / "part")


def test_the_commands(toy_folder: Path, rumo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, script = tmp_path / "pack", tmp_path / "script.txt"
    script.write_text("Rumo sits down.\nThey sit down.\n")
    options = ["--pictures", str(rumo), "--name", "Rumo", "--like", "stranger", "--out", str(out), "--threads", "1"]
    made = ["--mode", "token", "--epochs", "2", "--author", "Ann", "--licence", "CC0-1.0", "--include-pictures"]
    noise(1, (64, 96)).save(rumo / "a.png")
    assert main(["adapt", str(toy_folder), *options, *made]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["card.json", "pack.safetensors", "pictures", "preview.webp"]
    assert main(["pack", "show", str(out)]) == 0
    said = capsys.readouterr()
    assert "a.png is 64 x 96: only the square in its middle is looked at" in said.err
    card = json.loads(said.out.partition("\n{")[2].join("{ "))
    assert (card["names"], card["author"], card["licence"]) == (["rumo"], "Ann", "CC0-1.0")
    assert not any(
        str(path) in (out / CARD).read_text() for path in (tmp_path, toy_folder.parent)
    )  # nobody learns where it was made
    assert main(["pack", "check", str(out), "--model", str(toy_folder)]) == 0
    telling = ["tell", str(script), "--model", str(toy_folder), "--steps", "1", "--threads", "1"]
    assert main([*telling, "--out", str(tmp_path / "told"), "--pack", f"{out}:0.7"]) == 0
    assert main(["replay", str(tmp_path / "told")]) == 0
    out.rename(tmp_path / "moved")
    capsys.readouterr()
    assert main(["replay", str(tmp_path / "told")]) == 2
    told = capsys.readouterr().err
    assert "pack/card.json: not there; expected a pack of `arldm adapt`, check the path, or give its folder with --model" in told
    assert told.endswith("those of its packs with --pack\n")
    assert main(["replay", str(tmp_path / "told"), "--pack", f"{tmp_path / 'moved'}:0.7"]) == 0
    assert main(["replay", str(tmp_path / "told"), "--pack", str(tmp_path / "moved")]) == 2  # with another weight
    assert main([*telling, "--out", str(tmp_path / "plain")]) == 0
    assert (tmp_path / "told" / "strip.png").read_bytes() != (tmp_path / "plain" / "strip.png").read_bytes()


@pytest.mark.parametrize(("mode", "kept", "steps"), [("full", "", 30), ("full", "toonsv", 45), ("token", "toonsv", 30)])
def test_an_epoch_draws_the_new_story_once(tmp_path: Path, mode: Mode, kept: str, steps: int) -> None:
    """Batches of published models are of one story; every third is an old one."""
    build(replace(TINY, context=0, summary=0)).save_pretrained(tmp_path / "base")
    options = Adapt(str(tmp_path / "base"), tmp_path, ("rumo",), "momo", tmp_path / "out", mode, kept, epochs=30)
    assert recipe_of(options).train.steps == steps
    assert adaptation(tmp_path, ["rumo"], "momo", str(tmp_path / "base"), mode, epochs=30, keep_old=kept) == recipe_of(options)
    halves = {"gradient_accumulation_steps": 2}
    half = adaptation(tmp_path, ["rumo"], "momo", str(tmp_path / "base"), mode, epochs=30, keep_old=kept, train=halves)
    assert half.train.steps == math.ceil(steps / 2)


def test_pictures_of_any_mode_are_read(tmp_path: Path) -> None:
    Image.new("L", (20, 30), 100).save(tmp_path / "0.png")
    Image.new("RGBA", (30, 20), (255, 0, 0, 0)).save(tmp_path / "1.png")
    Image.new("CMYK", (20, 20)).save(tmp_path / "2.jpg")
    Image.fromarray(np.full((8, 8), 40000, np.uint16)).save(tmp_path / "3.png")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # held upright, stored on its side
    Image.new("RGB", (30, 20)).save(tmp_path / "4.jpg", exif=exif)
    frames = read_pictures(tmp_path, ("rumo",))
    assert [frame.caption for frame in frames] == ["Rumo."] * 5
    assert frames[4].picture is not None
    assert frames[4].picture.size == (20, 30)
    found = [frame.picture.getpixel((4, 4)) for frame in frames if frame.picture]
    assert found[:3] == [(100, 100, 100), (255, 255, 255), (255, 255, 255)]
    assert found[3] == (156, 156, 156)


def test_blank_captions_are_the_name_and_endings_may_be_capitals(rumo: Path) -> None:
    for path in rumo.glob("*.txt"):
        path.unlink()
    (rumo / "a.TXT").write_text("Rumo waves.\n")
    (rumo / "b.txt").write_text("  \n")
    assert [frame.caption for frame in read_pictures(rumo, ("rumo",))] == ["Rumo waves.", "Rumo.", "Rumo."]
    texts = zip(("a.png", "b.jpg", "c.png"), ("Rumo sits.", "", "   "), strict=True)
    lines = [json.dumps({"file_name": name, "text": text}) for name, text in texts]
    (rumo / "metadata.jsonl").write_text("\n".join(lines))
    assert [frame.caption for frame in read_pictures(rumo, ("rumo",))] == ["Rumo sits.", "Rumo.", "Rumo."]


def test_what_is_passed_over_is_named(toy_folder: Path, rumo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Captions in a metadata.csv, and pictures in a folder further in, were left out without a word."""
    assert passed_over(rumo) == []
    for name in ("metadata.csv", "d.heic", ".hidden"):
        (rumo / name).write_text("")
    (rumo / "more").mkdir()
    assert passed_over(rumo) == ["d.heic", "metadata.csv", "more/"]
    lines = [json.dumps({"file_name": name, "text": "Rumo."}) for name in ("a.png", "b.jpg", "c.png")]
    (rumo / "metadata.jsonl").write_text("\n".join(lines))
    assert "a.txt" in passed_over(rumo)  # which says it otherwise, perhaps
    made = ["--pictures", str(rumo), "--name", "rumo", "--like", "stranger", "--mode", "pin", "--out", str(tmp_path / "pack")]
    assert main(["adapt", str(toy_folder), *made]) == 0
    assert "pictures: not read: a.txt, " in capfd.readouterr().err


def test_of_what_is_cut_out_the_whole_sheet_is_looked_at(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for number in range(2):
        noise(number, (20, 30)).save(tmp_path / f"{number}.png")
    for mode, said in (("full", ""), ("pin", "1.png is 20 x 30: only the square in its middle is looked at and printed\n")):
        tell_of_pictures(adaptation(tmp_path, "zork", "bromm", mode=mode))  # type: ignore[arg-type]
        assert capfd.readouterr().err.endswith(said)
        assert bool(said) == (mode == "pin")


class TestBadInput:
    @pytest.fixture(autouse=True)
    def _nothing_is_left(self, tmp_path: Path) -> Iterator[None]:
        yield
        assert not list(tmp_path.glob("*.new"))

    def refused(self, toy_folder: Path, rumo: Path, tmp_path: Path, error: type[ArldmError], said: str, **more) -> None:
        with pytest.raises(error, match=said):
            adapt(replace(recipe(toy_folder, rumo), **more), tmp_path / "pack")
        assert not (tmp_path / "pack").exists()
        assert not (tmp_path / "pack.run").exists()

    def test_too_few_and_too_many(self, toy_folder: Path, rumo: Path, tmp_path: Path) -> None:
        for number in range(200):
            noise(0, (8, 8)).save(rumo / f"{number}.png")
        self.refused(toy_folder, rumo, tmp_path, DatasetError, "has 203 pictures; expected 2 to 20, 4 or 5 different ones are best")
        for path in list(rumo.iterdir())[1:]:
            path.unlink()
        self.refused(toy_folder, rumo, tmp_path, DatasetError, "has (0 pictures|1 picture); expected 2 to 20")
        self.refused(toy_folder, tmp_path / "none", tmp_path, DatasetError, "is no folder; expected one with 2 to 20 pictures")

    def test_what_is_no_picture_is_named(self, toy_folder: Path, rumo: Path, tmp_path: Path) -> None:
        (rumo / "d.png").write_bytes((rumo / "a.png").read_bytes()[:300])
        self.refused(toy_folder, rumo, tmp_path, PictureError, r"d\.png: cannot be decoded")

    def test_captions(self, toy_folder: Path, rumo: Path, tmp_path: Path) -> None:
        (rumo / "a.txt").write_text("A dog waves.")
        self.refused(toy_folder, rumo, tmp_path, DatasetError, r"a\.png: its caption 'A dog waves\.' does not say rumo")
        (rumo / "metadata.jsonl").write_text('{"file_name": "a.png", "text": "Rumo waves."}\n')
        self.refused(toy_folder, rumo, tmp_path, DatasetError, r"metadata\.jsonl: has no line for b\.jpg")
        (rumo / "metadata.jsonl").write_text('{"file_name": "a.png"')
        self.refused(toy_folder, rumo, tmp_path, DatasetError, r"metadata\.jsonl, line 1: cannot be understood")
        (rumo / "metadata.jsonl").write_text('{"file_name": "a.png", "text": ["Rumo waves."]}')
        self.refused(toy_folder, rumo, tmp_path, DatasetError, r"metadata\.jsonl, line 1: cannot be understood .*in quotes")
        (rumo / "metadata.jsonl").write_text('{"file_name": "a.png", "text": "Rumo waves."}\n' * 2)
        self.refused(toy_folder, rumo, tmp_path, DatasetError, r"metadata\.jsonl, line 2: .*a\.png has a line already")
        (rumo / "metadata.jsonl").write_text("")
        self.refused(toy_folder, rumo, tmp_path, DatasetError, r"metadata\.jsonl: has no line for a\.png")
        lines = [f'{{"file_name": "{name}", "text": "Rumo waves."}}\n' for name in ("a.png", "b.jpg", "c.png", "sub/d.png")]
        (rumo / "metadata.jsonl").write_text("".join(lines))
        said = r"metadata\.jsonl: has a line for sub/d\.png, which is no picture in this folder"
        self.refused(toy_folder, rumo, tmp_path, DatasetError, said)

    def test_names(self, toy_folder: Path, rumo: Path, tmp_path: Path) -> None:
        for name, path in (("a", "Momo"), ("b", "Momo sits."), ("c", "Momo.")):
            (rumo / f"{name}.txt").write_text(path)
        self.refused(
            toy_folder, rumo, tmp_path, ConfigError, "--name momo: is a word that the model knows already", names=("momo",)
        )
        for name in "abc":
            (rumo / f"{name}.txt").unlink()
        said = r"--like zebra: is \d tokens to the model \(.*\); expected a word that is one, such as"
        self.refused(toy_folder, rumo, tmp_path, ConfigError, said, like="zebra")
        for name in "abc":
            (rumo / f"{name}.txt").write_text("Søren waves.")
        adapt(
            replace(recipe(toy_folder, rumo, "pin"), names=("søren",)), tmp_path / "new"
        )  # no vocabulary has it: that is not to know it

    @pytest.mark.parametrize(
        ("option", "got"),
        [("threads", -1), ("seed", 2**64), ("ema-decay", -1.0), ("epochs", -1), ("rank", 0), ("preview-every", -1)],
    )
    def test_options(self, toy_folder: Path, rumo: Path, tmp_path: Path, option: str, got: float) -> None:
        named = {"model": str(toy_folder), "pictures": rumo, "name": ("rumo",), "like": "momo", "out": tmp_path / "pack"}
        with pytest.raises(ConfigError, match=f"--{option}: got {got}; expected"):
            recipe_of(Adapt(**named | {option.replace("-", "_"): got}))  # type: ignore[arg-type]

    @pytest.mark.parametrize(("mode", "option"), [("full", "rank"), ("token", "rank"), ("pin", "epochs"), ("pin", "precision")])
    def test_options_that_are_nothing_to_a_mode(self, toy_folder: Path, rumo: Path, tmp_path: Path, mode: str, option: str) -> None:
        named = {"model": str(toy_folder), "pictures": rumo, "name": ("rumo",), "like": "momo", "out": tmp_path / "pack"}
        with pytest.raises(ConfigError, match=f"--{option.replace('_', '-')}: is nothing to --mode {mode}; leave it out"):
            recipe_of(Adapt(**named | {"mode": mode, option: 1}))  # type: ignore[arg-type]

    def test_options_from_python(self, toy_folder: Path, rumo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What learns nothing read its pictures with all threads, whatever it was told."""
        pinned, asked = recipe(toy_folder, rumo, "pin"), []
        monkeypatch.setattr(torch, "set_num_threads", asked.append)
        adapt(replace(pinned, train=replace(pinned.train, threads=3)), tmp_path / "pack")
        assert asked == [3]
        for odd, said in (
            ({"names": ["Rumo", "rumo"]}, "--name 'rumo': got twice"),
            ({"names": []}, "--name: got none"),
            ({"rank": 0}, "--rank: got 0; expected 1 or more"),
            ({"epochs": -3}, "--epochs: got -3; expected 0 or more"),
            (
                {"model": "toonsv", "like": "the"},
                "--like the: is nobody whom the model draws; expected one of tilo, fenna, .*, child",
            ),
            ({"model": "toonsv", "like": "vesna"}, "--like vesna: is nobody"),
            ({"mode": "dreambooth"}, "--mode: got 'dreambooth'; expected one of full, lora, token, pin"),
            ({"train": {"steps": 10}}, "--train.steps: is told by --epochs; leave it out"),
        ):
            with pytest.raises(ConfigError, match=said):
                adaptation(**{"pictures": rumo, "names": ["rumo"], "like": "Momo", "model": toy_folder} | odd)
        assert adaptation(rumo, ["RUMO"], "Momo", toy_folder).like == "momo"
        assert adaptation(rumo, ["rumo"], "tilo", Path("toonsv")).train == adaptation(rumo, ["rumo"], "tilo").train
        assert adaptation(str(rumo), "Zork", "momo", toy_folder) == adaptation(rumo, ["zork"], "momo", toy_folder)
        adapt(pinned, str(tmp_path / "said"))  # type: ignore[arg-type]
        assert (tmp_path / "said" / CARD).exists()
        with pytest.raises(ConfigError, match=r"--train.threads: got -1; expected 0 to 1024"):
            adapt(replace(pinned, train=replace(pinned.train, threads=-1)), tmp_path / "other")
        assert not (tmp_path / "other.run").exists()

    def test_more_pictures_than_the_model_has_positions(self, rumo: Path, tmp_path: Path) -> None:
        build(replace(TINY, positions="absolute", context=0, summary=0, window=1)).save_pretrained(tmp_path / "base")
        self.refused(tmp_path / "base", rumo, tmp_path, ConfigError, "3 frames")

    def test_a_run_goes_on_with_what_it_was_begun_with(self, toy_folder: Path, rumo: Path, tmp_path: Path) -> None:
        adapt(recipe(toy_folder, rumo, "token"), tmp_path / "pack")
        shutil.rmtree(tmp_path / "pack")
        adapt(recipe(toy_folder, shutil.copytree(rumo, tmp_path / "moved"), "token"), tmp_path / "pack")  # wherever they lie
        shutil.rmtree(tmp_path / "pack")
        larger = recipe(toy_folder, rumo, "token")
        with pytest.raises(ConfigError, match=r"--batch-size is 4; .* was begun with 2"):  # of which it depends what is read
            adapt(replace(larger, train=replace(TRAIN, batch_size=4)), tmp_path / "pack")
        (rumo / "a.txt").write_text("Rumo jumps.")
        with pytest.raises(ConfigError, match=r"--pictures-hash is .* was begun with"):
            adapt(recipe(toy_folder, rumo, "token"), tmp_path / "pack")

    def test_it_says_so_by_its_own_options(
        self, toy_folder: Path, rumo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        out = str(tmp_path / "pack")
        command = ["adapt", str(toy_folder), "--pictures", str(rumo), "--name", "rumo", "--like", "stranger", "--out", out]
        command += ["--mode", "token", "--epochs", "2"]
        assert main(command) == 0
        shutil.rmtree(tmp_path / "pack")
        for more, said in ((["--epochs", "4"], "--epochs (in steps) is 2"), (["--learning-rate", "0.5"], "--learning-rate is 0.5")):
            assert main([*command, *more]) == 2
            assert said in capfd.readouterr().err
        (rumo / "a.txt").write_text("Rumo jumps.")
        assert main(command) == 2
        assert "--pictures (as a hash) is" in capfd.readouterr().err

    def test_nothing_is_kept_of_what_is_not_there(self, toy_folder: Path, rumo: Path, tmp_path: Path) -> None:
        named = {"model": str(toy_folder), "pictures": rumo, "name": ("rumo",), "like": "momo", "out": tmp_path / "pack"}
        with pytest.raises(ConfigError, match="--keep-old: nowhere is no folder; expected toonsv, an archive"):
            recipe_of(Adapt(**named, keep_old="nowhere"))  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="--keep-old: nowhere is no folder"):
            recipe_of(Adapt(**named, mode="pin", keep_old="nowhere"))  # type: ignore[arg-type]

    def test_a_run_goes_on_with_the_weights_it_was_begun_with(self, rumo: Path, tmp_path: Path) -> None:
        for seed, begun in ((1, False), (2, True)):
            shutil.rmtree(tmp_path / "base", ignore_errors=True)
            build(seed=seed).save_pretrained(tmp_path / "base")
            if begun:
                shutil.rmtree(tmp_path / "pack")
                with pytest.raises(ConfigError, match=r"--model-hash is .* was begun with"):
                    adapt(recipe(tmp_path / "base", rumo, "token"), tmp_path / "pack")
            else:
                adapt(recipe(tmp_path / "base", rumo, "token"), tmp_path / "pack")

    def test_one_name_twice(self, toy_folder: Path, rumo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        command = ["adapt", str(toy_folder), "--pictures", str(rumo), "--like", "stranger", "--out", str(tmp_path / "pack")]
        assert main([*command, "--name", "Rumo", "rumo"]) == 2
        assert "--name 'rumo': got twice" in capfd.readouterr().err
        assert main([*command, "--name"]) == 2
        assert "--name: got none; expected what captions call the character" in capfd.readouterr().err

    def test_a_disk_that_is_full_at_the_end(
        self, toy_folder: Path, rumo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("arldm.model.pack.put", full)
            with pytest.raises(OutputError, match="No space left on device"):
                adapt(recipe(toy_folder, rumo, "token"), tmp_path / "pack")
        assert not (tmp_path / "pack").exists()
        half = tmp_path / ".pack.123.new"
        other = tmp_path / ".pack.v2.123.new"  # of an adaptation to "pack.v2" beside this one
        half.mkdir()  # as a killed process leaves it
        other.mkdir()
        monkeypatch.setattr(School, "__call__", full)  # what was learned is not learned again
        adapt(recipe(toy_folder, rumo, "token", licence="CC0-1.0"), tmp_path / "pack")
        assert read_card(tmp_path / "pack").name == "rumo"
        assert not half.exists()
        other.rmdir()  # it is there

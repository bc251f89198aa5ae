"""A whole split: the same bytes for any number of processes, however often they were stopped."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arldm.cli import main
from arldm.cli.sampling import batches
from arldm.datasets.folder import read_folder
from arldm.datasets.importing import import_corpus
from arldm.model.arldm import ARLDM
from arldm.story_files import STRIP, read_told
from conftest import TINY, build
from published import still, write_folder

OPTIONS = ("--stories", "5", "--batch", "2", "--frames", "3", "--steps", "1", "--guidance", "1")


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> str:
    longer = replace(TINY, text=replace(TINY.text, max_tokens=99), past=replace(TINY.past, max_tokens=99))  # as ToonSV tells
    folder = tmp_path_factory.mktemp("saved") / "model"
    build(longer).save_pretrained(folder)
    return str(folder)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def sampled(saved: str, out: Path, *more: str) -> int:
    return main(["sample", "toonsv", "--model", saved, "--out", str(out), *OPTIONS, *more])


@given(st.lists(st.integers(2, 4), min_size=1, max_size=30), st.integers(1, 7))
def test_every_story_is_in_one_batch_of_stories_of_its_length(lengths: list[int], size: int) -> None:
    found = list(batches(lengths, size))
    assert [number for batch in found for number in batch] == list(range(len(lengths)))
    assert all(1 <= len(batch) <= size and len({lengths[number] for number in batch}) == 1 for batch in found)


def test_a_split_is_told_into_a_folder_a_story(saved: str, tmp_path: Path, capsys) -> None:
    assert sampled(saved, tmp_path / "out") == 0
    assert "5 stories" in capsys.readouterr().out
    folders = sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert folders == [f"{n:05}-test-{n:06}" for n in range(5)]
    assert len(read_told(tmp_path / "out" / folders[4]).frames) == 3
    notes = json.loads((tmp_path / "out" / "sample.json").read_text())
    assert notes.pop("device") == "cpu"  # which earlier versions did not say
    (tmp_path / "out" / "sample.json").write_text(json.dumps(notes))
    assert sampled(saved, tmp_path / "out") == 0


def test_what_is_refused_claims_no_folder(saved: str, tmp_path: Path, capsys) -> None:
    """What was then asked as advised, was refused as another telling."""
    out = tmp_path / "out"
    assert sampled(saved, out, "--guidance", "-1") == 2
    assert "guidance is -1.0" in capsys.readouterr().err
    keep = ["evaluate", "toonsv", "--model", saved, "--stories", "1", "--guidance", "-1", "--keep", str(tmp_path / "kept")]
    assert main(keep) == 2
    assert not out.exists()
    assert not (tmp_path / "kept").exists()


def test_stopped_anywhere_and_continued_it_is_the_same_bytes(saved: str, tmp_path: Path, monkeypatch) -> None:
    sampled(saved, tmp_path / "whole")
    whole = tree(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    for name in ("00001-test-000001", "00004-test-000004"):  # the second of a batch was not finished, the last not begun
        (tmp_path / "cut" / name / STRIP).unlink()
    shutil.rmtree(tmp_path / "cut" / "00004-test-000004")
    sampled(saved, tmp_path / "cut")
    assert tree(tmp_path / "cut") == whole


def test_what_a_killed_process_had_begun_is_swept_away(saved: str, tmp_path: Path) -> None:
    sampled(saved, tmp_path / "out")
    whole = tree(tmp_path / "out")
    (tmp_path / "out/00004-test-000004" / STRIP).unlink()
    (tmp_path / "out/00004-test-000004/.000.png.123.new").write_bytes(b"half")
    sampled(saved, tmp_path / "out")
    assert tree(tmp_path / "out") == whole


def test_two_processes_write_what_one_does(saved: str, tmp_path: Path) -> None:
    sampled(saved, tmp_path / "one")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "arldm"]
    command = [*launch, "sample", "toonsv", "--model", saved, "--out", str(tmp_path / "two"), *OPTIONS]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "0/3 [" in done.stderr  # of the three batches the first process told two: three stories of five
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_an_archive_is_told_with_its_given_pictures(saved: str, tmp_path: Path) -> None:
    write_folder(tmp_path / "in")
    import_corpus(read_folder(tmp_path / "in"), tmp_path / "archive", 1)
    command = ["sample", str(tmp_path / "archive"), "--model", saved, "--split", "train", "--given", "1", "--steps", "1"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    told = read_told(tmp_path / "out" / "00001-b")
    assert told.frames[1].caption == "Ann does 1 in b."
    assert told.frames[0].picture is not None
    assert told.frames[0].picture.size == (16, 16)  # the given one is as it was


def test_an_archive_is_known_by_what_is_in_it_and_not_by_its_path(saved: str, tmp_path: Path, capsys) -> None:
    write_folder(tmp_path / "in")
    import_corpus(read_folder(tmp_path / "in"), tmp_path / "archive", 1)
    command = ["--model", saved, "--split", "train", "--steps", "1", "--out", str(tmp_path / "out")]
    assert main(["sample", str(tmp_path / "archive"), *command]) == 0
    shutil.move(tmp_path / "archive", tmp_path / "moved")
    assert main(["sample", str(tmp_path / "moved"), *command]) == 0
    still(99).save(tmp_path / "in/train/b0.png")
    import_corpus(read_folder(tmp_path / "in"), tmp_path / "archive", 1)
    assert main(["sample", str(tmp_path / "archive"), *command]) == 2
    assert "was told with dataset" in capsys.readouterr().err


def test_lengths_of_an_archive_are_its_own(saved: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", str(tmp_path), "--model", saved, "--frames", "2", "--out", str(tmp_path / "out")]) == 2
    assert "--frames 2: an archive's stories have lengths of their own; leave it out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (("--steps", "2"), "was told with sampling"),
        (("--batch", "3"), "was told with batch 2, this is 3"),
        (("--given", "3"), "--given: got 3 for stories of 3 frames"),
        (("--batch", "0"), "expected 1 or more stories at once"),
        (("--stories", "0"), "ToonSV has no end"),
        (("--split", "dev"), "invalid choice"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(saved: str, tmp_path: Path, capsys, more: tuple[str, str], expected: str) -> None:
    sampled(saved, tmp_path / "out")
    before = tree(tmp_path / "out")
    capsys.readouterr()
    assert sampled(saved, tmp_path / "out", *more) == 2
    said = capsys.readouterr().err
    assert expected in said
    assert len(said.strip().splitlines()) == 1
    assert tree(tmp_path / "out") == before


def test_a_caption_that_is_too_long_is_found_before_anything_is_told(model: ARLDM, tmp_path: Path, capsys) -> None:
    model.save_pretrained(tmp_path / "model")
    assert sampled(str(tmp_path / "model"), tmp_path / "out") == 2
    assert "tokens; the limit is 32, shorten it" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(saved: str, tmp_path: Path, capsys) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "diary.txt").write_text("mine")
    assert sampled(saved, tmp_path / "out") == 2
    assert "holds no told split" in capsys.readouterr().err
    assert main(["sample", str(tmp_path / "nowhere"), "--model", saved, "--out", str(tmp_path / "new")]) == 2
    assert "is no finished archive" in capsys.readouterr().err

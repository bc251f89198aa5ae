"""Published layouts -> archive -> Stories, and what does not fit in them."""

import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from datasets import load_from_disk
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from arldm.cli import main
from arldm.datasets import shards
from arldm.datasets.archive import Archive, chosen
from arldm.datasets.flintstones import episode, followers, read_flintstones
from arldm.datasets.folder import read_folder
from arldm.datasets.h5 import read_h5
from arldm.datasets.importing import import_corpus
from arldm.datasets.pororo import clip_id, read_pororo
from arldm.datasets.report import tokens
from arldm.datasets.vist import read_vist
from arldm.errors import DatasetError, OutputError
from arldm.writing import alone_in, put_json
from published import SIDE, save_npy, still, write_flintstones, write_folder, write_h5, write_pororo, write_vist

READERS = {"pororo": read_pororo, "flintstones": read_flintstones, "vist": read_vist, "folder": read_folder, "h5": read_h5}


def written(kind: str, folder: Path) -> Path:
    """A small corpus of each kind."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    if kind == "h5":
        write_h5(folder, "pororo")
    else:
        {"pororo": write_pororo, "flintstones": write_flintstones, "vist": write_vist, "folder": write_folder}[kind](folder)
    return folder


def imported(kind: str, folder: Path, workers: int = 1) -> Archive:
    import_corpus(READERS[kind](folder / "in"), folder / "out", workers)
    return Archive(folder / "out")


def same(picture: Image.Image | None, other: Image.Image) -> bool:
    return picture is not None and picture.mode == other.mode and picture.tobytes() == other.tobytes()


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("quirk", [False, True])
def test_pororo_is_read_back_equal(tmp_path: Path, old: bool, quirk: bool) -> None:
    write_pororo(tmp_path / "in", old=old, quirk=quirk)
    archive = imported("pororo", tmp_path)
    assert archive.report["stories"] == {"train": 3, "val": 3, "test": 4}
    assert archive.report["missing"] == archive.report["broken"] == archive.report["too_long"] == []
    story = archive.stories("train")[0]  # lists of heads are sorted
    assert story.id == "Series0-Series0_ep0-1"
    assert story.frames[1].caption == "Pororo sees Series0/Series0_ep0/3."
    assert [frame.characters for frame in story.frames] == [("pororo",), ("loopy",), ("crong",), ("eddy",), ("poby",)]
    for number, frame in enumerate(story.frames):
        assert same(frame.picture, still(100 * number + (3 + number % 4) // 2))  # the middle one
    clip = load_from_disk(tmp_path / "out" / "clips")[1]
    assert clip["captions"] == ["Pororo sees Series0/Series0_ep0/3.", "Number 1."]
    assert clip["episode"] == "Series0/Series0_ep0"
    assert [same(one.convert("RGB"), still(100 + place)) for place, one in enumerate(clip["stills"])] == [True] * 4


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("following", [False, True])
def test_flintstones_is_read_back_equal(tmp_path: Path, following: bool, old: bool) -> None:
    ids = write_flintstones(tmp_path / "in", following, labels=following, old=old)
    archive = imported("flintstones", tmp_path)
    assert archive.report["stories"] == {"train": 3, "val": 3, "test": 3}
    assert archive.report["missing"] == ([] if following else ["labels.pkl"])
    assert archive.report["leaks"] == []
    stories = archive.stories("train")
    assert [story.id for story in stories] == [ids[2], ids[1], ids[0]]  # in the order of the split file
    assert stories[2].frames[4].caption == f"Fred talks | to Wilma in {ids[4]}."
    assert stories[2].frames[4].characters == (("fred", "mr slate") if following else ("wilma", "fred"))
    assert same(stories[2].frames[4].picture, still(402))


def test_vist_is_read_back_equal(tmp_path: Path) -> None:
    write_vist(tmp_path / "in")
    archive = imported("vist", tmp_path)
    assert archive.report["stories"] == {"train": 2, "val": 2, "test": 2}
    told, described = archive.stories("test", "sis")[1], archive.stories("test", "dii")[1]
    assert told.id == described.id == "21"
    assert [frame.caption for frame in told.frames] == [f"Then 200{n} | in 1." for n in (1, 2, 3, 4, 5)]
    assert [frame.caption for frame in described.frames] == [f"A longer word about 200{n}." for n in (1, 2, 3, 4, 5)]
    assert same(told.frames[1].picture, still(2002, 24, 18))
    clip = load_from_disk(tmp_path / "out" / "clips")[0]
    assert clip["captions"] == ["A photo.", "A longer word about 0."]
    assert archive.clips[1]["stills"][0][0]["bytes"].as_py() == (tmp_path / "in/images/1.jpg").read_bytes()


@pytest.mark.parametrize("columns", [False, True])
def test_a_folder_is_read_back_equal(tmp_path: Path, columns: bool) -> None:
    write_folder(tmp_path / "in", columns)
    archive = imported("folder", tmp_path)
    assert archive.report["stories"] == {"train": 2, "val": 0, "test": 1}
    story = archive.stories("test")[0]
    assert [frame.caption for frame in story.frames] == ["Ann does 0 in c.", "Ann does 1 in c."]
    assert all(same(frame.picture, still(ord("c") * 10 + number)) for number, frame in enumerate(story.frames))
    assert story.frames[0].characters == (("ann",) if columns else ())
    assert len(archive.stories("val")) == 0


@pytest.mark.parametrize("kind", ["pororo", "flintstones", "vist"])
def test_the_authors_files_are_read_back_with_their_colours(tmp_path: Path, kind: str) -> None:
    write_h5(tmp_path / "in", kind)
    archive = imported("h5", tmp_path)
    assert archive.report["stories"] == {"train": 3, "val": 3, "test": 3}
    assert archive.report["clips"] == 21  # seven pictures a split, of which neighbouring stories share four
    story = archive.stories("val")[1]
    assert [frame.caption for frame in story.frames] == [f"{'sis' if kind == 'vist' else 'text'} {21 + n}" for n in range(5)]
    width, height = {"pororo": (SIDE, 3 * SIDE), "flintstones": (5 * SIDE, SIDE), "vist": (24, 18)}[kind]
    whole = still(21, width, height)
    middle = {"pororo": (0, SIDE, SIDE, 2 * SIDE), "flintstones": (2 * SIDE, 0, 3 * SIDE, SIDE), "vist": (0, 0, 24, 18)}[kind]
    assert same(story.frames[0].picture, whole.crop(middle))


class Interrupted:
    """A function that is interrupted at one of its calls."""

    def __init__(self, function, moment: int) -> None:
        self.function, self.moment = function, moment

    def __call__(self, *arguments, **options):
        self.moment -= 1
        if self.moment < 0:
            raise KeyboardInterrupt
        return self.function(*arguments, **options)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("kind", list(READERS))
def test_an_import_interrupted_at_any_moment_and_continued_is_one_never_interrupted(tmp_path: Path, kind: str, monkeypatch) -> None:
    monkeypatch.setattr("arldm.datasets.shards.SHARD", 4)
    written(kind, tmp_path / "in")
    corpus = READERS[kind](tmp_path / "in")
    import_corpus(corpus, tmp_path / "out", 1)
    whole = tree(tmp_path / "out")
    for moment in range(len(corpus.clips)):
        out = tmp_path / f"clip{moment}"
        with pytest.raises(KeyboardInterrupt):
            import_corpus(replace(corpus, stills=Interrupted(corpus.stills, moment)), out, 1)
        assert not (out / "report.json").exists()
        import_corpus(corpus, out, 1)
        assert tree(out) == whole
    for moment in range(30):
        out = tmp_path / f"put{moment}"
        with monkeypatch.context() as patch:
            patch.setattr("arldm.datasets.importing.put_json", Interrupted(put_json, moment))
            try:
                import_corpus(corpus, out, 1)
                break
            except KeyboardInterrupt:
                pass
        import_corpus(corpus, out, 1)
        assert tree(out) == whole
    assert moment > 8


def import_in_parts(kind: str, folder: Path, out: Path, begun=None) -> None:
    shards.SHARD = 4
    if begun:
        begun.set()
    import_corpus(READERS[kind](folder), out, 1)


@pytest.mark.parametrize("kind", list(READERS))
def test_an_import_killed_at_random_moments_and_continued_is_one_never_killed(tmp_path: Path, kind: str, monkeypatch) -> None:
    """kill -9, which leaves half-written files where it strikes."""
    monkeypatch.setattr(shards, "SHARD", 4)
    written(kind, tmp_path / "in")
    import_in_parts(kind, tmp_path / "in", tmp_path / "whole")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # the server that forks them looks there for what it is to preload
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["test_datasets"])
    seconds, dice, halfway = 0.3, random.Random(), 0
    for trial in range(6):
        out, begun = tmp_path / str(trial), processes.Event()
        process = processes.Process(target=import_in_parts, args=(kind, tmp_path / "in", out, begun))
        process.start()
        assert begun.wait(60)
        started = time.monotonic()
        while trial == 1 and process.is_alive() and not (out / "clips").exists():  # one is killed as soon as it has begun
            time.sleep(0.001)
        if trial != 1:
            process.join(dice.uniform(0, seconds) if trial else None)  # the first is not killed, to know how long it takes
        process.kill()
        process.join()
        seconds = seconds if trial else time.monotonic() - started
        halfway += out.exists() and not (out / "report.json").exists()
        import_in_parts(kind, tmp_path / "in", out)
        assert tree(out) == tree(tmp_path / "whole")
    assert halfway > 0


def test_halves_that_a_killed_process_left_are_swept_away(tmp_path: Path) -> None:
    write_pororo(tmp_path / "in")
    imported("pororo", tmp_path)
    whole = tree(tmp_path / "out")
    for name in (".corpus.json.12.new", "clips/.data-00000-of-00001.arrow.345.new", "stories/train/.state.json.6.new"):
        (tmp_path / "out" / name).write_bytes(b"half")
    with (tmp_path / "out/shards.jsonl").open("a") as file:
        file.write('{"shard": 0, "sha')
    imported("pororo", tmp_path)
    assert tree(tmp_path / "out") == whole


def test_processes_end_with_the_one_that_waits_for_them(tmp_path: Path) -> None:
    write_pororo(tmp_path / "in")
    script = f"""
import time
from pathlib import Path
from arldm.datasets import shards
from arldm.datasets.importing import import_corpus
from arldm.datasets.pororo import read_pororo
from dataclasses import replace
from published import slow
shards.SHARD = 1
import_corpus(replace(read_pororo(Path({str(tmp_path / "in")!r})), stills=slow), Path({str(tmp_path / "out")!r}), 2)
"""
    run = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parent)
    while not list((tmp_path / "out/clips").glob("*.arrow")):
        assert run.poll() is None
        time.sleep(0.05)
    workers = [child for child in psutil.Process(run.pid).children() if "spawn_main" in " ".join(child.cmdline())]
    assert len(workers) == 2
    run.kill()
    run.wait()
    assert psutil.wait_procs(workers, timeout=20)[1] == []


def test_the_bytes_do_not_depend_on_the_number_of_processes(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("arldm.datasets.shards.SHARD", 4)
    write_pororo(tmp_path / "in")
    for workers in (1, 2):
        import_corpus(read_pororo(tmp_path / "in"), tmp_path / str(workers), workers)
    assert tree(tmp_path / "1") == tree(tmp_path / "2")


def test_the_same_command_mends_what_was_altered_and_takes_what_came_late(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("arldm.datasets.shards.SHARD", 4)
    write_pororo(tmp_path / "in")
    late = tmp_path / "in/Series0/Series0_ep0/3.png"
    data = late.read_bytes()
    late.unlink()
    archive = imported("pororo", tmp_path)
    assert archive.report["missing"] == ["Series0/Series0_ep0/3"]
    assert archive.report["incomplete"] == 2
    assert archive.report["stories"] == {"train": 1, "val": 3, "test": 4}
    late.write_bytes(data)
    shard = tmp_path / "out/clips/data-00002-of-00004.arrow"
    shard.write_bytes(shard.read_bytes()[:-9])
    assert imported("pororo", tmp_path).report["stories"] == {"train": 3, "val": 3, "test": 4}
    import_corpus(read_pororo(tmp_path / "in"), tmp_path / "other", 1)
    assert tree(tmp_path / "out") == tree(tmp_path / "other")


def test_a_picture_that_is_another_now_is_taken_in(tmp_path: Path) -> None:
    """The archive held the old one, without a word."""
    write_folder(tmp_path / "in")
    before = imported("folder", tmp_path)
    kept = load_from_disk(tmp_path / "out/clips")._fingerprint
    still(7, 99, 99).save(tmp_path / "in/train/a0.png")
    archive = imported("folder", tmp_path)
    row = archive.rows["train/a0.png"]
    assert same(archive.still(row, 0), still(7, 99, 99))
    assert [number for number in range(6) if before.digests[number] != archive.digests[number]] == [row]
    assert load_from_disk(tmp_path / "out/clips")._fingerprint != kept  # what `map` keeps of it is not taken for this one's


def test_two_imports_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    write_folder(tmp_path / "in")
    imported("folder", tmp_path)
    with alone_in(tmp_path / "out"), pytest.raises(OutputError, match="out: another process writes there; wait for it"):
        imported("folder", tmp_path)
    imported("folder", tmp_path)


def test_a_picture_that_two_lines_name_keeps_all_captions_and_has_one_cast(tmp_path: Path) -> None:
    """The last line's characters were those of every story."""
    write_folder(tmp_path / "in")
    with (tmp_path / "in/train/metadata.jsonl").open("a") as file:
        for name in ("a0.png", "a1.png"):
            file.write(json.dumps({"file_name": name, "text": f"Again {name}.", "story": "again"}) + "\n")
    archive = imported("folder", tmp_path)
    assert archive.clips["captions"][archive.rows["train/a0.png"]].as_py() == ["Ann does 0 in a.", "Again a0.png."]
    assert [frame.characters for story in archive.stories("train") for frame in story.frames] == [("ann",)] * 6
    with (tmp_path / "in/train/metadata.jsonl").open("a") as file:
        file.write(json.dumps({"file_name": "a0.png", "text": "Bob.", "story": "again", "characters": ["bob"]}) + "\n")
    with pytest.raises(DatasetError, match=r"a0.png: has ann in one line and bob in another; expected the same characters"):
        read_folder(tmp_path / "in")


@pytest.mark.parametrize("name", ["a" * 304, "a0.png/0.png", "\ud800.png", "circle/0.png"])
def test_a_name_that_no_picture_can_have_is_reported_or_refused(tmp_path: Path, name: str, capsys) -> None:
    """Some ended the import and blamed the disk that it was written to, the others ended it with a traceback."""
    write_folder(tmp_path / "in")
    (tmp_path / "in/train/circle").symlink_to("circle")
    path = tmp_path / "in/train/metadata.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("\n".join(json.dumps(line | ({} if number else {"file_name": name})) for number, line in enumerate(lines)))
    status = main(["prepare", "folder", str(tmp_path / "in"), str(tmp_path / "out"), "--workers", "1"])
    said = capsys.readouterr().err.split("\r")[-1].strip()
    if status == 2:
        assert len(said.splitlines()) == 1
        assert "leads out of it, or nowhere" in said
    else:
        assert json.loads((tmp_path / "out/report.json").read_text())["broken"][0].startswith(f"train/{name}: ")


def test_halves_of_characters_in_names_of_things_are_no_reason_to_stop(tmp_path: Path) -> None:
    write_folder(tmp_path / "in", False)
    path = tmp_path / "in/train/metadata.jsonl"
    lines = [json.loads(line) | {"characters": ["\ud800ann"], "story": "s\ud800"} for line in path.read_text().splitlines()[:2]]
    path.write_text("\n".join(map(json.dumps, lines)))
    (story,) = imported("folder", tmp_path).stories("train")
    assert (story.id, story.frames[0].characters) == ("s?", ("?ann",))


def test_a_list_without_a_line_makes_an_archive_without_a_clip(tmp_path: Path, capsys) -> None:
    """Which was called broken, and nothing could mend it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/metadata.jsonl").touch()
    assert main(["prepare", "folder", str(tmp_path / "in"), str(tmp_path / "out"), "--workers", "1"]) == 1
    assert "clips: 0 with 0 stills" in capsys.readouterr().out
    assert len(Archive(tmp_path / "out").stories("train")) == 0


def test_a_photograph_that_comes_late_is_taken(tmp_path: Path, monkeypatch) -> None:
    write_vist(tmp_path / "in")
    late = tmp_path / "in/images/0.png"
    data = late.read_bytes()
    late.unlink()
    assert imported("vist", tmp_path).report["stories"] == {"train": 1, "val": 2, "test": 2}
    written_at = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/clips").glob("*.arrow")}
    imported("vist", tmp_path)  # what is missing still is no reason to read all again
    assert {path: path.stat().st_mtime_ns for path in written_at} == written_at
    late.write_bytes(data)
    assert imported("vist", tmp_path).report["stories"] == {"train": 2, "val": 2, "test": 2}


def test_another_corpus_is_not_written_over(tmp_path: Path) -> None:
    write_pororo(tmp_path / "in")
    imported("pororo", tmp_path)
    write_folder(tmp_path / "own")
    before = tree(tmp_path / "out")
    with pytest.raises(OutputError, match="holds another corpus"):
        import_corpus(read_folder(tmp_path / "own"), tmp_path / "out", 1)
    assert tree(tmp_path / "out") == before
    with pytest.raises(OutputError, match="is not empty"):
        import_corpus(read_folder(tmp_path / "own"), tmp_path / "own", 1)


def test_a_report_says_what_was_found(tmp_path: Path) -> None:
    write_folder(tmp_path / "in")
    shutil.copy(tmp_path / "in/train/a0.png", tmp_path / "in/test/c1.png")  # a test picture that was trained on
    (tmp_path / "in/train/b1.png").write_bytes(b"no picture")
    with (tmp_path / "in/train/metadata.jsonl").open("a") as file:
        for name, frame in (("a0.png", 2), ("a0.png", 3)):
            file.write(json.dumps({"file_name": name, "text": "word " * 80, "story": "long", "frame": frame}) + "\n")
        file.write(json.dumps({"file_name": "a1.png", "text": "Alone.", "story": "short"}) + "\n")
        file.write(json.dumps({"file_name": "a1.png", "text": " ", "story": "long", "frame": 4}) + "\n")
    report = imported("folder", tmp_path).report
    assert report["stories"] == {"train": 2, "val": 0, "test": 1}
    assert report["broken"][0] == "story short: 1 frame"
    assert report["broken"][1].startswith("train/b1.png: ")
    assert report["incomplete"] == 1
    assert report["duplicated"] == ["train/a0.png = test/c1.png"]
    assert report["too_long"] == ["train/a0.png (captions): 82 tokens or more of 77"]
    assert report["empty_captions"] == ["train/a1.png (captions)"]
    assert report["leaks"] == [{"story": "c", "clips": ["test/c1.png"], "episodes": []}]


def test_a_folder_whose_name_is_no_letters_is_imported(tmp_path: Path) -> None:
    """What is broken is told with its path: a traceback in the end, and at each further try."""
    source = tmp_path / os.fsdecode(b"caf\xe9")
    write_folder(source)
    (source / "train/b1.png").write_bytes(b"no picture")
    import_corpus(read_folder(source), tmp_path / "out", 1)
    assert "train/b1.png" in Archive(tmp_path / "out").report["broken"][0]


def test_a_story_that_comes_twice_counts_once(tmp_path: Path) -> None:
    ids = write_flintstones(tmp_path / "in")
    path = tmp_path / "in/train-val-test_split.json"
    splits = json.loads(path.read_text())
    path.write_text(json.dumps({**splits, "train": [*splits["train"], ids[0]], "test": [*splits["test"], ids[1]]}))
    report = imported("flintstones", tmp_path).report
    assert report["stories"] == {"train": 3, "val": 3, "test": 4}
    assert report["duplicated"] == [f"story train/{ids[0]}"]
    assert report["leaks"] == [{"story": ids[1], "clips": ids[1:6], "episodes": ["s_01_e_01"]}]
    assert report["as_official"] is False


IDS = st.builds("s_{:02}_e_{:02}_shot_{:06}_{:06}".format, st.integers(1, 3), st.integers(1, 3), st.integers(0, 40), st.just(0))


@given(st.lists(IDS, unique=True, max_size=60))
def test_the_story_rule_of_flintstones(ids: list[str]) -> None:
    """Head i is a story if ids i+1..i+4 are of its season and episode."""
    ordered, after = sorted(ids), followers(ids)
    for place, head in enumerate(ordered):
        window = ordered[place : place + 5]
        is_story = len(window) == 5 and len({episode(id) for id in window}) == 1
        assert (len(after[head]) == 4) is is_story
        assert not is_story or [head, *after[head]] == window


@settings(max_examples=10)
@given(st.permutations(range(10)), st.integers(0, 10), st.integers(0, 10))
def test_the_split_rule_of_pororo(tmp_path_factory, order: list[int], cut: int, second: int) -> None:
    """Each list of numbers, sorted, picks heads out of the caches; nothing is lost and nothing comes twice."""
    cut, second = sorted((cut, second))
    folder = tmp_path_factory.mktemp("split") / "in"
    write_pororo(folder)
    splits = np.empty(3, object)
    splits[:] = [list(part) for part in (order[:cut], order[cut:second], order[second:])]
    save_npy(folder / "train_seen_unseen_ids.npy", splits)
    stories = read_pororo(folder).stories
    ids = sorted(f"Series{n % 2}/Series{n % 2}_ep{n // 7}/{n % 7 + 1}" for n in range(14))
    assert [len(stories[split]) for split in ("train", "val", "test")] == [cut, second - cut, 10 - second]
    for split, part in zip(("train", "val", "test"), splits, strict=True):
        assert [one.clips[0] for one in stories[split]] == [id for n, id in enumerate(ids) if n in part]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20))
def test_entries_of_the_caches_are_read_as_bytes_or_as_what_looks_like_them(id: str) -> None:
    assert clip_id(f"{id}.png".encode()) == clip_id(f"{id}.png") == id
    assert clip_id("b'a/b/1.png'") == clip_id('b"a/b/1.png"') == "a/b/1"


#: all reference pictures of still="random" are others where these are
STILLS = [943, 645, 363]


@given(st.text(max_size=30), st.integers(1, 9), st.integers(0, 99), st.integers(0, 99))
def test_the_rule_of_stills_does_not_move(id: str, count: int, seed: int, draw: int) -> None:
    assert chosen(id, count) == count // 2
    assert 0 <= chosen(id, count, "random", seed, draw) < count
    assert [chosen("clip", 1000, "random", *how) for how in ((0, 0), (0, 1), (1, 0))] == STILLS


def test_a_random_still_is_another_at_another_draw() -> None:
    picked = [chosen("clip", 5, "random", 0, draw) for draw in range(200)]
    assert min(picked.count(number) for number in range(5)) > 20


@pytest.mark.parametrize(("caption", "least"), [("", 2), ("Fred's hat, 12 o'clock!", 12), ("a_b ...", 6)])
def test_tokens_are_counted_as_clip_parts_words(caption: str, least: int) -> None:
    assert tokens(caption) == least


HARM = {
    "a zip": (lambda folder: (shutil.rmtree(folder), folder.write_bytes(b"PK\3\4")), "is a file; expected the folder"),
    "nothing": (lambda folder: shutil.rmtree(folder), "not there; expected the folder"),
    "no captions": (lambda folder: (folder / "descriptions.npy").unlink(), "descriptions.npy: not there; expected it as published"),
    "half": (lambda folder: halve(folder / "img_cache4.npy"), "img_cache4.npy: is broken"),
    "no list": (lambda folder: save_npy(folder / "descriptions.npy", [1, 2]), "descriptions.npy: is not as published"),
    "numbers": (lambda folder: save_npy(folder / "train_seen_unseen_ids.npy", [[1], [2], [99]]), "numbers below 10"),
    "short": (lambda folder: save_npy(folder / "following_cache4.npy", [[b"a.png"]] * 10), "1 clips follow each, expected 4"),
    "path": (lambda folder: outside(folder), "leads out of it"),
    "no captions but a text": (lambda folder: described(folder, "Pororo."), "captions are of type str, expected a list of them"),
    "no captions but an array": (lambda folder: described(folder, np.array(["a", "b"])), "captions are of type ndarray"),
    "no letter": (
        lambda folder: np.save(folder / "img_cache4.npy", np.full((10, 1), 0x7FFFFFFF, np.uint32).view("<U1")[:, 0]),
        "following_cache4.npy: is not as published (",
    ),
    "labels": (
        lambda folder: save_npy(folder / "labels.npy", {"Series0/Series0_ep0/1": np.ones(3)}),
        "labels.npy: is not as published",
    ),
}


def described(folder: Path, caption: object) -> None:
    save_npy(folder / "descriptions.npy", {f"Series{n % 2}/Series{n % 2}_ep{n // 7}/{n % 7 + 1}": caption for n in range(14)})


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def outside(folder: Path) -> None:
    ids = [b"../../etc/passwd.png"] * 10
    save_npy(folder / "img_cache4.npy", ids)
    save_npy(folder / "following_cache4.npy", [ids[:4]] * 10)
    save_npy(folder / "descriptions.npy", {"../../etc/passwd": ["A door."]})


@pytest.mark.parametrize("name", list(HARM))
def test_what_is_not_as_published_is_said_in_one_line(tmp_path: Path, name: str, capsys) -> None:
    harm, expected = HARM[name]
    write_pororo(tmp_path / "in")
    harm(tmp_path / "in")
    assert main(["prepare", "pororo", str(tmp_path / "in"), str(tmp_path / "out"), "--workers", "1"]) == 2
    said = capsys.readouterr().err
    assert expected in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_strips_that_are_no_row_of_squares_and_unreadable_pictures_are_reported(tmp_path: Path, capsys) -> None:
    write_pororo(tmp_path / "in")
    still(1, SIDE, SIDE * 3 + 1).save(tmp_path / "in/Series0/Series0_ep0/1.png")
    halve(tmp_path / "in/Series0/Series0_ep0/3.png")
    assert main(["prepare", "pororo", str(tmp_path / "in"), str(tmp_path / "out"), "--workers", "1"]) == 0
    said = capsys.readouterr().out
    assert "broken: 2 (Series0/Series0_ep0/1: " in said
    assert f"is {SIDE} x {SIDE * 3 + 1}; expected square stills in one row" in said
    assert "published were: train 10,191, val 2,334, test 2,208" in said
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["incomplete"] == 2


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("a million stills of one pixel", still(1, 1, 1_000_000)),
        ("lying", still(1, 2 * SIDE, SIDE)),
        ("a thousand and one", Image.new("RGB", (1, 1001))),
    ],
)
def test_what_is_no_strip_of_pororo_is_broken(tmp_path: Path, name: str, picture: Image.Image) -> None:
    write_pororo(tmp_path / "in")
    picture.save(tmp_path / "in/Series0/Series0_ep0/1.png")
    (broken,) = imported("pororo", tmp_path).report["broken"]
    assert broken.startswith("Series0/Series0_ep0/1: ")
    assert "expected square stills in one row" in broken


def test_photographs_that_cannot_be_read_are_reported(tmp_path: Path) -> None:
    write_folder(tmp_path / "in")
    (tmp_path / "in/train/a0.png").unlink()
    (tmp_path / "in/train/a0.png").mkdir()
    with (tmp_path / "in/train/b0.png").open("r+b") as file:
        file.truncate(2**30)  # takes no room on disk
    (tmp_path / "in/test/c0.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")  # a program
    report = imported("folder", tmp_path).report
    assert [one.partition(": ")[0] for one in report["broken"]] == ["test/c0.png", "train/a0.png", "train/b0.png"]
    assert "has 1024 MiB; expected at most 64" in report["broken"][2]
    assert report["stories"] == {"train": 0, "val": 0, "test": 0}


def test_own_pictures_are_white_where_they_are_transparent_and_greys_of_16_bits_are_greys(tmp_path: Path) -> None:
    write_folder(tmp_path / "in")
    Image.new("RGBA", (9, 9), (255, 0, 0, 0)).save(tmp_path / "in/test/c0.png")
    Image.fromarray(np.full((9, 9), 0x80FF, np.uint16)).save(tmp_path / "in/train/a0.png")
    Image.fromarray(np.full((9, 9), 1e5, np.int32)).save(tmp_path / "in/train/b0.png", "TIFF")
    archive = imported("folder", tmp_path)
    assert archive.still(archive.rows["test/c0.png"], 0).getcolors() == [(81, (255, 255, 255))]
    assert archive.still(archive.rows["train/a0.png"], 0).getcolors() == [(81, (128, 128, 128))]
    (broken,) = archive.report["broken"]
    assert "b0.png: has greys of 32 bits; expected 8 or 16" in broken


def test_flintstones_stills_of_another_shape_are_reported(tmp_path: Path) -> None:
    ids = write_flintstones(tmp_path / "in")
    np.save(tmp_path / "in/video_frames_sampled" / f"{ids[0]}.npy", np.zeros((5, 8, 8), np.uint8))
    (tmp_path / "in/video_frames_sampled" / f"{ids[1]}.npy").unlink()
    report = imported("flintstones", tmp_path).report
    assert "is uint8[5, 8, 8]; expected uint8[stills, height, width, 3]" in report["broken"][0]
    assert report["missing"] == [ids[1]]


def test_vist_stories_that_miss_something_are_left_out(tmp_path: Path) -> None:
    write_vist(tmp_path / "in")
    (tmp_path / "in/images/0.png").unlink()
    path = tmp_path / "in/dii/val.description-in-isolation.json"
    content = json.loads(path.read_text())
    content["annotations"] = [one for one in content["annotations"] if one[0]["photo_flickr_id"] != "1005"]
    path.write_text(json.dumps(content))
    path = tmp_path / "in/sis/test.story-in-sequence.json"
    content = json.loads(path.read_text())
    content["annotations"].pop()
    path.write_text(json.dumps(content))
    report = imported("vist", tmp_path).report
    assert report["stories"] == {"train": 1, "val": 1, "test": 1}
    assert report["missing"] == ["description of 1005", "0"]
    assert report["broken"] == ["story 21: 4 sentences"]
    assert report["incomplete"] == 2  # one for want of a photograph, one of a description


def test_a_vist_of_one_kind_of_captions_is_read(tmp_path: Path) -> None:
    """Without dii it was a traceback after everything had been read."""
    import h5py

    write_h5(tmp_path / "in", "vist")
    with h5py.File(tmp_path / "in", "a") as file:
        for split in ("train", "val", "test"):
            del file[f"{split}/dii"]
    archive = imported("h5", tmp_path)
    assert archive.report["stories"] == {"train": 3, "val": 3, "test": 3}
    assert archive.stories("val")[1].frames[0].caption == "sis 21"
    with pytest.raises(DatasetError, match="has no captions 'dii'; expected one of sis"):
        archive.stories("val", "dii")


def test_stories_of_an_archive_are_a_sequence(tmp_path: Path) -> None:
    write_h5(tmp_path / "in", "pororo")
    stories = imported("h5", tmp_path).stories("test")
    assert [story.id for story in stories[1:]] == [stories[1].id, stories[2].id]
    assert [story.id for story in stories[::-2]] == [stories[2].id, stories[0].id]


def test_separators_inside_captions_of_the_old_files_are_seen(tmp_path: Path) -> None:
    import h5py

    write_h5(tmp_path / "in", "pororo")
    with h5py.File(tmp_path / "in", "a") as file:
        file["train/text"][1] = "one|two|three|four|fi|ve"
    report = imported("h5", tmp_path).report
    assert report["stories"] == {"train": 2, "val": 3, "test": 3}
    assert report["broken"] == ["story train-00001: 6 captions between its separators"]


@pytest.mark.parametrize("harm", ["group", "column", "rows", "text", "cut"])
def test_an_authors_file_with_something_wrong_is_refused(tmp_path: Path, harm: str) -> None:
    import h5py

    path = tmp_path / "in"
    write_h5(path, "pororo")
    with h5py.File(path, "a") as file:
        if harm == "group":
            del file["val"]
        elif harm == "column":
            del file["val/image3"]
        elif harm == "rows":
            del file["val/text"]
            file["val/text"] = ["a|b|c|d|e"] * 2
        elif harm == "text":
            del file["val/image3"]
            file.create_group("val/image3")
    if harm == "cut":
        halve(path)
    with pytest.raises(DatasetError, match=r"in: (is not as published|cannot be read as HDF5)"):
        read_h5(path)


def test_an_archive_that_is_mended_is_none_until_it_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its shards were new and its stories old, and it called itself finished."""
    write_folder(tmp_path / "in")
    imported("folder", tmp_path)
    next((tmp_path / "out").glob("clips/*.arrow")).write_bytes(b"altered")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("arldm.datasets.importing.make_report", killed)
        with pytest.raises(KeyboardInterrupt):
            imported("folder", tmp_path)
    with pytest.raises(DatasetError, match="is no finished archive"):
        Archive(tmp_path / "out")
    imported("folder", tmp_path)


def test_an_unfinished_or_strange_archive_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no finished archive"):
        Archive(tmp_path)
    write_folder(tmp_path / "in")
    archive = imported("folder", tmp_path)
    with pytest.raises(DatasetError, match="has no split 'dev'; expected one of train, val, test"):
        archive.stories("dev")
    with pytest.raises(DatasetError, match="has no captions 'sis'; expected one of captions"):
        archive.stories("test", "sis")
    halve(tmp_path / "out/clips/state.json")
    with pytest.raises(DatasetError, match="is a broken archive"):
        Archive(tmp_path / "out")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("no json", "JSONDecodeError"),
        ('{"text": "Ann."}', "KeyError: 'file_name'"),
        ('{"file_name": "a0.png", "text": 5}', "a caption is of type int"),
        ('{"file_name": "a0.png", "text": "Ann.", "frame": "one"}', "could not convert"),
        ('{"file_name": "a0.png", "text": "Ann.", "characters": "ann"}', "characters are no list"),
        ('["a0.png", "Ann."]', "TypeError"),
    ],
)
def test_a_line_of_ones_own_that_is_wrong_is_named(tmp_path: Path, line: str, expected: str) -> None:
    write_folder(tmp_path / "in")
    with (tmp_path / "in/train/metadata.jsonl").open("a") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(DatasetError, match=r"metadata.jsonl, line 6: cannot be understood .*; expected \{") as caught:
        read_folder(tmp_path / "in")
    assert expected in str(caught.value)


def test_a_list_beside_those_of_splits_is_refused_and_a_story_may_be_number_zero(tmp_path: Path) -> None:
    write_folder(tmp_path / "in")
    shutil.copy(tmp_path / "in/train/metadata.jsonl", tmp_path / "in/metadata.jsonl")
    with pytest.raises(DatasetError, match=r"has a metadata.jsonl of its own and another in train; expected the one or the others"):
        read_folder(tmp_path / "in")
    (tmp_path / "in/metadata.jsonl").unlink()
    lines = [{"file_name": f"a{number}.png", "caption": "Ann.", "story": 0} for number in (0, 1)]
    (tmp_path / "in/train/metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert [story.id for story in read_folder(tmp_path / "in").stories["train"]] == ["0"]


def test_two_stories_of_one_name_and_two_folders_of_one_split_are_refused(tmp_path: Path) -> None:
    """One of them was lost without a word."""
    write_folder(tmp_path / "in")
    path = tmp_path / "in/train/metadata.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    names = {"a": "u/v", "b": "u-v"}
    path.write_text("\n".join(json.dumps(line | {"story": names[line["story"]]}) for line in lines))
    with pytest.raises(DatasetError, match=r"train: has two stories whose name is u-v \(u-v is one\); expected different ones"):
        read_folder(tmp_path / "in")
    write_folder(tmp_path / "other")
    for name in ("val", "dev"):
        shutil.copytree(tmp_path / "other/test", tmp_path / "other" / name)
    with pytest.raises(DatasetError, match=r"has a metadata.jsonl in val and in dev, which both are val; expected one"):
        read_folder(tmp_path / "other")


def test_pictures_beside_their_list_are_a_story_with_the_folders_name(tmp_path: Path) -> None:
    write_folder(tmp_path / "in")
    lines = [{"file_name": f"a{number}.png", "caption": "Ann."} for number in (1, 0)]
    (tmp_path / "in/train/metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (story,) = read_folder(tmp_path / "in").stories["train"]
    assert (story.id, story.clips) == ("train", ("train/a1.png", "train/a0.png"))


def test_no_story_at_all_is_an_answer(tmp_path: Path, capsys) -> None:
    write_folder(tmp_path / "in")
    for path in (tmp_path / "in").rglob("*.png"):
        path.unlink()
    assert main(["prepare", "folder", str(tmp_path / "in"), str(tmp_path / "out"), "--workers", "1"]) == 1
    assert "missing: 6" in capsys.readouterr().out


def test_a_number_of_workers_that_cannot_be(tmp_path: Path, capsys) -> None:
    assert main(["prepare", "folder", str(tmp_path), str(tmp_path / "out"), "--workers", "-1"]) == 2
    assert "--workers: got -1" in capsys.readouterr().err

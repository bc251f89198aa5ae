"""Hostile and cut-off files, given to the command: nothing runs, nothing is said in more than a line, memory stays below 1 GiB."""

import contextlib
import io
import json
import os
import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from arldm.cli import main
from published import peak, save_npy, still, write_flintstones, write_folder, write_h5, write_pororo, write_vist
from test_unpickle import hostile

WRITERS = {
    "pororo": write_pororo,
    "flintstones": write_flintstones,
    "vist": write_vist,
    "folder": write_folder,
    "h5": lambda path: write_h5(path, "pororo"),
}
#: how to harm the source of a corpus, and what must be said of it
Harm = dict[str, tuple[str, Callable[[Path], object], str]]


def prepared(kind: str, source: Path, out: Path) -> tuple[int, str]:
    """The command's exit status and what it said."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        status = main(["prepare", kind, str(source), str(out), "--workers", "1"])
    lines = [line for line in said.getvalue().split("\r")[-1].splitlines() if line.strip()]
    return status, "\n".join(lines)


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of one colour, whatever its size claims."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), *chunks]
    parts += [(b"IDAT", zlib.compress(bytes(min(height * (1 + 3 * width), 2**24)))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


def linked(path: Path) -> None:
    """An HDF5 file whose training stories lie in another one."""
    path.rename(path.with_name("other.h5"))
    with h5py.File(path, "w") as file:
        file["train"] = h5py.ExternalLink("other.h5", "train")
        file["val"] = file["test"] = h5py.SoftLink("/train")


def packed(path: Path) -> None:
    """A column of pictures that is one block of two thousand million zeros."""
    with h5py.File(path, "r+") as file:
        del file["train/image0"]
        file.create_dataset("train/image0", (3, 2**31 // 3), "u1", chunks=(1, 2**26), compression="gzip")


def called(folder: Path, name: str) -> None:
    """A folder whose first picture has another name in its list."""
    path = folder / "train/metadata.jsonl"
    path.write_text(path.read_text().replace("a0.png", name))


def numbered(folder: Path, photo: str) -> None:
    """VIST with another photograph's number."""
    for path in folder.glob("*/*.json"):
        path.write_text(path.read_text().replace('"1000"', f'"{photo}"'))


def renamed(folder: Path, id: str) -> None:
    """FlintstonesSV, of which nobody wrote down what follows what, and whose first clip has another id."""
    (folder / "following_cache4.pkl").unlink()
    for path in folder.glob("*.json"):
        path.write_text(path.read_text().replace("s_01_e_01_shot_000000_000074", id))


def deep(folder: Path) -> None:
    (folder / "sis/train.story-in-sequence.json").write_text("[" * 200_000 + "]" * 200_000)


def lengthened(folder: Path) -> None:
    ids = [str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.png")]
    save_npy(folder / "descriptions.npy", {id: ["a" * 10**6] for id in ids})


END_OF_PNG = 20  # bytes that say nothing of the picture: two checksums, and that it ends
TEXT_BOMB = (b"zTXt", b"a\0\0" + zlib.compress(bytes(2**27)))
FIRST = "train/a0.png"
HARM: Harm = {
    "400 million pixels": ("folder", lambda folder: (folder / FIRST).write_bytes(png(20_000, 20_000)), "a0.png"),
    "64 million pixels": ("folder", lambda folder: Image.new("RGB", (8000, 8000)).save(folder / FIRST), "stories: train 2"),
    "a text of 128 MiB": ("folder", lambda folder: (folder / FIRST).write_bytes(png(8, 8, TEXT_BOMB)), "a0.png"),
    "a billion pixels of GIF": (
        "folder",
        lambda folder: (folder / FIRST).write_bytes(b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\xf0\0\0" + bytes(6) + b","),
        "a0.png",
    ),
    "a million stills": ("pororo", lambda folder: still(1, 1, 10**6).save(folder / "Series0/Series0_ep0/1.png"), "ep0/1.png"),
    "a program as a picture": ("folder", lambda folder: (folder / FIRST).write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n"), "a0.png"),
    "a name that leads out": ("folder", lambda folder: called(folder, "../../a0.png"), "out of it"),
    "a name from the root": ("folder", lambda folder: called(folder, "/etc/passwd"), "out of it"),
    "a line of 700 MiB": ("folder", lambda folder: os.truncate(folder / "train/metadata.jsonl", 700 * 2**20), "1 MiB or more"),
    "a name with a NUL": ("folder", lambda folder: called(folder, "a\\u0000"), "out of it"),
    "an id that leads out": ("flintstones", lambda folder: renamed(folder, "s_01_e_01_/../../../x"), "out of it"),
    "a photograph that leads out": ("vist", lambda folder: numbered(folder, "../../1000"), "out of it"),
    "JSON of 200,000 levels": ("vist", deep, "train.story-in-sequence.json"),
    "links to another file": ("h5", linked, "in: is not as published"),
    "a column of zeros": ("h5", packed, "in: is not as published"),
    "a billion elements": ("pororo", lambda folder: claimed(folder / "labels.npy"), "labels.npy"),
    "a caption of a million letters": ("pororo", lengthened, "descriptions.npy: is not as published"),
}  # fmt: skip


def claimed(path: Path) -> None:
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"shape": (10**9,), "fortran_order": False, "descr": "<f8"})


@pytest.mark.parametrize("name", list(HARM))
def test_what_is_hostile_is_said_in_one_line_or_reported(tmp_path: Path, name: str) -> None:
    kind, harm, expected = HARM[name]
    WRITERS[kind](tmp_path / "in")
    harm(tmp_path / "in")
    status, said = prepared(kind, tmp_path / "in", tmp_path / "out")
    assert expected in said
    assert status == 0 or len(said.splitlines()) == 1
    assert "Traceback" not in said


def give_all(folder: Path) -> None:
    """Everything hostile, one after another, in this process. Raises AssertionError for what is not refused or reported."""
    WRITERS["pororo"](folder / "in")
    whole = (folder / "in/descriptions.npy").read_bytes()
    for name, data in hostile(folder / "ran").items():
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(buffer, {"shape": (), "fortran_order": False, "descr": "|O"})
        (folder / "in/descriptions.npy").write_bytes(buffer.getvalue() + data)
        status, said = prepared("pororo", folder / "in", folder / "out")
        assert (status, len(said.splitlines())) == (2, 1), (name, said)
        assert "descriptions.npy" in said, (name, said)
        assert not (folder / "ran").exists(), name
    (folder / "in/descriptions.npy").write_bytes(whole)
    for number, (kind, harm, _) in enumerate(HARM.values()):
        WRITERS[kind](folder / f"{number}")
        harm(folder / f"{number}")
        prepared(kind, folder / f"{number}", folder / f"out{number}")
    dice = random.Random(0)
    for kind, write in WRITERS.items():
        source = folder / kind
        write(source)
        for turn in range(20):
            cut_off(kind, source, folder / f"{kind}{turn}", dice)
    assert peak() < 2**20, peak()


def cut_off(kind: str, source: Path, out: Path, dice: random.Random) -> None:
    """Cut one of a corpus' files off at a random place, prepare it, and mend it."""
    path = source if source.is_file() else dice.choice(sorted(path for path in source.rglob("*") if path.is_file()))
    whole = path.read_bytes()
    cut = dice.randrange(len(whole))
    path.write_bytes(whole[:cut])
    status, said = prepared(kind, source, out)
    if status == 2:  # heads and followers are one table
        assert len(said.splitlines()) == 1, said
        assert path.name in said or (path.stem == "img_cache4" and "following_cache4" in said), (path, said)
    elif path.suffix in (".npy", ".json", ".pkl") and path.parent.name != "video_frames_sampled":
        raise AssertionError(f"{path} was cut and that was not seen: {said}")
    elif path.suffix != ".jsonl":  # of these, some lines are fewer
        broken = json.loads((out / "report.json").read_bytes())["broken"]
        assert path.name in broken[0] if broken else len(whole) - cut <= END_OF_PNG, (path, cut, broken)
    path.write_bytes(whole)


def test_all_of_it_takes_less_than_a_gigabyte(tmp_path: Path) -> None:
    script = f"from pathlib import Path; from test_hostile import give_all; give_all(Path({str(tmp_path)!r}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parent)
    assert done.returncode == 0, done.stderr[-3000:]

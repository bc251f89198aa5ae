"""Files and folders that are written whole or not at all, and what they are known by."""

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO

from safetensors import SafetensorError

from arldm.errors import BROKEN, OutputError, said


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def put(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises OutputError."""
    with replacing(path) as file:
        file.write(data)


def put_text(path: Path, text: str) -> None:
    """Write a text whole or not at all; of a path's bytes that are no letters, their numbers. Raises OutputError."""
    put(path, text.encode(errors="backslashreplace"))


def put_json(path: Path, value: Any, **options: Any) -> None:
    """Write plain values as JSON, whole or not at all; `options` are json.dumps'. Raises OutputError."""
    put_text(path, json.dumps(value, indent=1, **options) + "\n")  # an escaped byte is JSON's own escape, and can be read again


def check_writable(path: Path, option: str) -> None:
    """Can a file be written there, when it is made hours later? Makes its folder. Raises OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        refused = None if os.access(path.parent, os.W_OK) else "its folder cannot be written into"
    except OSError as error:
        refused = error.strerror
    if path.exists() and not path.is_file():
        refused = "is a folder" if path.is_dir() else "is no file"
    if refused:
        raise OutputError(f"{option}: {path} cannot be written ({refused}); expected the name of a file, choose another")


def check_free(folder: Path, notes: str, what: str, option: str) -> None:
    """Does nothing lie there but what a killed process had begun to write of its `notes`? Raises OutputError."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; expected a new folder, choose another {option}")
    if folder.exists() and any(not one.name.startswith(f".{notes}.") for one in folder.iterdir()):
        raise OutputError(f"{folder}: is not empty and holds no {what}; expected a new folder, choose another {option}")


def claim(folder: Path, notes: str, made_with: dict[str, Any], what: str, option: str, **untold: Any) -> dict[str, Any]:
    """Make a folder one of things that are all `made_with` this, or find it to be one. Returns what its notes say.

    `untold` is how earlier versions made what they did not write down.

    Raises OutputError, which calls the things `what`, where others lie there.
    """
    path = folder / notes
    if not path.exists():
        check_free(folder, notes, what, option)
        put_json(path, made_with)
        return made_with
    try:
        found = {**untold, **json.loads(path.read_bytes())}
    except BROKEN as error:
        raise OutputError(f"{path}: cannot be read ({said(error)}); expected {what}, choose another {option}") from error
    for name, value in made_with.items():
        if found.get(name) != value:
            raise OutputError(f"{folder}: was told with {name} {found.get(name)}, this is {value}; choose another {option}")
    return found


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` once it is whole, and leaves nothing behind otherwise. Raises OutputError.

    What a link leads to is replaced, not the link; a device or a pipe never is.
    """
    if path.is_symlink():
        path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: cannot be written, for it is no file; expected the name of a new one, or of one to be replaced")
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); {_mend(error)} or choose another folder") from error
    finally:
        with suppress(OSError):  # where all went well it is gone already
            beside.unlink()


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A folder that takes the place of `path` once it is whole, and leaves nothing behind otherwise. Raises OutputError.

    What a link leads to is replaced, not the link.
    """
    if path.is_symlink() or not path.name:  # a folder called "." has no name
        path = Path(os.path.realpath(path))
    beside, old = (path.with_name(f".{path.name}.{os.getpid()}.{state}") for state in ("new", "old"))
    try:
        shutil.rmtree(beside, ignore_errors=True)  # of a killed process of this number, which in a container is always the same
        beside.mkdir(parents=True)
        yield beside
        for written in [*beside.rglob("*"), beside]:
            _sync(written)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)  # likewise
            path.rename(old)
        try:
            beside.rename(path)
        except BaseException:
            if old.exists():
                old.rename(path)
            raise
        _sync(path.parent)
        shutil.rmtree(old, ignore_errors=True)  # not before: it may be all that is left
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or said(error)
        raise OutputError(f"{path}: cannot be written ({reason}); {_mend(error)} or choose another folder") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _mend(error: Exception) -> str:
    refused = isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    return "check who may write there" if refused else "free some space"


def _sync(path: Path) -> None:
    """Wait until a file, or what a folder lists, is on the disk; of folders some disks cannot say it."""
    with suppress(OSError) if path.is_dir() else nullcontext():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def alone_in(folder: Path, *, sharing: bool = False) -> Iterator[None]:
    """Meanwhile no other process is in there in this way, or none but those that are `sharing`, too. Raises OutputError if one is.

    A disk that knows no locks refuses nobody.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_NB | (fcntl.LOCK_SH if sharing else fcntl.LOCK_EX))
        except BlockingIOError as error:
            raise OutputError(f"{folder}: another process writes there; wait for it, or choose another folder") from error
        except OSError:
            pass
        yield
    finally:
        os.close(handle)


@contextmanager
def kept_alone(folder: Path) -> Iterator[None]:
    """Nobody else writes there meanwhile, as in `alone_in`; the folder is made, and if it is left empty it is gone again.

    Raises OutputError.
    """
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    with suppress(OSError):  # which is said when its first file is written
        folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder) if folder.is_dir() else nullcontext():
        try:
            yield
        finally:
            with suppress(OSError):  # there is something in it
                for one in made:
                    one.rmdir()


def locked(path: Path) -> BinaryIO:
    """A file that no other process has locked, waited for, and locked as long as it is open, on a disk that knows locks.

    Raises OutputError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error
    try:
        fcntl.flock(file, fcntl.LOCK_NB | fcntl.LOCK_EX)
    except BlockingIOError:
        print(f"arldm: {path}: waits for another process, or for what this one still holds", file=sys.stderr)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        pass
    return file


def sweep(folder: Path) -> None:
    """`clear` what killed processes had begun to write below a folder, which nobody else may be writing into."""
    for half in [one for one in folder.rglob(".*") if is_half(one)]:
        clear(half)


def is_half(path: Path) -> bool:
    """Has it the name of what a process had begun to write, or of what it had set aside meanwhile?"""
    return re.fullmatch(r"\..+\.\d+\.(new|old)", path.name) is not None


def clear(half: Path) -> None:
    """Remove what a killed process had begun to write; a folder that was to be replaced, and has not been, gets its name back."""
    name, _, state = half.name[1:].rpartition(".")
    if state == "old" and not (whole := half.with_name(name.rpartition(".")[0])).exists():
        half.rename(whole)
    elif half.is_dir():
        shutil.rmtree(half)
    else:
        half.unlink(missing_ok=True)

"""Pickles that were published are read; pickles that want more than numbers, texts and containers are not."""

import collections
import io
import os
import pickle  # noqa: TID251
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arldm.datasets.unpickle import LARGEST, read_npy, read_pickle
from arldm.errors import DatasetError
from published import python2, save_npy, write_pororo

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
KEYS = st.text(max_size=8) | st.integers(-9, 9)
PLAIN = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12)


@settings(max_examples=60)
@given(PLAIN, st.integers(0, 5))
def test_plain_data_of_every_protocol_is_read_as_it_was(tmp_path_factory, value: object, protocol: int) -> None:
    path = tmp_path_factory.mktemp("plain") / "a.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    assert read_pickle(path) == value


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize(
    "array", [np.arange(6).reshape(2, 3), np.array([b"a", b"bc"]), np.ones((2, 3), order="F"), np.array(["é"])]
)
def test_arrays_of_every_protocol_are_read_as_they_were(tmp_path: Path, array: np.ndarray, protocol: int) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"a": array, "n": array.flatten()[0]}, protocol))
    found = read_pickle(tmp_path / "a.pkl")
    assert found["a"].dtype == array.dtype
    assert found["a"].tolist() == array.tolist()
    assert found["n"] == array.flatten()[0]


@pytest.mark.parametrize("old", [False, True])
def test_arrays_of_objects_are_read_as_they_were(tmp_path: Path, old: bool) -> None:
    lists = np.empty(3, object)
    lists[:] = [[1, 2], [3, 4], [5, 6]]
    save_npy(tmp_path / "lists.npy", lists, old)
    assert read_npy(tmp_path / "lists.npy").tolist() == [[1, 2], [3, 4], [5, 6]]
    save_npy(tmp_path / "table.npy", {"a": ["caf\xe9"], "b": np.arange(3)}, old)
    found = read_npy(tmp_path / "table.npy").item()
    assert found["a"] == ["caf\xe9"]
    assert found["b"].tolist() == [0, 1, 2]


def test_python_2_wrote_texts_of_bytes(tmp_path: Path) -> None:
    data = python2({"caf\xe9": "x" * 300})
    assert b"U\x04caf\xe9" in data
    (tmp_path / "a.pkl").write_bytes(data)
    assert read_pickle(tmp_path / "a.pkl") == {"caf\xe9": "x" * 300}
    (tmp_path / "b.pkl").write_bytes(pickle.dumps(collections.OrderedDict(a=1), 2))
    assert read_pickle(tmp_path / "b.pkl") == {"a": 1}


class Calls:
    """A pickle of it calls a function when it is read."""

    def __init__(self, function, *arguments) -> None:
        self.made = function, arguments

    def __reduce__(self):
        return self.made


def stack_global(module: str, name: str, argument: str) -> bytes:
    text = b"".join(b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, name))
    return b"\x80\x04" + text + b"\x93\x8c" + bytes([len(argument)]) + argument.encode() + b"\x85R."


def hostile(mark: Path) -> dict[str, bytes]:
    """Pickles that would make the file `mark`, or take all memory or time."""
    touch = f"open({str(mark)!r}, 'w')"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n"
    bytes_of = b"cnumpy\ndtype\n(S'%s'\nI0\nI1\ntR"
    long = b"(X" + struct.pack("<I", 2**22) + b"a" * 2**22 + b"q\x00"  # a text, named once and meant a thousand times
    names = np.empty(5 * 2**20, [("instruction", "S1"), ("number", "<u4")])
    names["instruction"], names["number"] = b"r", np.arange(len(names))
    laughs = b"]q\x00" + b"".join(b"(h%ch%ct" % (n, n) + b"q%c" % (n + 1) for n in range(40))
    return {
        "os.system": pickle.dumps(Calls(os.system, f"touch {mark}")),
        "eval": pickle.dumps(Calls(eval, touch)),
        "exec of a module": pickle.dumps({"a": [Calls(exec, touch)]}, 0),
        "inst": b"(S'touch " + str(mark).encode() + b"'\nios\nsystem\n.",
        "obj": b"(cos\nsystem\nS'touch " + str(mark).encode() + b"'\no.",
        "stack global": stack_global("posix", "system", f"touch {mark}"),
        "dotted name": stack_global("numpy", "ndarray.tofile", "x"),
        "reduce of copyreg": b"ccopyreg\n_reconstructor\n(cos\n_wrap_close\nc__builtin__\nobject\nNtR.",
        "ctypes": stack_global("ctypes", "CDLL", "libc.so.6"),
        "newobj": b"\x80\x02csubprocess\nPopen\nq\x00]X\x05\x00\x00\x00touch\x85\x81.",
        "numpy's own loader": stack_global("numpy", "load", str(mark)),
        "extension": b"\x80\x02\x82\x01.",
        "persistent": b"Pfile\n.",
        "persistent of protocol 2": b"\x80\x02X\x04\x00\x00\x00fileQ.",
        "out of band": b"\x80\x05\x97.",
        "build with setstate": b"cnumpy\nndarray\n)R}X\x0c\x00\x00\x00__setstate__cos\nsystem\nsb.",
        "builtins by codecs": stack_global("_codecs", "lookup", "x"),
        "getattr": b"c__builtin__\ngetattr\n(cos\nX\x06\x00\x00\x00systemtR.",
        "a function of its own": b"N)R.",
        "a billion laughs": laughs + b".",
        "a billion laughs as a byte order": bytes_of % b"f8" + b"(I3\n" + laughs + b"I0\ntb.",
        "a billion laughs as objects": array + b"(I1\nt" + bytes_of % b"O" + b"I00\n]" + laughs + b"atb.",
        "what holds itself": b"]q\x00h\x00a.",
        "five million lists": b"(" + b"]" * (5 * 2**20) + b"l.",
        "five million names": b"N" + names.tobytes() + b".",
        "a text encoded again and again": long + b"c_codecs\nencode\n(h\x00S'latin1'\ntR" * 1000 + b"l.",
        "a text as many arrays": long + (array + b"(I4194304\nt" + bytes_of % b"u1" + b"I00\nh\x00tb") * 1000 + b"l.",
        "a text as many numbers": long
        + (b"cnumpy.core.multiarray\nscalar\n(" + bytes_of % b"S4194304" + b"h\x00tR") * 1000
        + b"l.",
        "deep": b"(" * 200_000 + b"t" * 200_000 + b".",
        "nested key": b")" + b"\x85" * 100_000 + b"q\x00" + b"}h\x00Ns.",
        "a long long": b"\x8b\xff\xff\xff\x7f" + b"1.",
        "a long text": b"\x8d" + struct.pack("<Q", 2**60) + b".",
        "a huge array": array + b"(L99999999999L\ntcnumpy\ndtype\n(S'f8'\nI0\nI1\ntRI00\nS''\ntb.",
        "a huge text dtype": array + b"(I1\ntcnumpy\ndtype\n(S'S999999999999'\ntRI00\nS''\ntb.",
        "an axis of none": array + b"(I1\n(L99999999999L\nI0\nt" + bytes_of % b"u1" + b"I00\nS''\ntb.",
        "sides of millions of digits": array
        + b"(\x8b"
        + struct.pack("<i", 2**22)
        + b"\x7f" * 2**22
        + b"t"
        + bytes_of % b"u1"
        + b"I00\nS''\ntb.",
        "a negative side": array + b"(I-1\ntcnumpy\ndtype\n(S'u1'\ntRI00\nS''\ntb.",
    }


@pytest.mark.parametrize("kind", [kind for kind in hostile(Path("x")) if not kind.startswith("five million")])  # test_hostile.py's
@pytest.mark.parametrize("as_array", [False, True])
def test_a_hostile_pickle_runs_nothing_and_is_named(tmp_path: Path, kind: str, as_array: bool) -> None:
    mark, path = tmp_path / "ran", tmp_path / ("a.npy" if as_array else "a.pkl")
    data = hostile(mark)[kind]
    if as_array:
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(buffer, {"shape": (), "fortran_order": False, "descr": "|O"})
        data = buffer.getvalue() + data
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"a\.(npy|pkl): ") as caught:
        (read_npy if as_array else read_pickle)(path)
    assert "\n" not in str(caught.value)
    assert not mark.exists()


def test_what_is_only_odd_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "memo.pkl").write_bytes(b"Nr\xff\xff\xff\xff.")
    assert read_pickle(tmp_path / "memo.pkl") is None


def test_what_is_meant_twice_is_read_twice(tmp_path: Path) -> None:
    """Python writes a reference where one list stands in two places."""
    captions, array = ["Fred talks."], np.arange(3)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"a": captions, "b": captions, "c": array, "d": array}))
    found = read_pickle(tmp_path / "a.pkl")
    assert found["a"] == found["b"] == captions
    assert found["c"].tolist() == found["d"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("shape", [(10**9,), (2**40,), (2**62, 4), (10**9, 10**9), (10**9, 0), (1000,)])
def test_a_billion_elements_are_believed_only_if_they_are_there(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": "<f8"})
        file.write(bytes(80))
    with pytest.raises(DatasetError, match=r"elements are claimed|no shape"):
        read_npy(tmp_path / "a.npy")


def test_a_file_larger_than_any_published_one_is_not_opened(tmp_path: Path) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        file.truncate(LARGEST + 1)  # takes no room on disk
    with pytest.raises(DatasetError, match="has 64 MiB; expected a published file of at most 64"):
        read_npy(tmp_path / "a.npy")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_refused_or_plain(tmp_path_factory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("noise") / "a.pkl"
    path.write_bytes(data)
    for read, name in ((read_pickle, "a.pkl"), (read_npy, "a.npy")):
        target = path.with_name(name)
        target.write_bytes((b"\x93NUMPY\x01\x00" if name == "a.npy" else b"") + data)
        with suppress(DatasetError):
            read(target)


def test_a_corpus_cut_off_at_a_hundred_places_is_refused_within_a_gigabyte(tmp_path: Path) -> None:
    """In a process of its own, which may have no more memory than that above what an import takes."""
    write_pororo(tmp_path / "in")
    script = f"""
import random
from pathlib import Path
from published import peak
from arldm.datasets.pororo import read_pororo
from arldm.errors import DatasetError
source = Path({str(tmp_path / "in")!r})
files = sorted(source.glob("*.npy"))
draw = random.Random(0)
for turn in range(100):
    path = draw.choice(files)
    whole = path.read_bytes()
    path.write_bytes(whole[: draw.randrange(len(whole))])
    try:
        read_pororo(source)
        raise SystemExit(f"{{path}} was read though it was cut")
    except DatasetError as error:
        assert path.name in str(error) or "following_cache4" in str(error), error
    path.write_bytes(whole)
read_pororo(source)
assert peak() < 2**20  # KiB
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parent)
    assert done.returncode == 0, done.stderr + done.stdout

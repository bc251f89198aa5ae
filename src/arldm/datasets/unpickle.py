"""Published `.npy` and `.pkl` files, read without running a word of them.

A pickle is a program. This machine knows only the instructions that build numbers, texts, plain containers and numpy arrays; at any
other it stops: nothing outside this file and arrays.py is ever called. It is Python's own machine with most of its instructions
taken away (the one in C trusts sizes that a file claims). What a file can make grow is bounded: instructions, the elements of an
array, and what all of it comes to when each reference is written out.
"""

import ast
import io
import math
import pickle  # noqa: TID251
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from pickle import _Unpickler  # type: ignore[attr-defined]  # noqa: TID251
from typing import Any, ClassVar

import numpy as np

from arldm.datasets.arrays import MOST, ArrayStandIn, DTypeStandIn, ForbiddenError, as_array, elements, plain, plain_dtype
from arldm.errors import DatasetError, said

LARGEST = 64 * 2**20  # bytes of a file, and of what it says with each reference written out
MAGIC = b"\x93NUMPY"


def _reconstruct(kind: object = None, *_: object) -> ArrayStandIn:
    if kind is not ArrayStandIn:
        raise ForbiddenError("an array that is none")
    return ArrayStandIn()


def _scalar(dtype: object = None, raw: object = b"") -> Any:
    if not isinstance(dtype, DTypeStandIn):
        raise ForbiddenError("a number of no type")
    return as_array((), dtype.numpy(), False, raw).item()


def _encode(text: object = "", encoding: object = "") -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise ForbiddenError("a text in another encoding")
    return text.encode("latin1")


#: all that a pickle can name
NAMES: dict[tuple[str, str], Callable[..., Any]] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    ("numpy", "ndarray"): ArrayStandIn,
    ("numpy", "dtype"): DTypeStandIn,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
}
#: all that a pickle can do
ALLOWED = """
    PROTO FRAME STOP MARK POP POP_MARK NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT
    STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8
    EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT DICT SETITEM SETITEMS
    GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE GLOBAL STACK_GLOBAL REDUCE BUILD
""".split()  # noqa: SIM905


def _size(value: object, known: dict[int, int]) -> int:
    """Roughly the bytes that a value comes to with all that it holds, what it holds twice counted twice."""
    if isinstance(value, str | bytes):
        return len(value) + 1
    if isinstance(value, int):
        return value.bit_length() // 8 + 1
    inner = value.state if isinstance(value, ArrayStandIn) else value
    if not inner or not isinstance(inner, dict | list | tuple):
        return 1
    if id(inner) not in known:
        known[id(inner)] = LARGEST + 1  # until it is known: what holds itself has no end
        known[id(inner)] = 1 + sum(_size(one, known) for one in (*inner, *(inner.values() if isinstance(inner, dict) else ())))
    return known[id(inner)]


def _counted(instruction: Callable[["_Reader"], None]) -> Callable[["_Reader"], None]:
    def counted(reader: "_Reader") -> None:
        reader.done += 1
        if reader.done > MOST:
            raise ForbiddenError(f"more than {MOST:,} instructions")
        instruction(reader)

    return counted


class _Reader(_Unpickler):
    """Python's machine, less what it could do harm with."""

    done = 0  # instructions
    copied = 0  # bytes that calls were given
    stack: list[Any]
    pop_mark: Callable[[], list[Any]]
    dispatch: ClassVar[dict[int, Any]] = {
        code: _Unpickler.dispatch[code] for code in (getattr(pickle, name)[0] for name in ALLOWED)
    }

    def load(self) -> Any:
        found = super().load()
        if _size(found, {}) > LARGEST:
            raise ForbiddenError("values that hold each other again and again")
        return found

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        found = NAMES.get((module, name))
        if found is None:
            raise ForbiddenError(f"{module}.{name}")
        return found

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        function = self.stack[-1]
        if function not in NAMES.values() or not isinstance(arguments, tuple):
            raise ForbiddenError("a call of what was never named")
        self.copied += _size(arguments, {})
        if self.copied > LARGEST:
            raise ForbiddenError("the same value given to many calls")
        if function is OrderedDict:  # its arguments would be looped over, however long they are
            self.stack[-1] = OrderedDict(_pairs(arguments))
        else:
            self.stack[-1] = function(*arguments)

    def load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], DTypeStandIn | ArrayStandIn):
            raise ForbiddenError("a state of what has none")
        self.stack[-1].__setstate__(state)

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.stack[-1][_key(key)] = value

    def load_setitems(self) -> None:
        items = self.pop_mark()
        self.stack[-1].update({_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)})

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.stack.append({_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)})

    dispatch |= {
        pickle.REDUCE[0]: load_reduce,
        pickle.BUILD[0]: load_build,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
        pickle.DICT[0]: load_dict,
    }
    dispatch = {code: _counted(instruction) for code, instruction in dispatch.items()}


def _key(key: object) -> str | bytes | int:
    """A tuple in a tuple in a tuple.. would overflow the C stack when it is hashed."""
    if not isinstance(key, str | bytes | int):
        raise ForbiddenError(f"a {type(key).__name__} as a key")
    return key


def _pairs(arguments: tuple[object, ...]) -> list[tuple[str | bytes | int, object]]:
    if not arguments:
        return []
    if (
        len(arguments) != 1
        or not isinstance(arguments[0], list)
        or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in arguments[0])
    ):
        raise ForbiddenError("an OrderedDict of no pairs")
    return [(_key(key), value) for key, value in arguments[0]]


def _unpickle(data: io.BytesIO) -> Any:
    """Texts of Python 2 come out as latin1, as `numpy.load(encoding="latin1")` reads them. Raises anything."""
    return plain(_Reader(data, encoding="latin1").load())


def read_pickle(path: Path) -> Any:
    """What a `.pkl` of plain values and arrays holds. Raises DatasetError."""
    return _guarded(path, _unpickle)


def read_npy(path: Path) -> np.ndarray:
    """What a `.npy` holds, of objects too; a dictionary is an array without axes: `.item()`. Raises DatasetError."""
    return _guarded(path, _npy)


def _guarded(path: Path, read: Callable[[io.BytesIO], Any]) -> Any:
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise DatasetError(f"{path}: has {size / 2**20:.0f} MiB; expected a published file of at most {LARGEST // 2**20}")
        return read(io.BytesIO(path.read_bytes()))
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: not there; expected it as published, unpack the whole archive") from error
    except ForbiddenError as error:
        raise DatasetError(f"{path}: holds {error}, which plain data never needs; it was not read, fetch the file again") from error
    except DatasetError:
        raise
    except Exception as error:  # a broken program breaks in any way that it likes
        reason = said(error)
        raise DatasetError(f"{path}: is broken ({reason}); expected it as published, fetch it again") from error


def _npy(data: io.BytesIO) -> np.ndarray:
    shape, fortran, dtype = _header(data)
    if dtype.hasobject:
        found = _unpickle(data)
        if not isinstance(found, np.ndarray) or found.dtype != object:
            raise ForbiddenError("a pickle of something else than its header says")
        return found
    return as_array(shape, dtype, fortran, data.read(math.prod(shape) * dtype.itemsize))


def _header(data: io.BytesIO) -> tuple[Sequence[int], bool, np.dtype]:
    """The header of a `.npy` of version 1, 2 or 3 (NEP 1), its numbers believed only as far as the file is long."""
    if data.read(6) != MAGIC:
        raise ValueError("no array of numpy")
    version = data.read(2)[0]
    length = int.from_bytes(data.read(2 if version == 1 else 4), "little")
    if not 1 <= version <= 3 or length > 10_000:
        raise ValueError("an array of numpy with an impossible header")
    found = ast.literal_eval(data.read(length).decode("latin1"))
    shape, dtype = found["shape"], plain_dtype(found["descr"])
    room = len(data.getbuffer()) - data.tell()
    if (count := elements(shape)) * dtype.itemsize > room and not dtype.hasobject:
        raise ValueError(f"{count:,} elements are claimed and {room:,} bytes are there")
    return shape, bool(found["fortran_order"]), dtype

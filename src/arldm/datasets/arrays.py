"""The arrays that a published file claims to hold, made only where all that it says of them fits together."""

import math
import re
from typing import Any

import numpy as np

MOST = 2**22  # elements of an array, instructions of a pickle; five stills of 512 px are 3.9 million
DTYPE = re.compile(r"[<>|=]?[?biufSUO]\d{0,9}")


class ForbiddenError(Exception):
    """A pickle asks for what plain data never needs."""


class DTypeStandIn:
    """Stands for numpy.dtype while a pickle is read: numpy never sees what the file says of its inside."""

    __slots__ = ("name",)

    def __init__(self, name: object = "", *_: object) -> None:
        self.name = name.decode("latin1") if isinstance(name, bytes) else name

    def __setstate__(self, state: object) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 2 else "|"
        if order in ("<", ">", b"<", b">"):
            self.name = ("<" if order in ("<", b"<") else ">") + plain_dtype(self.name).str.lstrip("<>|=")

    def numpy(self) -> np.dtype:
        """The dtype, if it is one of plain values."""
        return plain_dtype(self.name)


class ArrayStandIn:
    """Stands for numpy.ndarray while a pickle is read."""

    __slots__ = ("state",)

    def __init__(self, *_: object) -> None:
        self.state: Any = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    def numpy(self) -> np.ndarray:
        """The array, its parts checked against each other."""
        try:
            _, shape, dtype, fortran, raw = self.state
            kind = dtype.numpy()
            return as_array(shape, kind, bool(fortran), raw)
        except (TypeError, ValueError, AttributeError) as error:
            raise ForbiddenError(f"an array whose parts do not fit ({error})") from error


def plain_dtype(name: object) -> np.dtype:
    """A dtype of truth values, numbers, texts or objects. Raises ForbiddenError for any other."""
    if not isinstance(name, str) or not DTYPE.fullmatch(name):
        raise ForbiddenError(f"an array of {name[:40]!r}" if isinstance(name, str) else "an array of mixed values")
    try:
        return np.dtype(name)
    except TypeError as error:
        raise ForbiddenError(f"an array of {name!r}") from error


def elements(shape: object) -> int:
    """How many elements an array of this shape has. Raises ValueError for more than can be, of an axis of none, too."""
    if not isinstance(shape, tuple) or not all(type(side) is int and 0 <= side < 2**62 for side in shape) or len(shape) > 8:
        raise ValueError("an array of no shape")
    if math.prod(max(1, side) for side in shape) > MOST:
        raise ValueError(f"{' x '.join(f'{side:,}' for side in shape)} elements are claimed, at most {MOST:,} are expected")
    return math.prod(shape)


def as_array(shape: Any, dtype: np.dtype, fortran: bool, raw: Any) -> np.ndarray:
    """An array of raw bytes (latin1 where an old pickle made a text of them), or of objects. Raises ValueError, ForbiddenError."""
    count = elements(shape)
    if dtype.hasobject:
        if not isinstance(raw, list) or len(raw) != count:
            raise ValueError("its objects are not as many as its shape says")
        flat = np.empty(count, object)
        for place, one in enumerate(raw):  # `flat[:] =` would take lists of one length for another axis
            flat[place] = plain(one)
    else:
        raw = raw.encode("latin1") if isinstance(raw, str) else raw
        if not isinstance(raw, bytes) or len(raw) != count * dtype.itemsize:
            raise ValueError("its bytes are not as many as its shape says")
        flat = np.frombuffer(raw, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def plain(value: Any) -> Any:
    """What stood for arrays while a pickle was read, as arrays; containers are gone through one level deep."""
    if isinstance(value, ArrayStandIn):
        return value.numpy()
    if isinstance(value, DTypeStandIn) or callable(value):
        raise ForbiddenError("a type where a value should be")
    if isinstance(value, dict):
        return {key: one.numpy() if isinstance(one, ArrayStandIn) else one for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(one.numpy() if isinstance(one, ArrayStandIn) else one for one in value)
    return value

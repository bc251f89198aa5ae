"""Journals: a file to which a line is added whenever a piece of work is done, so that whoever goes on knows what is there."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def line(entry: Any) -> str:
    """A record as a line of a journal."""
    return json.dumps(asdict(entry)) + "\n"


def entries(path: Path, kind: type[T]) -> Iterator[T]:
    """The records of `kind` that were written whole; none where there is no journal."""
    for text in path.read_text(errors="replace").splitlines() if path.exists() else ():
        with suppress(ValueError, TypeError):
            yield kind(**json.loads(text))

"""Batches made in the background, so that training does not wait for them.

Threads, not torch's DataLoader: what is read are memory-mapped arrays, which a spawned process would have to copy, and decoding and
copying let go of the interpreter. A batch depends on its number alone, so one that was made early is the one that would have been
made when asked for: a resumed run needs no state of the loader (torchdata's StatefulDataLoader: docs/log.md).
"""

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """`batches` as a function that has the next ones ready: `number + stride`, `number + 2 * stride`, ..., `ahead` of them.

    No batch from number `end` on is made early.
    """

    def __init__(
        self, batches: Callable[[int], T], stride: int = 1, end: int = sys.maxsize, ahead: int = 4, threads: int = 2
    ) -> None:
        self.batches, self.stride, self.end, self.ahead = batches, stride, end, ahead
        self._pool = ThreadPoolExecutor(threads, "batches")
        self._made: dict[int, Future[T]] = {}

    def __call__(self, number: int) -> T:
        """Batch `number`, and the next ones are begun. What making it raises is raised here."""
        wanted = range(number, min(self.end, number + (self.ahead + 1) * self.stride), self.stride)
        for stale in self._made.keys() - set(wanted):
            self._made.pop(stale).cancel()
        for each in wanted:
            if each not in self._made:
                self._made[each] = self._pool.submit(self.batches, each)
        return self._made.pop(number).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)

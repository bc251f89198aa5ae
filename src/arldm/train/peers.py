"""When one process of several dies, the others must not wait for it for ever: they stop with one line that says so.

Where a collective operation fails (gloo's does at once), its error becomes that line. Where it would hang (NCCL's, or a machine
without power), a thread notices: every process tells every few seconds that it lives, by the store through which the processes
found each other.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch.distributed as dist
from accelerate import PartialState
from torch.distributed.distributed_c10d import PrefixStore, Store, _get_default_store

from arldm.errors import ProcessError, said

BEAT = 2.0  # seconds between two signs of life
PATIENCE = 20.0  # seconds without one; less than the 30 after which torchrun kills whom it has asked to stop
LEFT, FAILED = "left", "failed: "  # last signs of life: all is done, or an error

_watching = threading.Lock()


@contextmanager
def together() -> Iterator[None]:
    """Inside, whoever loses another process of the run stops with a ProcessError, or within PATIENCE exits with its line."""
    if not dist.is_initialized() or dist.get_world_size() == 1 or not _watching.acquire(blocking=False):
        yield
        return
    life = Life(PrefixStore("life", _get_default_store()), dist.get_rank(), dist.get_world_size(), _exit)
    life.start()
    try:
        with _heeding():
            yield
        life.leaving = True
        PartialState().wait_for_everyone()  # the store may end with the process that has it
        life.end(LEFT)
    except BaseException as error:
        life.end(FAILED + " ".join(str(error).split()))
        if isinstance(error, RuntimeError) and _is_lost(error):
            raise ProcessError(_line(life.reason())) from error
        raise
    finally:
        _watching.release()


@contextmanager
def _heeding() -> Iterator[None]:
    """SIGTERM stops this process with a line, but not one that has lost another and is about to say so: torchrun sends it then."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt("stopped; the same command continues from the last checkpoint")

    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    before: Any = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except RuntimeError:
        before = signal.SIG_IGN
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


class Life(threading.Thread):
    """Tells the others that this process lives, and calls `lost` with a reason when one of them does not any more."""

    def __init__(
        self, store: Store, rank: int, count: int, lost: Callable[[str], None], beat: float = BEAT, patience: float = PATIENCE
    ) -> None:
        super().__init__(name="life", daemon=True)
        self.store, self.rank, self.lost, self.beat, self.patience = store, rank, lost, beat, patience
        self.seen = {other: ("", time.monotonic()) for other in range(count) if other != rank}  # last sign, and when it changed
        self.leaving = False
        self.ended = threading.Event()

    def run(self) -> None:
        """Beat after beat."""
        count = 0
        while not self.ended.wait(self.beat if count else 0):
            count += 1
            try:
                self.store.set(str(self.rank), str(count))
                reason = self.look()
            except (RuntimeError, ValueError) as error:  # nobody has the store any more
                reason = None if self.leaving else f"the store of all processes is gone ({said(error)})"
            if reason and not self.ended.wait(2 * self.beat):  # it may be about to stop itself, for the same reason
                return self.lost(reason)
        return None

    def look(self) -> str | None:
        """Why this process should stop, if it should."""
        for other, (last, since) in self.seen.items():
            sign = self.store.get(str(other)).decode() if self.store.check([str(other)]) else ""
            if sign.startswith(FAILED):
                return f"process {other} has stopped ({sign.removeprefix(FAILED)[:300]})"
            if sign != last:
                self.seen[other] = (sign, time.monotonic())
            elif sign != LEFT and time.monotonic() - since > self.patience:
                return f"process {other} has not been heard of for {self.patience:.0f} seconds"
        return None

    def end(self, sign: str) -> None:
        """Leave with a last sign of life."""
        self.ended.set()
        with suppress(RuntimeError, ValueError):  # nobody is left to read it
            self.store.set(str(self.rank), sign)

    def reason(self) -> str:
        """What is known of an operation that failed: another's own error, or that it was killed."""
        for _ in range(5):  # it may be about to tell
            try:
                if found := self.look():
                    return found
            except (RuntimeError, ValueError):
                break
            time.sleep(0.2)
        return "another process was killed"


def _is_lost(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or "gloo/transport" in str(error)


def _line(reason: str) -> str:
    return f"{reason}; start all processes again, the same command continues"


def _exit(reason: str) -> None:
    """The main thread waits in a collective operation, where no exception can reach it."""
    print(f"\narldm: {_line(reason)}", file=sys.stderr, flush=True)
    os._exit(2)

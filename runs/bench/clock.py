"""Time on a shared machine: what passed, and what the processor spent on this process, which is what ratios are made of."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Seconds:
    """What something took."""

    processor: float  # of all threads; other programs do not count
    passed: float

    @classmethod
    def now(cls) -> "Seconds":
        """On both clocks."""
        return cls(time.process_time(), time.perf_counter())

    def since(self, start: "Seconds") -> "Seconds":
        """What lies between."""
        return Seconds(self.processor - start.processor, self.passed - start.passed)

    def each(self, count: int) -> "Seconds":
        """The share of one of so many."""
        return Seconds(self.processor / count, self.passed / count)


def timed(work: Callable[[], object]) -> Seconds:
    """What it takes."""
    start = Seconds.now()
    work()
    return Seconds.now().since(start)


def compared(ways: Mapping[str, Callable[[], Sequence[Seconds]]], of: str, rounds: int) -> None:
    """Print what each way takes, and how often the first takes as long. In turns, for a machine is not always equally fast."""
    taken: dict[str, list[Seconds]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            taken[name] += way()
    wide, first = max(map(len, ways)), 0.0
    print(f"{'':{wide}}  {'seconds':>9}  {'processor':>9}")
    for name, found in taken.items():
        processor, passed = (statistics.median(getattr(one, clock) for one in found) for clock in ("processor", "passed"))
        first = first or processor
        print(f"{name:{wide}}  {passed:9.2f}  {processor:9.2f}  a {of}, x {first / processor:.1f}", flush=True)

"""In which order lessons are taken."""

from dataclasses import dataclass
from functools import reduce

from arldm.adapt.lessons import Lesson
from arldm.adapt.recipes import OLD
from arldm.model.noise import derived_seed
from arldm.train.stories import turn


@dataclass(frozen=True, slots=True, eq=False)
class School:
    """Batches by their number: stories to be drawn, of OLD one an old one; then, to fill it up, old ones that are but read."""

    new: Lesson
    old: Lesson | None
    size: int
    drawn: int
    seed: int

    def __call__(self, number: int) -> Lesson:
        """Batch `number`."""
        drawn = map(self._drawn, range(number * self.drawn, (number + 1) * self.drawn))
        but_read = turn(number, self.size - self.drawn, len(self._old), derived_seed("read", self.seed))
        return reduce(Lesson.beside, (*drawn, *map(self._old.one, but_read)))

    @property
    def _old(self) -> Lesson:
        return self.new if self.old is None else self.old

    def _drawn(self, place: int) -> Lesson:
        if self.old is None:
            return self._turn(self.new, place)
        round_, which = divmod(place, OLD)
        new = OLD - 1
        return self._turn(self.old, round_) if which == new else self._turn(self.new, new * round_ + which)

    def _turn(self, lesson: Lesson, place: int) -> Lesson:
        return lesson.one(turn(place, 1, len(lesson), self.seed)[0])

"""In which order lessons are taken."""

from collections.abc import Iterator
from dataclasses import dataclass

from arldm.adapt.lessons import Lesson, together
from arldm.adapt.recipes import OLD
from arldm.model.noise import derived_seed
from arldm.train.stories import turn


@dataclass(frozen=True, slots=True, eq=False)
class School:
    """Batches by their number: stories to be drawn, of OLD one an old one; then, to fill it up, others that are but read: old ones,
    and the new ones as they were.

    These are not drawn: they are all about those whose parts the new character takes, and of the others much would be forgotten.
    """

    new: Lesson
    old: Lesson | None
    same: Lesson | None
    size: int
    drawn: int
    seed: int

    def __call__(self, number: int) -> Lesson:
        """Batch `number`."""
        drawn = map(self._drawn, range(number * self.drawn, (number + 1) * self.drawn))
        return together((*drawn, *self._but_read(number)))

    def _but_read(self, number: int) -> Iterator[Lesson]:
        lessons = [one for one in (self.old, self.same) if one is not None] or [self.new]
        places = [(lesson, story) for lesson in lessons for story in range(len(lesson))]
        for which in turn(number, self.size - self.drawn, len(places), derived_seed("read", self.seed)):
            lesson, story = places[which]
            yield lesson.one(story)

    def _drawn(self, place: int) -> Lesson:
        if self.old is None:
            return self._turn(self.new, place)
        round_, which = divmod(place, OLD)
        new = OLD - 1
        return self._turn(self.old, round_) if which == new else self._turn(self.new, new * round_ + which)

    def _turn(self, lesson: Lesson, place: int) -> Lesson:
        return lesson.one(turn(place, 1, len(lesson), self.seed)[0])

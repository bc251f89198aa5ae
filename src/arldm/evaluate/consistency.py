"""What readings of generated stories are worth: frame accuracy, character F1, relevance and consistency.

Plain counting over readings and known truth; both are dictionaries from `Key` to value, as `toonsv.cast.truth` gives them.
"""

from collections.abc import Iterator, Mapping, Sequence

from arldm.evaluate import characters
from arldm.evaluate.measures import Measure, Tally, by_group
from arldm.story import Fact, Story
from arldm.toonsv.cast import EXTRA_KINDS, NAMES, PROPS, Key, held_out
from arldm.toonsv.questions import can_be_asked

Reading = Mapping[Key, str]
WHO = (*NAMES, *EXTRA_KINDS)


def frame_accuracy(stories: Sequence[Story], readings: Sequence[Sequence[Reading]], given: int = 0) -> Iterator[Tally]:
    """Frames whose whole set of figures is right; what the field calls frame accuracy or exact match."""
    return characters.frame_accuracy(*_casts(stories, readings), given)


def character_f1(stories: Sequence[Story], readings: Sequence[Sequence[Reading]], given: int = 0) -> Iterator[Tally]:
    """Micro F1 over frames and figures: twice the hits of all that was read and all that is there."""
    return characters.character_f1(*_casts(stories, readings), given)


def relevance(stories: Sequence[Story], readings: Sequence[Sequence[Reading]], given: int = 0) -> Iterator[Tally]:
    """Facts that the frame's own caption tells, and the reader confirms."""
    for number, story, read in _numbered(stories, readings):
        for t in range(given, len(story.frames)):
            for fact in story.frames[t].facts:
                if fact.source == "caption":
                    yield Tally(number, t, fact.attribute, float(read[t].get(_key(fact)) == fact.value), 1)


def consistency(stories: Sequence[Story], readings: Sequence[Sequence[Reading]], given: int = 0) -> Iterator[Tally]:
    """Facts that only the history tells: is the reading what it was in the latest earlier frame of the same told story?

    The latest earlier frame is the last one of which the fact is true. What is not read in either frame is wrong. Only the colour
    of a hat is no question where someone was drawn without one, which nothing forbade: that there is none is the fact to be kept.
    """
    for number, story, read in _numbered(stories, readings):
        last: dict[Key, int] = {}
        for t, frame in enumerate(story.frames):
            for fact in frame.facts if t >= given else ():
                key = _key(fact)
                if fact.source == "history" and key in last and can_be_asked(key, before := read[last[key]]):
                    now = read[t].get(key)
                    yield Tally(number, t, fact.attribute, float(now is not None and now == before.get(key)), 1)
            last |= {_key(fact): t for fact in frame.facts}


METRICS = {"relevance": relevance, "consistency": consistency, "frame_accuracy": frame_accuracy, "character_f1": character_f1}


def by_combination(tallies: Sequence[Tally], stories: Sequence[Story]) -> dict[str, Measure]:
    """The same for frames with a combination of character, place and prop that training never held, and for all others."""
    return by_group(tallies, lambda tally: "held out" if _held_out(stories[tally.story].frames[tally.frame].facts) else "the rest")


def _held_out(facts: Sequence[Fact]) -> bool:
    place = next((fact.value for fact in facts if fact.attribute == "kind"), None)
    there = [fact.entity for fact in facts if fact.attribute == "present"]
    return place is not None and any(held_out(who, place, prop) for who in there for prop in there if prop in PROPS)


def _numbered(stories: Sequence[Story], readings: Sequence[Sequence[Reading]]) -> Iterator[tuple[int, Story, Sequence[Reading]]]:
    for number, (story, read) in enumerate(zip(stories, readings, strict=True)):
        if len(read) != len(story.frames):
            raise ValueError(f"story {story.id} has {len(story.frames)} frames and {len(read)} readings; expected one for each")
        yield number, story, read


def _casts(stories: Sequence[Story], readings: Sequence[Sequence[Reading]]) -> tuple[characters.Casts, characters.Casts]:
    """Who is in each frame, and who was read there."""
    both = list(_numbered(stories, readings))
    truth = [[_present(frame.facts) for frame in story.frames] for _, story, _ in both]
    return truth, [[_who(one) for one in read] for _, _, read in both]


def _key(fact: Fact) -> Key:
    return Key(fact.entity, fact.attribute)


def _present(facts: Sequence[Fact]) -> set[str]:
    return {fact.entity for fact in facts if fact.attribute == "present" and fact.entity in WHO}


def _who(read: Reading) -> set[str]:
    return {entity for (entity, attribute), value in read.items() if attribute == "present" and value == "yes" and entity in WHO}

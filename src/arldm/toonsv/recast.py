"""Stories and portraits of those whom training never holds: parts are played by others, and all else stays as it was.

And the paper's own demonstration (Figure 7): a stranger, shown once and then called by other words in every caption.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from arldm.errors import ConfigError
from arldm.story import Fact
from arldm.toonsv.cast import EXTRA_KINDS, NAMES, Key, Look, truth
from arldm.toonsv.events import PRONOUNS
from arldm.toonsv.plot import Shot, plot
from arldm.toonsv.world import Dice

STRANGER = EXTRA_KINDS[0]
CALLED = ("the gentleman", "the visitor", "that fellow")  # whom ToonSV itself calls a stranger


def recast(shots: list[Shot], parts: Mapping[str, str]) -> list[Shot]:
    """The same story with other names in the parts, old name -> new name of the same pronoun. Raises ConfigError."""
    for old, new in parts.items():
        if old not in NAMES or new not in NAMES or PRONOUNS[old] != PRONOUNS[new]:
            raise ConfigError(f"recast: got {old} as {new}; expected two of the cast with the same pronoun")
    return [_shot(shot, parts) for shot in shots]


def starring(split: str, names: tuple[str, ...], frames: int = 5) -> Iterator[tuple[int, list[Shot]]]:
    """Stories of a split, without end, whose first figures are played by `names`: the lead, and the lead's friend if there are two.

    Each with its number in the split. Raises ConfigError.
    """
    for index in itertools.count():
        shots = plot(split, index, frames)
        met = [who for who in dict.fromkeys(figure.who for shot in shots for figure in shot.scene.figures) if who in NAMES]
        parts = dict(zip(met, names, strict=False))
        if len(parts) == len(names) and all(PRONOUNS[old] == PRONOUNS[new] for old, new in parts.items()):
            yield index, recast(shots, parts)


def renamed(caption: str, pattern: str, names: Sequence[str], dice: Dice) -> str:
    """A caption with one of the names, by lot, wherever it has the pattern; with a capital where a sentence begins."""

    def name(found: re.Match[str]) -> str:
        word, before = dice.pick(names), caption[: found.start()].rstrip()
        return word if before and before[-1] not in ".!?" else word[0].upper() + word[1:]

    return re.sub(pattern, name, caption)


def portraits(name: str, draw: int, count: int = 5) -> list[Shot]:
    """Pictures of someone alone, each from another story of the training split, whose captions have the name.

    Each `draw` and each of the cast has stories of its own.
    """
    first = 40 * (len(NAMES) * draw + NAMES.index(name))
    alone = (
        shot
        for _, shots in itertools.islice(starring("train", (name,)), first, None)
        for shot in [next((s for s in shots if _is_portrait(s, name)), None)]
        if shot is not None
    )
    return list(itertools.islice(alone, count))


def portraits_called(look: Look, count: int = 4) -> list[Shot]:
    """Pictures of a stranger of this look, alone, each from another story of the training split, called by words that change."""
    alone = (
        _called(_looking(shot, look), Dice(f"called/train/{index}"))
        for index in itertools.count()
        for shot in [next((s for s in plot("train", index) if _is_portrait(s, STRANGER)), None)]
        if shot is not None
    )
    return list(itertools.islice(alone, count))


def called_by_many(split: str, look: Look, frames: int = 5) -> Iterator[tuple[int, list[Shot]]]:
    """Stories of a split, without end, with a stranger of this look in the first frame and in two more at least.

    Captions call him by words that change. Each with its number in the split.
    """
    for index in itertools.count():
        shots = plot(split, index, frames)
        there = [any(figure.who == STRANGER for figure in shot.scene.figures) for shot in shots]
        if there[0] and sum(there) > 2:
            dice = Dice(f"called/{split}/{index}")
            yield index, [_called(_looking(shot, look), dice) for shot in shots]


def _looking(shot: Shot, look: Look) -> Shot:
    """The same, with a stranger of this look."""
    figures = tuple(replace(one, look=look) if one.who == STRANGER else one for one in shot.scene.figures)
    scene = replace(shot.scene, figures=figures)
    now = truth(scene)
    sources = shot.sources
    if (hat := Key(STRANGER, "hat")) in sources:  # who had none has a hat now, and it has a colour
        sources.setdefault(Key(STRANGER, "hat_colour"), sources[hat])
    return replace(shot, scene=scene, facts=tuple(Fact(*key, now[key], sources[key]) for key in now))


def _called(shot: Shot, dice: Dice) -> Shot:
    """The same, with another word for the stranger wherever he is named."""
    return replace(shot, caption=renamed(shot.caption, rf"\b([Aa]|[Tt]he) {STRANGER}\b", CALLED, dice))


def _is_portrait(shot: Shot, name: str) -> bool:
    return [figure.who for figure in shot.scene.figures] == [name] and name in shot.caption.lower()


def _shot(shot: Shot, parts: Mapping[str, str]) -> Shot:
    scene = replace(shot.scene, figures=tuple(replace(one, who=parts.get(one.who, one.who)) for one in shot.scene.figures))
    facts = tuple(replace(fact, entity=parts.get(fact.entity, fact.entity)) for fact in shot.facts)
    names = {old.capitalize(): new.capitalize() for old, new in parts.items()}
    caption = re.sub(rf"\b({'|'.join(names)})\b", lambda found: names[found[0]], shot.caption)
    return Shot(scene, caption, facts)

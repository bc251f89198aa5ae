"""Stories and portraits of those whom training never holds: parts are played by others, and all else stays as it was."""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from arldm.errors import ConfigError
from arldm.toonsv.cast import CAST, NAMES
from arldm.toonsv.plot import Shot, plot

PRONOUNS = {character.name: character.pronoun for character in CAST}


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


def portraits(name: str, draw: int, count: int = 5) -> list[Shot]:
    """Pictures of someone alone, each from another story of the training split, whose captions have the name."""
    alone = (
        shot
        for _, shots in itertools.islice(starring("train", (name,)), 40 * draw, None)
        for shot in [next((s for s in shots if _is_portrait(s, name)), None)]
        if shot is not None
    )
    return list(itertools.islice(alone, count))


def _is_portrait(shot: Shot, name: str) -> bool:
    return [figure.who for figure in shot.scene.figures] == [name] and name in shot.caption.lower()


def _shot(shot: Shot, parts: Mapping[str, str]) -> Shot:
    scene = replace(shot.scene, figures=tuple(replace(one, who=parts.get(one.who, one.who)) for one in shot.scene.figures))
    facts = tuple(replace(fact, entity=parts.get(fact.entity, fact.entity)) for fact in shot.facts)
    caption = shot.caption
    for old, new in parts.items():
        caption = re.sub(rf"\b{old.capitalize()}\b", new.capitalize(), caption)
    return Shot(scene, caption, facts)

"""What can be asked of a picture of ToonSV: every question with its possible answers, as rows of numbers and back."""

from collections.abc import Mapping, Sequence

import numpy as np

from arldm.toonsv.cast import (
    CHARACTER_VALUES,
    EXTRA_KINDS,
    EXTRA_VALUES,
    NAMES,
    PLACE_VALUES,
    PLACES,
    PROP_VALUES,
    PROPS,
    SCENE_VALUES,
    Key,
)

ABSENT = -100  # nothing to answer; cross-entropy leaves it out
SEEN = {"present": ("no", "yes")}

Values = Mapping[str, tuple[str, ...]]

#: entities that are asked the same questions
FAMILIES: tuple[tuple[tuple[str, ...], Values], ...] = (
    (("scene",), SCENE_VALUES),
    (tuple(PLACES), PLACE_VALUES),
    (NAMES, SEEN | CHARACTER_VALUES),
    (EXTRA_KINDS, SEEN | EXTRA_VALUES),
    (PROPS, SEEN | PROP_VALUES),
)
QUESTIONS: dict[Key, tuple[str, ...]] = {
    Key(entity, attribute): values for entities, family in FAMILIES for entity in entities for attribute, values in family.items()
}


def answers(facts: Mapping[Key, str]) -> np.ndarray:
    """One number for each question, int64; who or what is not mentioned is not present, and its attributes are ABSENT."""
    row = [values.index(facts[key]) if key in facts else _unsaid(key) for key, values in QUESTIONS.items()]
    return np.array(row, dtype=np.int64)


def reading(row: Sequence[int]) -> dict[Key, str]:
    """The facts that a row of answers states, as `truth` gives them: attributes only of what is present, the place included."""
    said = {key: values[answer] for (key, values), answer in zip(QUESTIONS.items(), row, strict=True) if answer != ABSENT}
    place = said.get(Key("scene", "kind"))

    def stated(key: Key) -> bool:
        if key.entity == "scene" or key.entity == place:
            return True
        if key.entity in PLACES or said.get(Key(key.entity, "present")) != "yes":
            return False
        return key.attribute != "hat_colour" or said.get(Key(key.entity, "hat")) != "none"

    return {key: value for key, value in said.items() if stated(key)}


def _unsaid(key: Key) -> int:
    return 0 if key.attribute == "present" else ABSENT

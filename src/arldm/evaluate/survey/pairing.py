"""Who compares what: pairs of methods on a story, dealt to raters so that all are shown equally often and on either side.

Whoever comes first is served as if nobody came later, so links that are never used leave a study as balanced as it was.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from arldm.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Side:
    """One method's telling of a story; `shuffled` = its pictures in a wrong order, which an attentive rater sees."""

    story: str
    method: str
    shuffled: bool = False


Comparison = tuple[Side, Side]
"""What is shown as A and as B."""


def deal(
    stories: Sequence[str], methods: Sequence[str], raters: int, pairs: int, checks: int, dice: random.Random
) -> list[list[Comparison]]:
    """For each rater so many pairs and attention checks, in the order to be shown. Checks are made of the first method's stories.

    A rater meets a story again only when all were seen; a pair's sides are exchanged from rater to rater. Raises ConfigError.
    """
    comparisons = [(Side(story, x), Side(story, y)) for story in stories for x, y in combinations(methods, 2)]
    if not 1 <= pairs <= len(comparisons) or raters < 1 or not 0 <= checks <= len(stories):
        got = f"--raters {raters} --pairs {pairs} --checks {checks}"
        expected = f"1 or more raters, 1 to {len(comparisons)} pairs and 0 to {len(stories)} checks each"
        raise ConfigError(f"{got}: expected {expected} from {len(stories)} stories of {len(methods)} methods")
    shown: Counter[Comparison] = Counter()
    lean: Counter[Comparison] = Counter()
    hands = []
    for _ in range(raters):
        hand = _hand(comparisons, pairs, shown, dice)
        shown.update(hand)
        hand = _sided(hand, lean, dice)
        for check in _checks(stories, methods[0], hand, checks, dice):
            hand.insert(dice.randrange(len(hand) + 1), check)
        hands.append(hand)
    return hands


def _hand(comparisons: Sequence[Comparison], pairs: int, shown: Counter[Comparison], dice: random.Random) -> list[Comparison]:
    """One rater's pairs: of stories new to him those shown least so far, of these the pair shown least, each two methods in turn.

    Stories first: were it the pairs, a hand's last ones could all be of stories that it has, and others be shown once too often.
    """
    left = dice.sample(comparisons, len(comparisons))
    seen: Counter[str] = Counter()
    told: Counter[str] = Counter()
    met: Counter[tuple[str, str]] = Counter()
    for (x, y), times in shown.items():
        told[x.story] += times
        met[x.method, y.method] += times
    hand = []
    for _ in range(pairs):
        chosen = min(left, key=lambda one: (seen[(x := one[0]).story], told[x.story], shown[one], met[x.method, one[1].method]))
        left.remove(chosen)
        seen[chosen[0].story] += 1
        met[chosen[0].method, chosen[1].method] += 1
        hand.append(chosen)
    dice.shuffle(hand)
    return hand


def _sided(hand: Sequence[Comparison], lean: Counter[Comparison], dice: random.Random) -> list[Comparison]:
    """Which is A: the one that was so less often in this pair, else in this hand, else any."""
    tilt: Counter[str] = Counter()
    sided = []
    for pair in hand:
        x, y = pair
        more = lean[pair] or tilt[x.method] - tilt[y.method] or dice.choice((-1, 1))
        a, b = (y, x) if more > 0 else (x, y)
        lean[pair] += 1 if a is x else -1
        tilt[a.method] += 1
        tilt[b.method] -= 1
        sided.append((a, b))
    return sided


def _checks(stories: Sequence[str], method: str, hand: Sequence[Comparison], checks: int, dice: random.Random) -> list[Comparison]:
    """Stories against their shuffled selves, where possible of stories that this rater does not see otherwise."""
    seen = {a.story for a, _ in hand}
    chosen = sorted(dice.sample(stories, len(stories)), key=lambda story: story in seen)[:checks]
    sides = [(Side(story, method), Side(story, method, shuffled=True)) for story in chosen]
    first = dice.randrange(2)
    return [(x, y) if (number + first) % 2 else (y, x) for number, (x, y) in enumerate(sides)]


def deranged(count: int, dice: random.Random) -> list[int]:
    """An order of so many pictures, two or more, in which none is where it was."""
    order = list(range(count))
    while any(place == number for place, number in enumerate(order)):
        dice.shuffle(order)
    return order

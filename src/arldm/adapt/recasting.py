"""Old stories with a new character in a part: its cutouts stand where somebody stood, and captions have its name.

Five pictures show five places. Who learned from them alone would keep the character with its places, and draw somebody else in all
others (docs/log.md); so it is shown in places, at hours and in company that its pictures never had.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

from arldm.story import Frame, Story
from arldm.toonsv import painted
from arldm.toonsv.cast import EXTRA_KINDS, PAIR_ACTIONS, PROPS, Scene
from arldm.toonsv.cutouts import HEADS_FREE, Cutout, Head, head, pose, put
from arldm.toonsv.events import PRONOUNS
from arldm.toonsv.plot import Shot, plot
from arldm.toonsv.recast import renamed
from arldm.toonsv.world import TRAINED, Dice

FRAMES = 5
SHOWN = 2  # frames, at least, that show a cutout
FRIENDS = 0.5  # of the stories tried are for who stands beside a lead, too: else it is drawn worse on the right (docs/log.md)
POSED = 0.5  # of what cutouts show, too, is done by bodies: a head that was seen in one mood and place alone belongs to these


@dataclass(frozen=True, slots=True)
class Part:
    """Who plays a part in a frame: which figure it is, from left to right, and which cutout; none where all is as it was."""

    figure: int
    cutout: int | None
    posed: bool = False  # its head alone, on a body that does what the figure did
    prop: bool = False  # does what is held go with the cutout?
    recalled: frozenset[str] = frozenset()  # what of it nothing but earlier frames tell


@dataclass(frozen=True, slots=True)
class Recast:
    """A story as it was, and with the new character in it."""

    old: Story
    new: Story
    parts: tuple[Part | None, ...]  # of each frame; None where the character is not


@dataclass(frozen=True, slots=True)
class _Shown:
    """What one picture shows of the new character."""

    cutout: Cutout
    action: str
    head: Head | None


def recastings(
    cutouts: Sequence[Cutout],
    actions: Sequence[str],
    names: Sequence[str],
    like: str,
    number: int,
    seed: int,
    article: bool = False,
) -> list[Recast]:
    """So many stories of ToonSV's training split in which a part is played by the character that has been cut out.

    `actions` says of each cutout what it does; what none of them does, a body does that has the head of one. The part is that of
    somebody like the word `like`: of the same pronoun, or for a stranger a stranger's. The names are nouns with an `article`, or
    have none.
    """
    unnamed = like in EXTRA_KINDS  # whom captions call by a noun already
    called = [name if unnamed else f"the {name}" for name in names] if article else [name.capitalize() for name in names]
    parts = parts_like(like)
    shown = [_shown(cutout, action, like) for cutout, action in zip(cutouts, actions, strict=True)]
    found = (
        recast
        for index in count()
        if (recast := _recast(index, shown, called, article, parts, Dice(f"recast/{seed}/{index}"))) is not None
    )
    return list(islice(found, number))


def _shown(cutout: Cutout, action: str, like: str) -> _Shown:
    """An unnamed one's body differs from the cast's, and a drawing's may be any."""
    headed = cutout.behind is not None and action in HEADS_FREE and like not in EXTRA_KINDS
    return _Shown(cutout, action, head(cutout, action) if headed else None)


def parts_like(like: str) -> frozenset[str]:
    """Whose parts somebody like this could play."""
    if like in EXTRA_KINDS:
        return frozenset((like,))
    return frozenset(name for name in TRAINED if like not in PRONOUNS or PRONOUNS[name] == PRONOUNS[like])


def _recast(
    index: int, shown: Sequence[_Shown], names: Sequence[str], article: bool, parts: frozenset[str], dice: Dice
) -> Recast | None:
    shots = plot("train", index, FRAMES)
    lined_up = [[figure.who for figure in shot.scene.figures] for shot in shots]  # from left to right
    friends, is_friend = {who for line in lined_up for who in line[1:]}, dice.chance(FRIENDS)
    who = next((who for line in lined_up for who in line if who in parts and (who in friends) == is_friend), None)
    if who is None:
        return None
    held = any(fact.entity in PROPS and fact.source == "history" for shot in shots for fact in shot.facts)
    played = tuple(_part(shot, who, shown, dice, held) for shot in shots)
    if sum(part is not None and part.cutout is not None for part in played) < SHOWN:
        return None
    sits = any(part and shot.scene.figures[part.figure].action == "sit" for part, shot in zip(played, shots, strict=True))
    if not sits and not is_friend and any(one.head for one in shown):
        return None  # the head of who sits is lower than most, and so is learned worst
    old = painted(shots, f"old-{index}")
    pattern = rf"(?i)\b{who}\b" if article else rf"(?i)\b((an?|the) )?{who}\b"
    frames = (
        replace(_frame(frame, shot.scene, part, shown), caption=renamed(frame.caption, pattern, names, dice))
        for frame, shot, part in zip(old.frames, shots, played, strict=True)
    )
    return Recast(old, replace(old, id=f"new-{index}", frames=tuple(frames)), played)


def _part(shot: Shot, who: str, shown: Sequence[_Shown], dice: Dice, held: bool) -> Part | None:
    """Any cutout, but for two who touch each other; or a head.

    Where frames tell of something `held` from before, none that would take it away, or bring something else.
    """
    scene = shot.scene
    number = next((k for k, figure in enumerate(scene.figures) if figure.who == who), None)
    if number is None:
        return None
    recalled = frozenset(fact.attribute for fact in shot.facts if fact.entity == who and fact.source == "history")
    action = scene.figures[number].action
    heads = [k for k, one in enumerate(shown) if one.head]
    stays = action in PAIR_ACTIONS or (held and action == "hold")
    able = [k for k, one in enumerate(shown) if not stays and not (held and one.action == "hold")]
    if heads and (all(one.action != action for one in shown) or dice.chance(POSED) or not able):
        return Part(number, dice.pick(heads), posed=True, recalled=recalled)
    own = scene.prop is None or action == "hold"  # and nobody else's
    return Part(number, dice.pick(able) if able else None, prop=own, recalled=recalled)


def _frame(frame: Frame, scene: Scene, part: Part | None, shown: Sequence[_Shown]) -> Frame:
    """The frame with a cutout in it."""
    if part is None or part.cutout is None:
        return frame
    one = shown[part.cutout]
    if not part.posed:
        return replace(frame, picture=put(scene, part.figure, one.cutout))
    assert one.head is not None
    return replace(frame, picture=pose(scene, part.figure, one.head))

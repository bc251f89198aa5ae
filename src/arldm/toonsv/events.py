"""What happens in a frame: who does what, in which words, and which facts the words tell."""

from dataclasses import dataclass, field

from arldm.toonsv import captions as say
from arldm.toonsv.cast import CAST, COLOURS, EXTRA_KINDS, MOODS, PAIR_ACTIONS, PROPS, Key, Prop, held_out
from arldm.toonsv.world import TRAINED, World

PRONOUNS = {character.name: character.pronoun for character in CAST} | dict(
    zip(EXTRA_KINDS, ("he", "he", "she", "she"), strict=True)
)
#: who a frame is about, by role, and how often
CASTINGS: tuple[tuple[tuple[str, ...], float], ...] = (
    (("lead",), 0.27),
    (("friend",), 0.12),
    (("extra",), 0.11),
    (("lead", "friend"), 0.22),
    (("lead", "extra"), 0.20),
    (("lead", "friend", "extra"), 0.08),
)


@dataclass
class Event:
    """One frame's event. `told` are the facts that its words tell; `many` says that the subject is plural."""

    who: tuple[str, ...]
    actions: dict[str, str]
    verb: str
    subject: str
    many: bool
    told: set[Key] = field(default_factory=set)
    prop: Prop | None = None
    new_prop: bool = False
    watching: str = ""  # the words for a third, who stands by

    @property
    def subjects(self) -> tuple[str, ...]:
        """Who its subject is: the first, or the first two."""
        return self.who[: 2 if self.many else 1]


def event_of(world: World, t: int) -> Event:
    """What happens in frame `t`."""
    dice = world.dice
    if world.frames > 8 and t % 8 == 7 and "extra" in world.roles:  # a long story meets others
        world.roles["extra"] = dice.pick(EXTRA_KINDS if len(world.looks) < 3 else tuple(world.looks))
    options = [pair for pair in CASTINGS if all(role in world.roles for role in pair[0]) and (t or pair[0][0] == "lead")]
    who = tuple(world.roles[role] for role in dice.weighted(options))
    if len(who) == 1:
        return _alone(world, who[0])
    return _together(world, who)


def _alone(world: World, who: str) -> Event:
    dice = world.dice
    subject, told = _refer(world, who)
    if dice.chance(0.3):
        prop, words, prop_told = _take(world, (who,))
        new, world.prop_seen = not world.prop_seen, True
        verb = dice.pick(say.TAKE if new else _keeping(world, who)).format(p=words)
        world.holder = who
        return Event((who,), {who: "hold"}, verb, subject, False, told | prop_told | {Key(who, "action")}, prop, new)
    action = dice.pick(tuple(say.SOLO))
    return Event((who,), {who: action}, dice.pick(say.SOLO[action])[0], subject, False, told | {Key(who, "action")})


def _keeping(world: World, who: str) -> tuple[str, ...]:
    return say.KEEP if world.holder == who else tuple(words for words in say.KEEP if words != say.STILL)


def _barred(world: World, who: tuple[str, ...]) -> set[str]:
    """The kinds of props that these must not hold here in training."""
    return {kind for kind in PROPS if world.training and any(held_out(one, world.place.kind, kind) for one in who)}


def _take(world: World, who: tuple[str, ...]) -> tuple[Prop, str, set[Key]]:
    """The prop of the story, in words: new with or without its colour, or known. What training must not hold is not taken."""
    dice = world.dice
    barred = _barred(world, who)
    other = world.prop is None or (not world.prop_seen) or dice.chance(0.25 if world.frames > 8 else 0.1)
    if world.prop is None or other or world.prop.kind in barred:
        world.prop = Prop(dice.pick([kind for kind in PROPS if kind not in barred]), dice.pick(COLOURS))
        world.prop_seen = False
    told = {Key(world.prop.kind, "present")}
    if world.prop_seen:
        return world.prop, f"the {world.prop.kind}", told
    if dice.chance(0.5):
        return world.prop, f"a {world.prop.colour} {world.prop.kind}", told | {Key(world.prop.kind, "colour")}
    return world.prop, f"{'an' if world.prop.kind == 'umbrella' else 'a'} {world.prop.kind}", told


def _together(world: World, who: tuple[str, ...]) -> Event:
    dice = world.dice
    style = dice.weighted((("towards", 0.3), ("both", 0.24), ("pair", 0.26), ("give", 0.2)))
    if style == "give":
        who, style = _giving(world, who)
    first, second = who[:2]
    actions = dict.fromkeys(who, "stand")
    (subject, told), (other, other_told) = _refer(world, first), _name(world, second)
    prop, watching = None, ""
    if style == "both":
        action = dice.pick(tuple(say.SOLO))
        actions |= {first: action, second: action}
        verb = dice.pick(say.SOLO[action])[1]
        told, subject = _couple(world, (first, second))
        told |= {Key(first, "action"), Key(second, "action")}
    elif style == "pair":
        action = dice.pick(PAIR_ACTIONS)
        actions |= {first: action, second: action}
        told |= other_told | {Key(first, "action"), Key(second, "action")}
        verb = dice.pick(say.PAIR[action])[0].format(o=other)
        if dice.chance(0.4):
            told, subject = _couple(world, (first, second))
            told |= {Key(first, "action"), Key(second, "action")}
            verb, style = dice.pick(say.PAIR[action])[1], "both"
    elif style == "give":
        assert world.prop is not None
        prop, world.holder = world.prop, second
        verb = dice.pick(say.GIVE).format(p=f"the {prop.kind}", o=other)
        actions[second] = "hold"
        told |= other_told | {Key(prop.kind, "present"), Key(second, "action")}
    else:
        action = dice.pick(tuple(say.TOWARDS))
        actions[first] = action
        verb = dice.pick(say.TOWARDS[action]).format(o=other)
        told |= other_told | {Key(first, "action")}
    if len(who) == 3:
        watcher, watcher_told = _name(world, who[2])
        watching = dice.pick(say.WATCHES).format(w=watcher)
        told |= watcher_told
    return Event(who, actions, verb, subject, style == "both", told, prop, watching=watching)


def _giving(world: World, who: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Who has the thing gives it: the first two so that the first is that one. If neither has it, one only turns to the other."""
    if world.prop is None or world.holder not in who[:2] or world.prop.kind in _barred(world, who):
        return who, "towards"
    return (*sorted(who[:2], key=lambda one: one != world.holder), *who[2:]), "give"


def _name(world: World, who: str) -> tuple[str, set[Key]]:
    """A figure by name or noun, which tells that it is there."""
    words = who if who in TRAINED else say.article(who, who in world.met)
    return words, {Key(who, "present")}


def _refer(world: World, who: str) -> tuple[str, set[Key]]:
    """A figure by pronoun, where the frame before leaves no doubt whom it means; else by name."""
    same = [other for other in world.shown if PRONOUNS[other] == PRONOUNS[who]]
    if same == [who] and world.dice.chance(0.55):
        return PRONOUNS[who], set()
    return _name(world, who)


def _couple(world: World, who: tuple[str, str]) -> tuple[set[Key], str]:
    """Two as one subject: "they" if the frame before showed just these two, else both names."""
    if set(world.shown) == set(who) and world.dice.chance(0.65):
        return set(), world.dice.pick(say.COUPLE)
    (first, told), (second, other) = (_name(world, one) for one in who)
    return told | other, f"{first} and {second}"


def feel(world: World, event: Event, t: int) -> str:
    """Moods last until a caption changes them. Returns the words for the subject's mood, or nothing."""
    dice = world.dice
    before = dict(world.moods)
    for one in event.who:
        world.moods.setdefault(one, dice.pick(MOODS))
    if not dice.chance(0.45):
        return ""
    mood = dice.pick(MOODS)
    for one in event.subjects:
        world.moods[one] = mood
        event.told.add(Key(one, "mood"))
    otherwise = all(before.get(one, "calm") != "calm" for one in event.subjects)
    return dice.pick([words for words in say.MOOD[mood] if words != say.AGAIN or otherwise])

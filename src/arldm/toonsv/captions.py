"""The words of ToonSV: several ways to say every event. Nothing here ever describes a shirt, a look or a landmark.

A verb phrase is (third person, plural). `{o}` is the other figure, `{p}` the prop.
"""

from arldm.toonsv.cast import EXTRA_KINDS, NAMES

Verb = tuple[str, str]

PLACE_IN = {
    "beach": "at the beach",
    "forest": "in the forest",
    "street": "on the street",
    "market": "at the market",
    "mountain": "on the mountain",
    "kitchen": "in the kitchen",
    "library": "in the library",
    "bedroom": "in the bedroom",
}

SOLO: dict[str, tuple[Verb, ...]] = {
    "stand": (
        ("stands still", "stand still"),
        ("waits", "wait"),
        ("looks around", "look around"),
        ("stops for a moment", "stop for a moment"),
    ),
    "wave": (
        ("waves", "wave"),
        ("waves hello", "wave hello"),
        ("lifts one hand", "lift one hand"),
        ("says hello with a wave", "say hello with a wave"),
    ),
    "cheer": (
        ("cheers", "cheer"),
        ("throws both arms up", "throw both arms up"),
        ("raises both arms", "raise both arms"),
        ("shouts hooray", "shout hooray"),
    ),
    "sit": (
        ("sits down", "sit down"),
        ("takes a seat", "take a seat"),
        ("sits on a box", "sit on a box"),
        ("has a little rest", "have a little rest"),
    ),
    "jump": (
        ("jumps", "jump"),
        ("leaps into the air", "leap into the air"),
        ("hops up high", "hop up high"),
        ("bounces up and down", "bounce up and down"),
    ),
    "run": (("runs", "run"), ("dashes along", "dash along"), ("races ahead", "race ahead"), ("hurries along", "hurry along")),
}
TOWARDS: dict[str, tuple[str, ...]] = {  # the other one stands and is not described
    "stand": ("looks at {o}", "meets {o}", "talks to {o}", "listens to {o}"),
    "wave": ("waves to {o}", "says hello to {o} with a wave", "greets {o} with a wave", "lifts one hand to {o}"),
    "cheer": ("cheers for {o}", "throws both arms up for {o}", "shouts hooray to {o}", "raises both arms in front of {o}"),
    "sit": ("sits down beside {o}", "takes a seat next to {o}", "sits on a box near {o}", "has a little rest beside {o}"),
    "jump": ("jumps in front of {o}", "leaps into the air near {o}", "hops up high beside {o}", "bounces up and down for {o}"),
    "run": ("runs to {o}", "dashes towards {o}", "races past {o}", "hurries to {o}"),
}
PAIR: dict[str, tuple[Verb, ...]] = {
    "hug": (
        ("hugs {o}", "hug"),
        ("gives {o} a hug", "share a hug"),
        ("puts an arm around {o}", "hug each other"),
        ("wraps {o} in a hug", "have a long hug"),
    ),
    "highfive": (
        ("high-fives {o}", "high-five"),
        ("claps hands with {o}", "clap hands"),
        ("gives {o} a high five", "share a high five"),
        ("slaps hands with {o}", "slap hands up high"),
    ),
}
TAKE = ("finds {p}", "picks up {p}", "holds {p}", "carries {p}", "has {p}", "brings {p}")
STILL = "still has {p}"  # said of nobody but who had it last
KEEP = ("holds {p}", "carries {p}", "shows {p}", STILL, "plays with {p}")
GIVE = ("gives {p} to {o}", "hands {p} to {o}", "passes {p} to {o}", "lets {o} have {p}")

AGAIN = ", calm again"  # said of nobody but who felt otherwise
MOOD: dict[str, tuple[str, ...]] = {
    "calm": (" calmly", ", feeling calm", AGAIN, ", quite calm"),
    "happy": (" happily", ", very happy", " with a big smile", ", beaming with joy"),
    "sad": (" sadly", ", feeling sad", " with a tear", ", close to tears"),
    "angry": (" angrily", ", very angry", ", feeling cross", " with an angry face"),
    "surprised": (" in surprise", ", very surprised", ", amazed", " with wide eyes"),
    "sleepy": (" sleepily", ", very sleepy", " with a yawn", ", half asleep"),
}
WEATHER: dict[str, tuple[str, ...]] = {
    "clear": ("The sky is clear.", "The clouds are gone.", "The weather is fine.", "There is not a cloud."),
    "cloudy": ("It is cloudy.", "Clouds cover the sky.", "Big clouds hang above.", "The sky is full of clouds."),
    "rain": ("It is raining.", "Rain is falling.", "It rains.", "Rain pours down."),
    "snow": ("It is snowing.", "Snow is falling.", "It snows.", "Snowflakes drift down."),
}
TIME: dict[str, tuple[str, ...]] = {
    "day": ("It is daytime.", "Morning comes.", "A new day begins.", "It is day."),
    "dusk": ("It is evening.", "Evening comes.", "The sun goes down.", "It is getting late."),
    "night": ("It is night.", "Night falls.", "It is dark now.", "The night has come."),
}
ARRIVE = ("{s} {v} {place}", "{Place}, {s} {v}", "{s} {v} {place}", "{s} comes {to} and {v}")
RETURN = ("Now back {place}, {s} {v}", "Back {place}, {s} {v}", "{s} returns {to} and {v}", "{s} is back {place} and {v}")
WATCHES = ("while {w} watches", "and {w} watches", "next to {w}", "in front of {w}")
COUPLE = ("they", "both of them", "the two of them", "they both")


def plural(text: str) -> str:
    """The opening verbs of ARRIVE and RETURN for more than one."""
    return text.replace("comes ", "come ").replace("returns ", "return ").replace(" is back ", " are back ")


def beside(mood: str, watching: str) -> str:
    """The words of a mood, which are the subject's, and after them those of who watches."""
    if not watching:
        return mood
    return f"{mood}{',' if mood.startswith(',') or watching.startswith('and') else ''} {watching}"


def to(place: str) -> str:
    """The place as a goal: "to the beach"."""
    return f"to the {place}"


def sentence(text: str) -> str:
    """A capital letter, names in capitals, one full stop."""
    words = text.split(" ")
    named = [word[:1].upper() + word[1:] if word.strip(",.").removesuffix("'s") in NAMES else word for word in words]
    line = " ".join(named)
    return line[:1].upper() + line[1:] + "."


def article(kind: str, seen: bool) -> str:
    """An extra as a noun: "a stranger" at first, "the stranger" afterwards."""
    assert kind in EXTRA_KINDS
    return f"the {kind}" if seen else f"{'an' if kind.startswith('o') else 'a'} {kind}"

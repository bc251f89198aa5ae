"""A contact sheet of the world: `python -m arldm.toonsv.draw [OUT.png]`."""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from arldm.toonsv.cast import (
    ACTIONS,
    CAST,
    COLOURS,
    EXTRA_KINDS,
    HATS,
    HUES,
    MOODS,
    PAIR_ACTIONS,
    PLACES,
    PROPS,
    SIDES,
    SKINS,
    TIMES,
    WEATHERS,
    Figure,
    Look,
    Place,
    Prop,
    Scene,
)
from arldm.toonsv.paint import paint


def _person(who: str, mood: str = "calm", action: str = "stand", colour: str = "red", index: int = 0) -> Figure:
    if who in EXTRA_KINDS:
        hat = HATS[index % 4]
        return Figure(who, mood, action, look=Look(colour, hat, COLOURS[(index * 5 + 3) % 6], SKINS[index % 3]))
    return Figure(who, mood, action, shirt=colour)


def contact_sheet(size: int = 256) -> Image.Image:
    """Twelve characters and four extras in six moods; every place with its landmarks, hues, weathers and times; all props.

    Two rows of six beside each other, each under its name.
    """
    scenes: list[list[Scene]] = []
    kinds = tuple(PLACES)
    who_is_who = [*(character.name for character in CAST), *EXTRA_KINDS]
    for row, who in enumerate(who_is_who):
        where = Place(kinds[row % 8], HUES[row % 4], PLACES[kinds[row % 8]][row % 4], SIDES[row % 2])
        scenes.append(
            [Scene(where, "clear", "day", (_person(who, mood, colour=COLOURS[i], index=i + row),)) for i, mood in enumerate(MOODS)]
        )
    for row, kind in enumerate(kinds):
        looks = [(HUES[i % 4], PLACES[kind][i % 4], SIDES[i % 2], WEATHERS[(i + row) % 4], TIMES[i % 3]) for i in range(6)]
        scenes.append([])
        for i, (hue, mark, side, weather, time) in enumerate(looks):
            pair = (
                _person(CAST[(row + i) % 12].name, MOODS[i], ACTIONS[i], COLOURS[i]),
                _person(EXTRA_KINDS[i % 4], MOODS[(i + 2) % 6], "stand", COLOURS[(i + 3) % 6], i + row),
            )
            scenes[-1].append(Scene(Place(kind, hue, mark, side), weather, time, pair, Prop(PROPS[row], COLOURS[(row + i) % 6])))
    where = Place("street", "sky", "lamp post", "left")
    props = [
        Scene(where, "cloudy", "day", (_person("fenna", "calm", "hold", "white"),), Prop(kind, COLOURS[i % 6]))
        for i, kind in enumerate(PROPS)
    ]
    pairs = [
        Scene(where, "clear", "dusk", (_person("bromm", "happy", action), _person("child", "happy", action, "blue", 1)))
        for action in PAIR_ACTIONS
    ]
    trio = Scene(
        where,
        "snow",
        "night",
        (_person("lumi", "happy", "wave"), _person("oona", "sad", "sit"), _person("old man", "calm", index=2)),
    )
    rest = [*props, *pairs, trio, Scene(where, "rain", "day", (_person("quill", "calm", "run"),))]
    scenes += [rest[:6], rest[6:]]
    names = [*who_is_who, *kinds, "props", "props, two together, three, one who runs"]
    label = size // 4  # pixels, high
    sheet = Image.new("RGB", (12 * size, len(scenes) // 2 * (size + label)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(0.75 * label)
    for y, (name, row_of) in enumerate(zip(names, scenes, strict=True)):
        left, top = y % 2 * 6 * size, y // 2 * (size + label)
        pen.text((left + label / 4, top + label / 2), name.capitalize(), "black", font, "lm")
        for x, scene in enumerate(row_of):
            sheet.paste(paint(scene, size), (left + x * size, top + label))
    return sheet


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "toonsv.png")
    contact_sheet(128).save(out)
    print(out)

"""Strips for docs/new-characters.md from what runs/new_characters.sh made: `python runs/new_characters.py MADE DOCS`."""

import sys
from pathlib import Path

from PIL import Image

from arldm.adapt.pictures import read_cutouts, read_pictures
from arldm.adapt.recasting import recastings
from arldm.pictures import grid
from arldm.story_files import read_told

QUALITY = 85  # of WebP
WIDE = 1280  # pixels
ACTIONS = ("run", "jump", "cheer", "hold", "hold")  # what Pako does in its pictures, as the model reads them


def save(pictures: list[Image.Image], path: Path, columns: int = 5) -> None:
    """As one picture."""
    shown = grid(pictures, columns)
    shown.thumbnail((WIDE, WIDE))
    shown.save(path, quality=QUALITY, method=6)
    print(path)


def main(made: Path, docs: Path) -> None:
    """Write them."""
    docs.mkdir(parents=True, exist_ok=True)
    for name in ("pako", "vesna", "miso"):
        save([frame.picture for frame in read_pictures(Path("examples") / name, (name,)) if frame.picture], docs / f"{name}.webp")
    cutouts = read_cutouts(Path("examples/pako"))
    cast = [
        frame.picture
        for story in recastings(cutouts, ACTIONS, ("pako",), "bromm", 12, 0)
        for frame, part in zip(story.new.frames, story.parts, strict=True)
        if frame.picture is not None and part is not None and part.cutout is not None
    ]
    save(cast[::3][:10], docs / "recast.webp")
    for told in ("told-pako", "told-pako-lora", "told-miso", "told-both"):
        save([frame.picture for frame in read_told(made / told).frames if frame.picture], docs / f"{told}.webp")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

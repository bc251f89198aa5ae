"""Stories of the test split as the embedded model tells them, drawn at random, unselected: `python runs/strips.py OUT [COUNT]`.

Each strip is two rows: the told frames, and under them one truth that the captions allow, as ToonSV draws it.
The page about them is written beside OUT, as OUT.md.
"""

import random
import sys
from pathlib import Path

from arldm import ARLDM, TellConfig
from arldm.pictures import grid
from arldm.sample import tell
from arldm.toonsv import story

AMONG = 200  # stories of the test split
DRAWN_BY = 3  # the seed of the draw
QUALITY = 80  # of WebP: some 110 kB for a strip of ten pictures of 256 px, and their grain is still seen
PAGE = """# Stories of the test split, told by the embedded model

`python runs/strips.py {out} {count}`: {count} of the first {among} stories of ToonSV's test split, drawn at random and not
selected. The model was given the captions and nothing else, with the default settings.

Upper row: told by the model. Lower row: one possible truth, as ToonSV draws it. What no caption describes (the hour, landmarks,
moods, hats, the colours of clothes and rooms) may differ between the rows, and that is no error. In the upper row it should stay as
it was first drawn, until a caption changes it.

{strips}"""


def main(out: Path, count: int) -> None:
    """Tell and write them, as strips and as a page about them."""
    model = ARLDM.from_pretrained("toonsv")
    out.mkdir(parents=True, exist_ok=True)
    strips = []
    for number in sorted(random.Random(DRAWN_BY).sample(range(AMONG), count)):
        truth = story("test", number)
        told = list(tell(model, truth.untold()))
        pictures = [frame.picture for frame in (*told, *truth.frames) if frame.picture is not None]
        grid(pictures, len(told)).save(out / f"{number:03}.webp", quality=QUALITY, method=6)
        captions = " / ".join(frame.caption for frame in truth.frames)
        strips.append(
            f"**Test story {number}, seed {TellConfig().seed}.** {captions}\n\n![story {number}]({out.name}/{number:03}.webp)\n"
        )
        print(number, flush=True)
    page = PAGE.format(out=out, count=count, among=AMONG, strips="\n".join(strips))
    (out.parent / f"{out.name}.md").write_text(page)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 30)

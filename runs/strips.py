"""Stories of the test split as the embedded model tells them, drawn at random, unselected: `python runs/strips.py OUT [COUNT]`.

Each strip is two rows: the told frames, and under them the captions' truth as ToonSV draws it.
"""

import random
import sys
from pathlib import Path

from arldm import ARLDM, TellConfig
from arldm.sample import tell
from arldm.toonsv import story
from arldm.train.autoencoder import grid

AMONG = 200  # stories of the test split
DRAWN_BY = 3  # the seed of the draw


def main(out: Path, count: int) -> None:
    """Tell and write them, as strip and as a line of Markdown each."""
    model = ARLDM.from_pretrained("toonsv")
    out.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in sorted(random.Random(DRAWN_BY).sample(range(AMONG), count)):
        truth = story("test", number)
        told = list(tell(model, truth.untold()))
        pictures = [frame.picture for frame in (*told, *truth.frames) if frame.picture is not None]
        strip = grid(pictures, len(told))
        strip.resize((strip.width // 2, strip.height // 2)).save(out / f"{number:03}.webp", quality=80)
        captions = " / ".join(frame.caption for frame in truth.frames)
        lines.append(
            f"**Test story {number}, seed {TellConfig().seed}.** {captions}\n\n![story {number}]({out.name}/{number:03}.webp)\n"
        )
        print(number, flush=True)
    (out.parent / f"{out.name}.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 30)

"""What each metric sees and what it does not: `python runs/metrics.py OUT [STORIES]`.

True stories of the test split against the same captions drawn by another hand, the same pictures through the autoencoder, by a hand
that forgets, and dealt out among the stories; as the embedded model tells them; and, where `runs/toonsv_table.sh` left them in
TABLE, as its three models do. Writes report.json and report.html into OUT/STORIES-stories by `arldm evaluate pictures`. Stopped,
run again: what was drawn is not drawn again. PRECISION may be set ("no" where bf16 does not pay: docs/speed.md).
"""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

from arldm.cli import main as arldm
from arldm.model.arldm import ARLDM
from arldm.model.batch import image, pixels
from arldm.story import Story
from arldm.toonsv import painted, plot, story
from arldm.toonsv.redrawn import forgotten, otherwise
from arldm.truth_files import write_known

TABLE = Path(os.environ.get("TABLE", "runs/out/table"))
STEP = 37  # stories between a frame and the next one that is dealt with it; no divisor of any usual number of stories


def reconstructed(model: ARLDM, index: int) -> Story:
    """A true story whose pictures went through the autoencoder."""
    true = story("test", index)
    with torch.inference_mode():
        seen = torch.stack([pixels(frame.picture, model.config.picture_size) for frame in true.frames if frame.picture])
        drawn = [image(one) for one in model.latents.decode(model.latents.encode(seen))]
    return replace(true, frames=tuple(replace(frame, picture=one) for frame, one in zip(true.frames, drawn, strict=True)))


def shuffled(index: int, stories: int) -> Story:
    """A true story, each frame of which has the picture of the same frame of another story; each picture is dealt out once."""
    true = story("test", index)
    others = [story("test", (index + STEP * (t + 1)) % stories).frames[t].picture for t in range(len(true.frames))]
    return replace(true, frames=tuple(replace(frame, picture=one) for frame, one in zip(true.frames, others, strict=True)))


def redrawn(how: Callable, index: int) -> Story:
    """A true story drawn otherwise."""
    return painted(how(plot("test", index), f"metrics/{index}"), f"test-{index:06d}")


def sets(out: Path, stories: int) -> Iterator[Path]:
    """The folders of all methods, each written unless it is there."""
    model = ARLDM.from_pretrained("toonsv")
    draw: dict[str, Callable[[int], Story]] = {
        "truth": lambda index: story("test", index),
        "another-hand": lambda index: redrawn(otherwise, index),
        "reconstruction": lambda index: reconstructed(model, index),
        "forgetful-hand": lambda index: redrawn(forgotten, index),
        "shuffled": lambda index: shuffled(index, stories),
    }
    for name, drawn in draw.items():
        for index in range(stories):
            if not (out / name / f"test-{index:06d}" / "truth.json").exists():  # which is written last
                write_known(drawn(index), out / name / f"test-{index:06d}")
        yield out / name
    how = ["--stories", str(stories), "--precision", os.environ.get("PRECISION", "bf16")]
    if code := arldm(["evaluate", "toonsv", *how, "--keep", str(out / "embedded")]):
        raise SystemExit(code)
    yield out / "embedded"
    for history in ("pictures", "captions", "none"):
        told = TABLE / f"{history}-given0-seed0"
        if told.exists():
            (out / history).unlink(missing_ok=True)
            (out / history).symlink_to(told.resolve())
            yield out / history


def main(out: Path, stories: int) -> int:
    """Draw, look, compare."""
    out /= f"{stories}-stories"  # among so many, pictures are dealt out
    truth, *methods = map(str, sets(out, stories))
    options = ["--reference", truth, "--network", "reader", "--json", str(out / "report.json"), "--page", str(out / "report.html")]
    return arldm(["evaluate", "pictures", *methods, *options])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 200))

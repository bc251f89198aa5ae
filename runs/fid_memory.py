"""Does a large comparison look at pictures once, and how much memory does it take? `python runs/fid_memory.py OUT [PICTURES]`.

Half of the pictures are the reference. Inception-v3 takes hours for thousands of pictures on a processor, so a projection of their
pixels onto as many features stands in for it, through the same store and the same arithmetic; its real self (random weights) then
looks at one batch of 32, in the same process, so that its memory is counted. Each call runs in a process of its own.
Printed are seconds and resident memory.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from arldm.evaluate.comparison import compare, table
from arldm.evaluate.features import Store, digests
from arldm.evaluate.inception import FIDInception
from arldm.evaluate.networks import InceptionNetwork, small
from arldm.evaluate.pictures import find

FRAMES, WIDTH = 5, 2048


class Projection:
    """2,048 features of a picture at 64 pixels, fixed at random."""

    identity, width = "projection of pixels, seed 0", WIDTH

    def __init__(self) -> None:
        self.onto = np.random.default_rng(0).normal(size=(64 * 64 * 3, WIDTH)).astype(np.float32) / 100

    def features(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """(picture, WIDTH) float32."""
        return np.maximum(np.stack([small(picture).ravel() for picture in pictures]) @ self.onto, 0)


def draw(folder: Path, count: int, seed: int) -> None:
    """Stories of coarse random pictures, 128 px."""
    dice = np.random.default_rng(seed)
    for number in range(count):
        path = folder / f"{number // FRAMES:05}" / f"{number % FRAMES:03}.png"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            patches = dice.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(patches).resize((128, 128), Image.Resampling.BICUBIC).save(path, compress_level=1)


def call(out: Path) -> None:
    """One `arldm evaluate pictures` with the stand-in, then a batch of the real network."""
    started = time.perf_counter()
    method, reference = find(out / "method"), find(out / "reference")
    print(table(compare([method], reference, {"stand-in": Projection()}, out / "cache")))
    seconds, used = time.perf_counter() - started, sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    compared = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    network = InceptionNetwork(FIDInception().eval().requires_grad_(False), "random", "clean")
    paths = method.frames[:32]
    Store(out / f"cache-{time.time_ns()}", network).features(paths, digests(paths))
    whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{seconds:.1f} s; {used:.1f} processor seconds with the start of Python and torch")
    print(f"at most {compared:.2f} GiB, {whole:.2f} GiB with a batch of Inception-v3")


if __name__ == "__main__":
    where, wanted = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 12_000
    if sys.argv[3:] == ["call"]:
        call(where)
    else:
        for seed, name in enumerate(("method", "reference")):
            draw(where / name, wanted // 2, seed)
        for _ in range(2):
            subprocess.run([sys.executable, __file__, str(where), str(wanted), "call"], check=True)

"""Where randomness comes from: generators that are made from what they are for, and weights that follow from a seed."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def frame_generator(seed: int, story: str, frame: int, take: int) -> torch.Generator:
    """The noise of one drawing of one frame: on the CPU, and the same alone or in a batch, in one process or four."""
    digest = hashlib.sha256(f"{seed}|{story}|{frame}|{take}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big"))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Modules made inside have the weights of this seed; outside, nothing has changed.

    The constructors of torch, diffusers and transformers take no generator, so the global one is lent to them and put back.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield

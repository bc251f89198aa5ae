"""Where randomness comes from: generators that are made from what they are for, and weights that follow from a seed."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor


def frame_generator(seed: int, story: str, frame: int, take: int) -> torch.Generator:
    """The noise of one drawing of one frame: on the CPU, and the same alone or in a batch, in one process or four."""
    digest = hashlib.sha256(f"{seed}|{story}|{frame}|{take}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big"))


def item_generators(seed: int, places: Iterable[int]) -> list[torch.Generator]:
    """The noise of training, a generator for each item of a batch, by the item's place in the run.

    So an item has the same noise whatever else is in its batch, whichever process learns from it, and in a run that was resumed.
    """
    return [generator("item", seed, place) for place in places]


def rand(generators: Sequence[torch.Generator], *shape: int, device: torch.device | str) -> Tensor:
    """Uniform numbers (item, *shape), each row by its item's generator, as diffusers' `randn_tensor` has it for normal ones."""
    return torch.stack([torch.rand(shape, generator=generator, device=generator.device) for generator in generators]).to(device)


def generator(*parts: object) -> torch.Generator:
    """A generator on the CPU, the same for the same parts."""
    return torch.Generator().manual_seed(derived_seed(*parts))


def derived_seed(*parts: object) -> int:
    """A seed of 63 bits from anything that can be printed."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:8], "big") >> 1


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Modules made inside have the weights of this seed, dropout its masks, on a CUDA `device` too; outside, nothing has changed.

    Constructors of torch, diffusers and transformers take no generator, nor does dropout: the global ones are lent and put back.
    """
    lent = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=lent):
        torch.default_generator.manual_seed(seed)
        for one in lent:
            with torch.cuda.device(one):
                torch.cuda.manual_seed(seed)
        yield

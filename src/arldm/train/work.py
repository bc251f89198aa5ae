"""How much there is to compute in a training step, counted on the real code with tensors that hold nothing."""

import time
from dataclasses import replace

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from arldm.model.arldm import ARLDM
from arldm.train.memory import hollow, stories_of
from arldm.train.step import PRECISIONS, settled
from arldm.weight_files import fastest_device


def operations(model: ARLDM, frames: int, given: int, tokens: int) -> float:
    """Floating-point operations of a training step on one story, forward and backward, captions being of `tokens` tokens.

    A product and a sum are two operations. Products of matrices and convolutions are counted, which is all but a few per cent.
    """
    text, past = replace(model.config.text, max_tokens=tokens), replace(model.config.past, max_tokens=tokens)
    config = replace(model.config, text=text, past=past, choices=0)  # to choose is next to no work, and cannot be counted
    with FakeTensorMode(allow_non_fake_inputs=True):
        twin = hollow(config)
        for weight, like in zip(twin.parameters(), model.parameters(), strict=True):
            weight.requires_grad_(like.requires_grad)
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # processors' own kernels are not counted
            twin.loss(stories_of(config, 1, frames, given), [torch.Generator()]).backward()
    return float(counter.get_total_flops())


def speed(precision: str) -> tuple[float, str]:
    """How many operations a second this device does at a product of large matrices, and the device's name."""
    device = fastest_device()
    size = 8192 if device.type == "cuda" else 1024
    matrix, seconds = torch.ones(size, size, dtype=PRECISIONS[settled(precision)], device=device), []
    for _ in range(6):  # the first ones warm up
        started = time.perf_counter()
        (matrix @ matrix)[0, 0].item()  # waits for the end
        seconds.append(time.perf_counter() - started)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type} with {torch.get_num_threads()} threads"
    return 2 * size**3 / min(seconds), name

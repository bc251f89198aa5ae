"""How much there is to compute in a training step, counted on the real code with tensors that hold nothing."""

import time

import torch
from accelerate import init_empty_weights
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch


def operations(model: ARLDM, frames: int, given: int, tokens: int) -> float:
    """Floating-point operations of a training step on one story, forward and backward, captions being of `tokens` tokens.

    A product and a sum are two operations. Products of matrices and convolutions are counted, which is all but a few per cent.
    """
    with init_empty_weights(include_buffers=False):
        twin = type(model)(model.config, model.tokenizer, model.past_tokenizer)
    twin.use_history(model.history)
    with FakeTensorMode(allow_non_fake_inputs=True):
        for module, like in zip(twin.modules(), model.modules(), strict=True):
            for name, weight in like._parameters.items():
                if weight is not None:
                    module._parameters[name] = nn.Parameter(torch.empty(weight.shape), weight.requires_grad)
        batch = _batch(model, frames, given, tokens)
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # processors' own kernels are not counted
            twin.loss(batch, [torch.Generator()]).backward()
    return float(counter.get_total_flops())


def _batch(model: ARLDM, frames: int, given: int, tokens: int) -> StoryBatch:
    def captions(count: int) -> tuple[Tensor, Tensor]:
        return torch.empty(1, count, tokens, dtype=torch.long), torch.empty(1, count, tokens, dtype=torch.bool)

    config = model.config
    side, seen = config.picture_size // config.latents.downsample, config.past.picture_size
    pictures, latents = torch.empty(1, frames, 3, seen, seen), torch.empty(1, frames - given, config.latents.channels, side, side)
    return StoryBatch(*captions(frames - given), *captions(frames), pictures, latents)


def speed(precision: str) -> tuple[float, str]:
    """How many operations a second this device does at a product of large matrices, and the device's name."""
    device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    size, dtype = (8192 if device.type == "cuda" else 1024), {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    matrix, seconds = torch.ones(size, size, dtype=dtype[precision], device=device), []
    for _ in range(6):  # the first ones warm up
        started = time.perf_counter()
        (matrix @ matrix)[0, 0].item()  # waits for the end
        seconds.append(time.perf_counter() - started)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type} with {torch.get_num_threads()} threads"
    return 2 * size**3 / min(seconds), name

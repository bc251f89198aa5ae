"""How much memory a training step or a drawing takes at its worst, told without that memory.

A rehearsal: the real model, loss, backward pass and optimizer on torch's fake tensors, which have shapes and no bytes, while it
is counted what would be allocated and freed. Nothing is calculated, so a batch of eight takes as long as one of one.
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from accelerate import init_empty_weights
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.weak import WeakIdKeyDictionary
from transformers import BertTokenizer, CLIPTokenizer

from arldm.config import Frozen, ModelConfig, Precision, TrainConfig
from arldm.model.arldm import ARLDM
from arldm.model.batch import StoryBatch
from arldm.model.condition import Condition, PastTokens
from arldm.model.denoiser import build_autocast, guided, paired
from arldm.model.text import CaptionTokenizer
from arldm.model.vocabulary import BERT_SPECIAL
from arldm.train.engine import save_memory
from arldm.train.optimizer import build_optimizer
from arldm.train.sharing import learning
from arldm.train.step import Objective, gradients

FLOAT32 = ("group_norm", "layer_norm", "softmax")
CPU = torch.device("cpu")
Prepare = Callable[[ARLDM], object]


@dataclass(frozen=True, slots=True)
class Peak:
    """Bytes at the worst moment: what is held from step to step, and what comes and goes."""

    weights: int
    average: int
    moments: int  # the optimizer's
    working: int  # gradients, activations, weights cast to another precision

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.average + self.moments + self.working


def training_peak(
    config: ModelConfig,
    train: TrainConfig,
    frames: int = 5,
    given: int = 0,
    freeze: Frozen = (),
    *,
    gpu: bool = True,
    prepare: Prepare = id,
) -> Peak:
    """The peak of a step that is not the first, every caption being as long as it may, on a process that has all the weights.

    Of `frames`, `given` are only looked at. `gpu`: by a GPU's rules of mixed precision. `prepare` is done to the model beforehand.
    """
    moments, stepping, average = _moving(
        config,
        freeze,
        prepare,
        TrainConfig(optimizer=train.optimizer, muon_learning_rate=train.muon_learning_rate, learning_rate=train.learning_rate),
    )
    batches = TrainConfig(
        batch_size=train.batch_size,
        gradient_accumulation_steps=min(2, train.gradient_accumulation_steps),  # gradients are there when the second adds to them
        precision=train.precision,
        gradient_checkpointing=train.gradient_checkpointing,
    )
    weights, learning = _learning(config, freeze, prepare, batches, frames, given, gpu)
    return Peak(weights, average if train.ema_decay and not train.offload_ema else 0, moments, max(learning, stepping))


@cache
def sampling_peak(config: ModelConfig, batch: int, frames: int = 5, precision: Precision = "no", *, gpu: bool = True) -> Peak:
    """The peak of drawing the last frames of `batch` stories at once, with guidance."""
    with _rehearsal(gpu) as tracker, torch.no_grad():
        model = hollow(config).eval()
        weights = tracker.held
        stories = stories_of(config, batch, frames)
        pair = paired(_condition(model, stories), model.null())
        with build_autocast(precision, CPU):
            latents = guided(model.unet, stories.latents[:, -1], torch.zeros((), dtype=torch.long), pair, 3.0)
        model.latents.decode(latents)
        return Peak(weights, 0, 0, tracker.peak - weights)


def parameters(config: ModelConfig) -> int:
    """How many numbers the model is made of."""
    return sum(weight.numel() for weight in _empty(config).parameters())


@cache
def _learning(
    config: ModelConfig, freeze: Frozen, prepare: Prepare, train: TrainConfig, frames: int, given: int, gpu: bool
) -> tuple[int, int]:
    """Bytes of the weights, and the most beyond them in the forward and backward passes of a step."""
    with _rehearsal(gpu) as tracker:
        model = hollow(config, freeze, prepare).train()
        if train.gradient_checkpointing:
            save_memory(model)
        weights = tracker.held
        stories = stories_of(config, train.batch_size, frames, given)
        for _ in range(train.gradient_accumulation_steps):
            gradients(Objective(model), stories, [torch.Generator() for _ in range(train.batch_size)], train)
        return weights, tracker.peak - weights


@cache
def _moving(config: ModelConfig, freeze: Frozen, prepare: Prepare, train: TrainConfig) -> tuple[int, int, int]:
    """Bytes of the optimizer's moments, the most beyond weights and moments while it steps, and bytes of what learns."""
    with _rehearsal(gpu=False) as tracker:
        model = hollow(config, freeze, prepare)
        weights = learning(model)
        before = tracker.held
        for weight in weights.values():
            weight.grad = torch.zeros_like(weight)
        gradients_held = tracker.held - before
        eight = train.optimizer == "adamw_8bit"
        optimizer = EightBitAdamW(weights.values()) if eight else build_optimizer(model, train)
        optimizer.step()
        moments = tracker.held - before - gradients_held
        nn.utils.clip_grad_norm_(weights.values(), train.max_grad_norm)
        optimizer.step()
        return moments, tracker.peak - before - moments, gradients_held


class EightBitAdamW(torch.optim.Optimizer):
    """Holds what bitsandbytes' AdamW8bit holds, whose kernels cannot be rehearsed: for each weight two moments of a byte and a
    float32 for each block of them, or float32 for a tensor of less than 4096."""

    BLOCK, LEAST = 256, 4096

    def __init__(self, weights: Any) -> None:
        super().__init__(weights, {})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Make the moments, the first time."""
        for weight in self.param_groups[0]["params"]:
            if self.state[weight]:
                continue
            small = weight.numel() < self.LEAST
            for moment in ("1", "2"):
                self.state[weight]["state" + moment] = torch.zeros_like(weight, dtype=torch.float32 if small else torch.uint8)
                if not small:
                    self.state[weight]["absmax" + moment] = torch.zeros(-(-weight.numel() // self.BLOCK))


class Tracker(TorchDispatchMode):
    """Counts the bytes of all tensors that are made inside, from when they are made to when they are freed.

    torch.distributed's MemTracker counts the same, and keeps a record of every module, which at full size takes it minutes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held = 0  # bytes, now
        self.peak = 0  # the most bytes that were held at once
        self._counted = WeakIdKeyDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `func` and count what it made."""
        made = func(*args, **kwargs or {})
        tree_map_only(Tensor, self._count, made)
        return made

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage not in self._counted:
            size = storage.nbytes()
            self._counted[storage] = size
            weakref.finalize(storage, self._free, size)
            self.held += size
            self.peak = max(self.peak, self.held)

    def _free(self, size: int) -> None:
        self.held -= size


@contextmanager
def _gpu_autocast() -> Iterator[None]:
    """What CUDA's autocast runs in float32 and the CPU's does not, of all that this model calls, runs in float32.

    Where torch knows no GPU, tensors cannot even pretend to be on one; so they pretend to be on the CPU.
    """
    usual = {name: getattr(F, name) for name in FLOAT32}

    def widened(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def run(input: Tensor, *rest: Any, **named: Any) -> Tensor:
            return function(input.float() if torch.is_autocast_enabled("cpu") else input, *rest, **named)

        return run

    try:
        for name, function in usual.items():
            setattr(F, name, widened(function))
        yield
    finally:
        for name, function in usual.items():
            setattr(F, name, function)


@contextmanager
def _rehearsal(gpu: bool) -> Iterator[Tracker]:
    """Tensors made inside have no bytes, and are counted."""
    with FakeTensorMode(allow_non_fake_inputs=True), Tracker() as tracker, _gpu_autocast() if gpu else nullcontext():
        yield tracker


@cache
def blank_tokenizers(config: ModelConfig) -> tuple[CaptionTokenizer, CaptionTokenizer]:
    """Tokenizers of the right sizes, whose words mean nothing."""

    def vocabulary(size: int, signs: tuple[str, ...]) -> dict[str, int]:
        return {token: number for number, token in enumerate((*signs, *map(str, range(size - len(signs)))))}

    clip = CLIPTokenizer(vocab=vocabulary(config.text.vocabulary, ("<|startoftext|>", "<|endoftext|>")), merges=[])  # type: ignore[arg-type]
    bert = BertTokenizer(vocab=vocabulary(config.past.vocabulary, BERT_SPECIAL))
    return CaptionTokenizer(clip, config.text.max_tokens), CaptionTokenizer(bert, config.past.max_tokens)


def _empty(config: ModelConfig) -> ARLDM:
    with init_empty_weights():
        return ARLDM(config, *blank_tokenizers(config))


def hollow(config: ModelConfig, freeze: Frozen = (), prepare: Prepare = id) -> ARLDM:
    """The model of a config with weights that hold nothing, inside of FakeTensorMode."""
    with unset_fake_temporarily():  # torch cannot move fake weights, and peft moves those that it makes
        model = _empty(config)
        model.freeze(freeze)
        with torch.device("meta"):
            prepare(model)
    model.to_empty(device="cpu")
    return model


def stories_of(config: ModelConfig, batch: int, frames: int, given: int = 0) -> StoryBatch:
    """A batch of stories whose captions are as long as they may be."""
    side, seen = config.picture_size // config.latents.downsample, config.past.picture_size

    def captions(count: int, length: int) -> tuple[Tensor, Tensor]:
        return torch.zeros(batch, count, length, dtype=torch.long), torch.ones(batch, count, length, dtype=torch.bool)

    drawn = frames - given
    pictures, latents = torch.zeros(batch, frames, 3, seen, seen), torch.zeros(batch, drawn, config.latents.channels, side, side)
    return StoryBatch(*captions(drawn, config.text.max_tokens), *captions(frames, config.past.max_tokens), pictures, latents)


def _condition(model: ARLDM, stories: StoryBatch) -> Condition:
    """Of the last frame, each frame before it read by itself, as `sample.Past` does it."""
    last = stories.latents.shape[1] - 1
    parts = (stories.past_ids, stories.past_keep, stories.past_pictures)
    read = [model.read_past([t], *(part[:, t : t + 1] for part in parts)) for t in range(last)]
    seen = [one for one in read if one is not None]
    past = None
    if seen:
        past = PastTokens(torch.cat([one.tokens for one in seen], 1), torch.cat([one.keep for one in seen], 1), range(last))
    ids, keep = stories.caption_ids[:, last:], stories.caption_keep[:, last:]
    return model.conditioner(model.read_captions(ids, keep), keep, [last], past)


def sizes(model: ARLDM) -> dict[str, int]:
    """Parameters of each part, and of all."""
    blip = model.history_encoder
    parts = {
        "U-Net": model.unet,
        "autoencoder": model.latents.vae,
        "CLIP": model.text_encoder,
        "BLIP, pictures": blip and blip.vision,
        "BLIP, text": blip and blip.text,
        "embeddings": model.conditioner,
    }
    counts = {name: sum(weight.numel() for weight in part.parameters()) for name, part in parts.items() if part is not None}
    return {**counts, "in all": sum(counts.values())}

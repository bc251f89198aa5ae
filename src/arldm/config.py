"""Frozen records of a model, a training and a sampling; JSON in and out, saved beside the weights. No torch."""

import dataclasses
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin

from arldm.errors import ConfigError

T = TypeVar("T")
History = Literal["none", "captions", "pictures"]
Positions = Literal["absolute", "relative"]
Precision = Literal["no", "bf16"]
TrainPrecision = Literal["no", "bf16", "fp16", "auto"]  # "auto" = bf16 where that is faster, else "no"
Optimizer = Literal["adamw", "adamw_8bit"]  # adamw_8bit: its moments in 8 bits, by bitsandbytes
Frozen = tuple[Literal["text_encoder", "history_encoder", "conditioner"], ...]  # what does not learn
Mode = Literal["full", "lora", "token", "pin"]  # of an adaptation
Still = Literal["middle", "random"]  # of a clip
Scaling = Literal["", "unit", "imagenet"]  # of a classifier's pictures; "" = as its file says, unit where it does not


@dataclass(frozen=True, slots=True)
class TextConfig:
    """The CLIP text encoder (current caption). `vocabulary` is the most that the tokenizer is trained to."""

    width: int = 768
    layers: int = 12
    heads: int = 12
    max_tokens: int = 77  # a longer caption is refused
    vocabulary: int = 49408


@dataclass(frozen=True, slots=True)
class HistoryConfig:
    """BLIP's vision and image-grounded text encoder (past pictures with their captions)."""

    picture_size: int = 224  # pixels
    patch: int = 16  # pixels
    stem: int = 0  # channels of convolutions before the patches, a patch being a multiple of 4 pixels; 0, as in BLIP, for none
    vision_width: int = 1024
    vision_layers: int = 24
    vision_heads: int = 16
    text_width: int = 768
    text_layers: int = 12
    text_heads: int = 12
    max_tokens: int = 77
    vocabulary: int = 30524


@dataclass(frozen=True, slots=True)
class LatentConfig:
    """The autoencoder. `kind` "kl" is Stable Diffusion's; "dc" is AutoencoderDC behind a `pixel_unshuffle(unshuffle)`,
    correcting the principal components of patches."""

    kind: Literal["kl", "dc"] = "kl"
    channels: int = 4
    widths: tuple[int, ...] = (128, 256, 512, 512)
    layers: int = 2  # residual blocks a level; for "dc", of the decoder
    encoder_layers: int = 1  # of the encoder of "dc"
    unshuffle: int = 1  # pixels folded into channels before the encoder, unfolded after the decoder
    finish: int = 0  # residual blocks that go over a decoded picture

    @property
    def downsample(self) -> int:
        """Pixels per latent cell along one side."""
        return self.unshuffle * 2 ** (len(self.widths) - 1)


@dataclass(frozen=True, slots=True)
class DenoiserConfig:
    """The U-Net and its noise schedule."""

    widths: tuple[int, ...] = (320, 640, 1280, 1280)
    layers: int = 2
    heads: int = 8  # number of attention heads, which is what diffusers' `attention_head_dim` means
    coordinates: int = 0  # more channels of the input, sines that say where each cell is; 0, as in the paper, or a multiple of 4
    groups: int = 32
    prediction: Literal["epsilon", "v_prediction"] = "epsilon"
    zero_terminal_snr: bool = False
    train_timesteps: int = 1000
    beta_start: float = 0.00085
    beta_end: float = 0.012


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """A whole AR-LDM."""  # the class' defaults are the paper's: Stable Diffusion 1.5 and BLIP-large

    name: str = "paper"  # for people; the model's hash has it, too
    picture_size: int = 512  # pixels
    history: History = "pictures"
    positions: Positions = "absolute"
    window: int = 4  # past frames that stay visible; absolute positions have a table of window + 1
    context: int = 0  # layers in which queries read caption and history together, before the U-Net does; 0, as in the paper
    summary: int = 0  # queries, which sum up what they read and to which alone the U-Net attends; 0 if there is no context
    choices: int = 0  # values, at most, among which a token of the summary is decided by lot where nothing tells it; 0 = none is
    memory: int = 0  # past frames that the context reads, if there is one; 0 = no more than the window
    text: TextConfig = TextConfig()
    past: HistoryConfig = HistoryConfig()
    latents: LatentConfig = LatentConfig()
    denoiser: DenoiserConfig = DenoiserConfig()

    def check(self) -> None:
        """Raise ConfigError where two parts could not be joined."""
        if self.history != "none" and self.text.width != self.past.text_width:
            got = f"text.width is {self.text.width} and past.text_width {self.past.text_width}"
            raise ConfigError(f"{got}; both are the width of the U-Net's condition and must be equal")
        if bool(self.context) != bool(self.summary) or (self.choices and not self.summary):
            got = f"context is {self.context}, summary {self.summary} and choices {self.choices}"
            raise ConfigError(f"{got}; expected a summary where there is a context, and there alone, and choices nowhere else")
        patch = self.past.patch if self.past.stem else 0
        for name, value in (("denoiser.coordinates", self.denoiser.coordinates), ("past.patch", patch)):
            if value % 4:
                raise ConfigError(f"{name} is {value}; expected a multiple of 4")
        if self.window < 1:
            raise ConfigError(f"window is {self.window}; expected 1 past frame or more")
        for name, size, unit in (
            ("picture_size", self.picture_size, self.latents.downsample * 2 ** (len(self.denoiser.widths) - 1)),
            ("past.picture_size", self.past.picture_size, self.past.patch),
        ):
            if size < unit or size % unit:
                raise ConfigError(f"{name} is {size}; expected a multiple of {unit}")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A training run."""  # the class' defaults are the paper's where it has a word on it; recipes have their own

    steps: int = 10_000
    batch_size: int = 8  # stories (or pictures) at a time, on each process
    gradient_accumulation_steps: int = 1  # batches a step, on each process
    learning_rate: float = 1e-5
    optimizer: Optimizer = "adamw"
    muon_learning_rate: float = 0.0  # of Muon, for matrices, the denoiser's where it learns; 0 = AdamW for all weights
    warmup_steps: int = 500
    weight_decay: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    max_grad_norm: float = 1.0  # 0 = not clipped
    conditioning_dropout: float = 0.1  # share of frames that lose caption and history together (classifier-free guidance)
    # towards the noisy end: a share t of the timesteps becomes shift t / (1 + (shift - 1) t) (Esser et al. 2024, eq. 23)
    shift: float = 1.0
    ema_decay: float = 0.999  # 0 = no average is kept
    offload_ema: bool = False  # keep the average on the CPU
    precision: TrainPrecision = "no"  # of products; weights are always float32
    allow_tf32: bool = False  # on GPUs, products of float32 with 10 bits of mantissa
    gradient_checkpointing: bool = False  # of U-Net, CLIP and BLIP: a third more time, a fraction of the memory
    torch_compile: bool = False  # U-Net, CLIP and BLIP
    fsdp: bool = False  # FSDP2: weights, gradients and moments are shared out among processes; otherwise each has all (DDP)
    seed: int = 0
    threads: int = 0  # CPU threads; 0 = all
    checkpoint_every: int = 500  # steps
    checkpoints_total_limit: int = 2  # older ones are deleted
    preview_every: int = 500  # steps between sample strips; 0 = never, of a classifier once an epoch
    report_to: Literal["tensorboard", "wandb", "trackio", "none"] = "tensorboard"

    def items_a_step(self, processes: int) -> int:
        """How many stories (or pictures) all processes together learn from before they move."""
        return self.batch_size * self.gradient_accumulation_steps * processes


@dataclass(frozen=True, slots=True)
class TellConfig:
    """How a story is drawn."""

    steps: int = 5  # of ddim; best such that divide train_timesteps (docs/evaluation.md)
    guidance: float = 2.0  # scale of classifier-free guidance; 1 = none
    scheduler: Literal["ddim", "dpm++", "unipc"] = "ddim"
    seed: int = 0  # `arldm tell` takes -1 as one at random, and prints it
    # of the U-Net; bf16 is faster where the processor knows it; the bytes depend on it, in a batch more than in float32
    precision: Precision = "no"


QUICK = TellConfig(steps=20, guidance=6.0)  # samples of published weights while they learn


def to_dict(config: Any) -> dict[str, Any]:
    """A config as plain JSON values (tuples become lists, paths strings)."""
    return json.loads(json.dumps(dataclasses.asdict(config), default=os.fspath))


def changes(config: Any) -> dict[str, Any]:
    """What of a config is not as by default, as plain JSON values: an option that comes later leaves it as it was."""
    default = type(config)()
    found = {}
    for field in dataclasses.fields(config):
        value, usual = getattr(config, field.name), getattr(default, field.name)
        if dataclasses.is_dataclass(value):
            found |= {f"{field.name}.{name}": inner for name, inner in changes(value).items()}
        elif value != usual:
            found[field.name] = list(value) if isinstance(value, tuple) else value
    return found


def flat(values: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What `to_dict` gave, each value with the names that lead to it."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, (*path, name))
        else:
            yield (*path, name), value


def from_dict(kind: type[T], values: dict[str, Any]) -> T:
    """The config of `kind` that `to_dict` wrote. A missing key is as by default.

    Raises ConfigError on an unknown one, or on a value of another type; TypeError where one without a default is missing.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if not isinstance(values, dict):
        raise ConfigError(f"{kind.__name__} is {values!r}; expected options by name")
    if unknown := set(values) - set(fields):
        raise ConfigError(f"{kind.__name__}: unknown option {min(unknown)!r}; expected one of {', '.join(sorted(fields))}")
    return kind(**{name: _value(name, fields[name].type, value) for name, value in values.items()})


def _value(name: str, hint: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value)  # type: ignore[arg-type]
    choices = get_args(hint)
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{name} is {value!r}; expected a list")
        hints = choices[:1] * len(value) if choices[-1] is Ellipsis else choices
        if len(value) != len(hints):
            raise ConfigError(f"{name} is {value!r}; expected {len(hints)} values")
        return tuple(_value(name, *pair) for pair in zip(hints, value, strict=True))
    if get_origin(hint) is dict and not isinstance(value, dict):
        raise ConfigError(f"{name} is {value!r}; expected values by name")
    if get_origin(hint) is Literal and value not in choices:
        raise ConfigError(f"{name} is {value!r}; expected one of {', '.join(map(str, choices))}")
    kinds: dict[Any, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (int, float), str: (str,)}
    if hint in kinds and type(value) not in kinds[hint]:
        raise ConfigError(f"{name} is {value!r}; expected a value of type {hint.__name__}")
    return value

"""Whole runs as plain values: what is trained, on how much, and how. A measured result stands in a comment beside each.

`arldm train NAME --out RUN` runs one; every field is an option (`--train.steps 2000`). No torch here.
"""

from dataclasses import dataclass, field
from pathlib import Path

from arldm.config import DenoiserConfig, HistoryConfig, LatentConfig, ModelConfig, TextConfig, TrainConfig

PAPER = ModelConfig()  # Stable Diffusion 1.5 and BLIP-large: 1,511.5 M parameters

TOONSV = ModelConfig(
    name="toonsv",
    picture_size=256,
    positions="relative",
    text=TextConfig(width=256, layers=4, heads=4, max_tokens=48, vocabulary=1000),
    past=HistoryConfig(128, 16, 256, 4, 4, 256, 4, 4, max_tokens=48, vocabulary=1000),
    latents=LatentConfig(kind="dc", channels=32, widths=(128, 256), layers=3, encoder_layers=1, unshuffle=8),
    denoiser=DenoiserConfig((128, 256), layers=1, heads=4, prediction="v_prediction", zero_terminal_snr=True),
)


@dataclass(frozen=True, slots=True)
class Autoencoder:
    """The autoencoder of the embedded model, trained on crops of ToonSV pictures."""

    latents: LatentConfig = TOONSV.latents
    train: TrainConfig = TrainConfig(
        steps=2500, batch=8, learning_rate=1e-3, warmup=50, betas=(0.9, 0.99), ema=0.998, checkpoint_every=250, preview_every=250
    )
    stories: int = 1000  # of the training split, five frames each
    crop: int = 128  # pixels; a convolutional network learns as much from four crops as from one picture of four times the area


@dataclass(frozen=True, slots=True)
class Reader:
    """The network that reads ToonSV pictures back, trained on rendered truth."""

    train: TrainConfig = TrainConfig(
        steps=6000, batch=48, learning_rate=1e-3, warmup=100, betas=(0.9, 0.99), ema=0.998, checkpoint_every=500, preview_every=0
    )
    stories: int = 8000


@dataclass(frozen=True, slots=True)
class ToonSV:
    """AR-LDM on ToonSV with cached latents."""

    model: ModelConfig = TOONSV
    train: TrainConfig = TrainConfig(
        steps=4000, batch=8, learning_rate=5e-4, warmup=100, betas=(0.9, 0.99), ema=0.998, checkpoint_every=100, preview_every=250
    )
    stories: int = 8000
    autoencoder: Path = field(default=Path("runs/out/autoencoder/autoencoder"))


Recipe = Autoencoder | Reader | ToonSV
RECIPES: dict[str, Recipe] = {"toonsv-autoencoder": Autoencoder(), "toonsv-reader": Reader(), "toonsv": ToonSV()}

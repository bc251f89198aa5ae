"""Whole runs as plain values: what is trained, on how much, and how.

`arldm train NAME --out RUN` runs one; every field is an option (`--train.steps 2000`). No torch here.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from arldm.config import (
    DenoiserConfig,
    Frozen,
    History,
    HistoryConfig,
    LatentConfig,
    ModelConfig,
    Scaling,
    Still,
    TextConfig,
    TrainConfig,
)

PAPER = ModelConfig()  # Stable Diffusion 1.5 and BLIP-large: 1,511.5 M parameters

TOONSV = ModelConfig(
    name="toonsv",
    picture_size=256,
    positions="relative",
    context=3,
    summary=29,  # what is to be drawn has so many facts (toonsv.questions)
    choices=32,  # as many landmarks there are
    memory=48,
    text=TextConfig(width=256, layers=2, heads=4, max_tokens=48, vocabulary=1000),
    past=HistoryConfig(128, 16, 128, 256, 2, 4, 256, 2, 4, max_tokens=48, vocabulary=1000),
    latents=LatentConfig(kind="dc", channels=32, widths=(128, 256), layers=3, encoder_layers=1, unshuffle=8),
    denoiser=DenoiserConfig((128, 224), layers=1, heads=4, coordinates=16, prediction="v_prediction", zero_terminal_snr=True),
)

#: runs in seconds; its pictures are noise
TINY = ModelConfig(
    name="tiny",
    picture_size=64,
    positions="relative",
    context=1,
    summary=29,
    choices=32,
    text=TextConfig(width=16, layers=1, heads=2, max_tokens=64, vocabulary=700),
    past=HistoryConfig(16, 8, 8, 16, 1, 2, 16, 1, 2, max_tokens=64, vocabulary=300),
    latents=LatentConfig(kind="dc", channels=4, widths=(8, 16), layers=1, unshuffle=2),
    denoiser=DenoiserConfig((16, 32), 1, heads=2, groups=8, coordinates=4, prediction="v_prediction", zero_terminal_snr=True),
)


#: learning rates and averages suit runs of a few thousand steps on a CPU, not the paper's 50 epochs
AUTOENCODER_TRAIN = TrainConfig(
    steps=2500,
    batch_size=8,
    learning_rate=1e-3,
    muon_learning_rate=3e-3,
    warmup_steps=50,
    betas=(0.9, 0.99),
    ema_decay=0.998,
    precision="auto",
    checkpoint_every=250,
    preview_every=250,
)
ENLARGER_TRAIN = TrainConfig(
    steps=2000,
    batch_size=8,
    learning_rate=1e-3,
    muon_learning_rate=3e-3,
    warmup_steps=50,
    betas=(0.9, 0.99),
    ema_decay=0.998,
    checkpoint_every=250,
    preview_every=250,
)
READER_TRAIN = TrainConfig(
    steps=2500,
    batch_size=32,
    learning_rate=1.5e-3,
    muon_learning_rate=5e-3,
    warmup_steps=100,
    betas=(0.9, 0.99),
    ema_decay=0.998,
    checkpoint_every=250,
    preview_every=0,
)
DECODER_TRAIN = TrainConfig(
    steps=2500,
    batch_size=2,  # stories
    learning_rate=3e-4,
    muon_learning_rate=2e-3,
    warmup_steps=50,
    betas=(0.9, 0.99),
    ema_decay=0.99,
    precision="auto",
    checkpoint_every=100,
    preview_every=500,
)
TOONSV_TRAIN = TrainConfig(
    steps=8000,
    batch_size=4,
    learning_rate=5e-4,
    muon_learning_rate=3e-3,  # the loss of 300 steps of AdamW in 110 steps, each 1.5 times as long
    warmup_steps=40,
    betas=(0.9, 0.99),
    shift=2.5,  # what is told decides most where little is to be seen
    ema_decay=0.998,
    precision="auto",
    checkpoint_every=200,
    preview_every=500,
)
ENCODERS_TRAIN = TrainConfig(
    steps=3500,
    batch_size=4,  # stories
    learning_rate=5e-4,
    muon_learning_rate=3e-3,
    warmup_steps=50,
    betas=(0.9, 0.99),
    ema_decay=0.995,
    precision="auto",
    checkpoint_every=100,
    preview_every=0,
)
CONTEXT_TRAIN = replace(ENCODERS_TRAIN, steps=2500, seed=1)  # in other orders than in the first lesson
#: the paper's, as far as its authors told it (docs/paper.md); eight processes make eight stories a step
PAPER_TRAIN = TrainConfig(
    steps=0,  # as many as the epochs take
    batch_size=1,
    learning_rate=1e-5,
    warmup_steps=1000,
    weight_decay=1e-4,
    max_grad_norm=1.0,
    conditioning_dropout=0.1,
    precision="bf16",
    checkpoint_every=5000,  # of 23 GB each
    preview_every=1000,
)
#: StoryViz's (its classifier is called 32_1e-05), whose Adam had no decay, no warm-up, no average and no cosine
CLASSIFIER_TRAIN = TrainConfig(
    steps=0,  # as many as the epochs take
    batch_size=32,
    learning_rate=1e-5,
    warmup_steps=0,
    weight_decay=0.0,
    ema_decay=0.0,
    checkpoint_every=500,
    preview_every=0,  # once in an epoch
)


@dataclass(frozen=True, slots=True)
class Autoencoder:
    """The autoencoder of the embedded model, trained on crops of ToonSV pictures."""

    latents: LatentConfig = TOONSV.latents
    train: TrainConfig = AUTOENCODER_TRAIN
    picture_size: int = TOONSV.picture_size  # pixels
    stories: int = 1000  # of the training split, five frames each
    crop: int = 128  # pixels; a convolutional network learns as much from four crops as from one picture of four times the area
    cache: Path | None = None  # where drawn pictures are kept; several runs may share it. None = `cache` in the run's folder


@dataclass(frozen=True, slots=True)
class Enlarger:
    """The network that makes pages sharp, trained on what the embedded model's decoder makes of ToonSV pictures."""

    train: TrainConfig = ENLARGER_TRAIN
    model: Path = Path("toonsv")  # a model's folder; "toonsv" is the embedded one
    stories: int = 200  # of the training split, five frames each
    crop: int = 64  # pixels, before it is enlarged
    cache: Path | None = None  # where drawn pictures are kept; several runs may share it. None = `cache` in the run's folder


@dataclass(frozen=True, slots=True)
class Reader:
    """The network that reads ToonSV pictures back, trained on rendered truth."""

    train: TrainConfig = READER_TRAIN
    scenes: int = 40000  # each value as likely as any other, the held-out characters among them
    cache: Path | None = None  # where drawn pictures are kept; several runs may share it. None = `cache` in the run's folder


@dataclass(frozen=True, slots=True)
class ToonSV:
    """AR-LDM on ToonSV with cached latents."""

    model: ModelConfig = TOONSV  # with history "none" and "captions" the baselines
    train: TrainConfig = TOONSV_TRAIN
    stories: int = 8000
    frames: int = 5
    autoencoder: Path = Path("runs/out/toonsv/autoencoder/autoencoder.safetensors")  # what `arldm train toonsv-autoencoder` left
    encoders: Path | None = None  # what `toonsv-encoders` or `toonsv-context` left; None = encoders that start from nothing
    freeze: Frozen = ()  # what does not learn, like the autoencoder
    denoiser: Path | None = None  # a model's folder, whose U-Net learns on; None = one that starts from nothing
    details: float = 0.0  # how much more faces, hats and held things count in the loss (train/details.py)
    scenes: int = 0  # without a story, of crowds and held things: half of each batch, if there are any (train/scenes.py)
    cache: Path | None = None  # where drawn pictures are kept; several runs may share it. None = `cache` in the run's folder


@dataclass(frozen=True, slots=True)
class Decoder:
    """The decoder of a model on ToonSV, trained on what its denoiser makes of noisy latents."""

    model: Path = Path("runs/out/toonsv/scenes/model")  # what `arldm train toonsv` left
    train: TrainConfig = DECODER_TRAIN
    finish: int = 6  # blocks of the network behind the decoder
    stories: int = 1000
    frames: int = 5
    cache: Path | None = None  # where drawn pictures are kept; several runs may share it. None = `cache` in the run's folder


@dataclass(frozen=True, slots=True)
class Encoders:
    """The first lesson of all that makes the condition."""

    model: ModelConfig = TOONSV
    train: TrainConfig = ENCODERS_TRAIN
    stories: int = 2500
    frames: int = 16  # longer ones than the U-Net learns from: whoever comes back after ten frames must be known again
    scenes: int = 24000  # without a story, each value as likely as any other; those with held-out characters are left out
    cache: Path | None = None  # where drawn pictures are kept; several runs may share it. None = `cache` in the run's folder


@dataclass(frozen=True, slots=True)
class Context:
    """The second lesson, of the context alone."""

    model: ModelConfig = TOONSV
    train: TrainConfig = CONTEXT_TRAIN
    encoders: Path = Path("runs/out/toonsv/encoders/encoders.safetensors")  # what `arldm train toonsv-encoders` left
    doubt: bool = False  # asked what nothing tells, too, so that it learns how likely each answer is
    stories: int = 2500
    frames: int = 16
    cache: Path | None = None  # where drawn pictures are kept; several runs may share it. None = `cache` in the run's folder


@dataclass(frozen=True, slots=True)
class Judges:
    """Whose figures stand beside each sample of a run, of told stories of the validation split; none by default."""

    stories: int = 8  # the first ones
    fid: Path | None = None  # weights of FID's network, as pytorch-fid published them
    classifier: Path | None = None  # what `arldm train-classifier` left, or weights of StoryViz, StoryDALL-E or StoryGPT-V
    classifier_names: tuple[str, ...] = ()  # whom it knows, in the order of its outputs, where its file does not tell
    classifier_scaling: Scaling = ""  # how it looks, likewise (docs/evaluation.md)
    encoder: tuple[Path, ...] = ()  # CLIP, SigLIP, ViT or DINOv2 folders of transformers


@dataclass(frozen=True, slots=True)
class Paper:
    """A row of the paper's tables: AR-LDM on a corpus that `arldm prepare` imported, from a model that `arldm init paper` made."""

    train: TrainConfig = PAPER_TRAIN
    model: Path = Path("runs/out/pororo/model")  # a model's folder
    dataset: Path = Path("runs/out/pororo/archive")  # an archive
    captions: str = "captions"  # which kind; of VIST "sis" or "dii"
    given: int = 0  # pictures at the start of a story that are looked at and not drawn: 0 is visualization, 1 continuation
    history: History = "pictures"  # "none" and "captions" are the baselines
    still: Still = "random"  # of a clip, at each reading
    epochs: int = 50  # in place of train.steps, if these are 0
    freeze: Frozen = ()  # what does not learn, but for tables of tokens
    cache: Path | None = None  # where the stills' latents are kept; several runs may share it. None = `cache` in the run's folder
    judges: Judges = Judges()  # at each sample


@dataclass(frozen=True, slots=True)
class Classifier:
    """The network that tells who is in a picture, trained on an archive's labels as StoryViz did."""

    train: TrainConfig = CLASSIFIER_TRAIN
    dataset: Path = Path("runs/out/pororo/archive")  # an archive whose clips say who is in them
    weights: Path | None = None  # torchvision's inception_v3 of ImageNet, from which the field starts; None = from nothing
    epochs: int = 50  # in place of train.steps, if these are 0
    thin: int = 1  # divides the widths of all layers: 16 learns little, but in no time


Recipe = Autoencoder | Decoder | Enlarger | Reader | Encoders | Context | ToonSV | Paper | Classifier
RECIPES: dict[str, Recipe] = {
    "toonsv-autoencoder": Autoencoder(),
    "toonsv-enlarger": Enlarger(),
    "toonsv-reader": Reader(),
    "toonsv-encoders": Encoders(),
    "toonsv-context": Context(),
    "toonsv": ToonSV(),
    "toonsv-decoder": Decoder(),
    # published FID of these rows, each told by 250 steps of DDIM with guidance 6 and judged at 64 px; none was trained here
    "pororo-continuation": Paper(given=1),  # 17.40
    "flintstones-continuation": Paper(
        model=Path("runs/out/flintstones/model"), dataset=Path("runs/out/flintstones/archive"), given=1
    ),  # 19.28
    "vist-sis-continuation": Paper(
        model=Path("runs/out/vist-sis/model"), dataset=Path("runs/out/vist/archive"), captions="sis", given=1
    ),  # 16.95
    "vist-dii-continuation": Paper(
        model=Path("runs/out/vist-dii/model"), dataset=Path("runs/out/vist/archive"), captions="dii", given=1
    ),  # 17.03
    "pororo-visualization": Paper(),  # 16.59
}

"""The commands of a laboratory: corpora, the model at full size, training; each a record of its options that can be called."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from tyro import MISSING
from tyro.conf import Positional, arg, subcommand

from arldm.config import TrainConfig
from arldm.recipes import (
    CLASSIFIER_TRAIN,
    RECIPES,
    Autoencoder,
    Classifier,
    Context,
    Decoder,
    Encoders,
    Enlarger,
    Paper,
    Reader,
    Recipe,
    ToonSV,
)


@dataclass(frozen=True)
class Prepare:
    """Bring published files into the one form that all else reads; the same command goes on, checks and mends."""

    corpus: Annotated[Positional[Literal["pororo", "flintstones", "vist", "folder", "h5"]], arg(metavar="CORPUS")]
    """pororo, flintstones, vist, folder (pictures of your own with a metadata.jsonl) or h5 (a file of AR-LDM's own scripts)."""
    source: Annotated[Positional[Path], arg(metavar="SOURCE")]
    """The folder that the published files were unpacked to; for h5, the file."""
    out: Annotated[Positional[Path], arg(metavar="OUT")]
    """The archive's folder: two Hugging Face datasets and a report."""
    workers: int = 0
    """Processes, 0 = as many as there are cores."""

    def __call__(self) -> int:
        from arldm.cli.preparing import prepare

        return prepare(self.corpus, self.source, self.out, self.workers)


@dataclass(frozen=True)
class Photographs:
    """Fetch the photographs that VIST's annotations name; the same command goes on."""

    source: Annotated[Positional[Path], arg(metavar="SOURCE")]
    """Where VIST's annotations were unpacked; photographs go to its folder images."""
    workers: int = 8
    """Photographs fetched at once."""

    def __call__(self) -> int:
        from arldm.cli.preparing import photographs

        return photographs(self.source, self.workers)


@dataclass(frozen=True)
class Init:
    """Make a model to train: the paper's, of 1.5 billion parameters, from published weights."""

    of: Annotated[Positional[Literal["paper"]], arg(metavar="paper")]
    """Stable Diffusion 1.x with BLIP-large."""
    sd: Path
    """A Stable Diffusion 1.x folder of diffusers."""
    blip: Path
    """A BLIP-large folder of transformers that reads text, such as blip-itm-large-coco; one that writes captions does not."""
    out: Path
    """The model's folder."""
    corpus: Literal["pororo", "flintstones", "vist-sis", "vist-dii"] = "pororo"
    """Whose names become words, and whose captions are to fit."""
    seed: int = 0
    """Of the embeddings that AR-LDM adds."""

    def __call__(self) -> int:
        from arldm.cli.beginning import init_paper

        return init_paper(self)


@dataclass(frozen=True)
class Plan:
    """Say how the paper's model trains and samples on a card of some memory, and with which options; takes a minute or two."""

    memory: tuple[str, ...]
    """Such as 24GB; several are planned for one after the other."""
    row: Literal[
        "pororo-continuation",
        "flintstones-continuation",
        "vist-sis-continuation",
        "vist-dii-continuation",
        "pororo-visualization",
    ] = "pororo-visualization"
    """Of the paper's tables, as in `arldm train`."""
    adapt: tuple[Literal["full", "lora", "token"], ...] = ()
    """Plan for a new character instead, by these modes of `arldm adapt`."""
    stories: int = 8
    """That a training step learns from on one card; eight are assumed of the paper (docs/paper.md), N cards take 8 / N each."""
    precision: Literal["no", "bf16", "fp16"] = "bf16"
    """Of products; cards older than NVIDIA's Ampere have no bf16."""

    def __call__(self) -> int:
        from arldm.cli.planning import plan

        return plan(self)


R = TypeVar("R", bound=Recipe)


def _run(recipe: Recipe, out: Path) -> int:
    from arldm.cli.training import train

    return train(recipe, out)


@dataclass(frozen=True)
class Training(Generic[R]):
    """A run of a recipe."""

    out: Path
    """The run's folder. The same command continues a run that was stopped."""
    recipe: Annotated[R, arg(name="")]

    def __call__(self) -> int:
        return _run(self.recipe, self.out)


@dataclass(frozen=True)
class TrainPaper(Training[Paper]):
    """A row of the paper's tables, on an archive of `arldm prepare` and from a model of `arldm init paper`."""

    dry_run: bool = False
    """Train nothing; print what would be done: options, parameters, steps, memory, time."""

    def __call__(self) -> int:
        from arldm.cli.training import foretell

        return foretell(self.recipe) if self.dry_run else super().__call__()


def _recipe(name: str, told: str) -> Any:
    recipe = RECIPES[name]
    default = TrainPaper(MISSING, recipe) if isinstance(recipe, Paper) else Training(MISSING, recipe)
    return subcommand(name, default=default, description=told)


@dataclass(frozen=True)
class Train:
    """Train what a recipe says."""

    run: Annotated[
        Annotated[Training[ToonSV], _recipe("toonsv", "AR-LDM on the embedded world.")]
        | Annotated[Training[Autoencoder], _recipe("toonsv-autoencoder", "The autoencoder of the embedded model.")]
        | Annotated[Training[Encoders], _recipe("toonsv-encoders", "The encoders' first lesson.")]
        | Annotated[
            Training[Context], _recipe("toonsv-context", "The second lesson, of what makes one story of captions and pictures.")
        ]
        | Annotated[
            Training[Decoder],
            _recipe("toonsv-decoder", "The decoder of a model on the embedded world, for what its denoiser leaves."),
        ]
        | Annotated[Training[Enlarger], _recipe("toonsv-enlarger", "The network that makes pages sharp.")]
        | Annotated[Training[Reader], _recipe("toonsv-reader", "The network that reads pictures back.")]
        | Annotated[TrainPaper, _recipe("pororo-continuation", "The paper's story continuation on PororoSV.")]
        | Annotated[TrainPaper, _recipe("flintstones-continuation", "The paper's story continuation on FlintstonesSV.")]
        | Annotated[TrainPaper, _recipe("vist-sis-continuation", "The paper's story continuation on VIST, told in sequence.")]
        | Annotated[TrainPaper, _recipe("vist-dii-continuation", "The paper's story continuation on VIST, described in isolation.")]
        | Annotated[TrainPaper, _recipe("pororo-visualization", "The paper's story visualization on PororoSV.")],
        arg(name=""),
    ]

    def __call__(self) -> int:
        return self.run()


@dataclass(frozen=True)
class TrainClassifier:
    """Train the network that tells who is in a picture, by an archive's labels; the same command continues."""

    dataset: Annotated[Positional[Path], arg(metavar="DATASET")]
    """An archive of `arldm prepare` whose clips say who is in them."""
    out: Path
    """The run's folder; the best of the run by validation is its classifier.safetensors."""
    weights: Path | None = None
    """torchvision's inception_v3 of ImageNet, .pth or .safetensors, from which the field starts; without it, from nothing."""
    epochs: int = Classifier().epochs
    """In place of --train.steps, if these are 0."""
    thin: int = Classifier().thin
    """Divides the widths of all layers; 16 learns little, but in no time."""
    train: TrainConfig = CLASSIFIER_TRAIN

    def __call__(self) -> int:
        return _run(Classifier(self.train, self.dataset, self.weights, self.epochs, self.thin), self.out)

"""The commands of `arldm evaluate`, each a record of its options that can be called."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg, subcommand

from arldm.config import History, Scaling, TellConfig

Split = Literal["train", "val", "test"]


@dataclass(frozen=True)
class EvaluateToonSV:
    """Tell stories of ToonSV and read them back: relevance, consistency, frame accuracy, character F1."""

    model: str = "toonsv"
    """A model's folder; "toonsv" is the one that ships with the program."""
    stories: int = 200
    skip: int = 0
    """The first stories that are left out: those by which something was chosen, say."""
    given: int = 0
    """Pictures given at the start of each story: 0 is visualization, 1 continuation."""
    history: History | None = None
    """Condition on less than the model can: captions or none."""
    split: Split = "test"
    frames: int = 5
    """Frames of each story."""
    memory: int | None = None
    """Past frames that the context may read, less or more than the model's own number, but no fewer than its window."""
    pinned: str = ""
    """Frames that stay visible however long ago they were, as numbers: 0 is the first."""
    held_out: bool = False
    """Only the stories of the split with a combination of character, place and prop that training never holds."""
    how: Annotated[TellConfig, arg(name="")] = TellConfig()
    batch: int = 8
    """Stories told at once."""
    brackets: bool = False
    """Also the rows between which a model stands: truth, truth without memory, the autoencoder's reconstruction."""
    json: Path | None = None
    """Where to write the report."""
    keep: Path | None = None
    """A folder to keep the told pictures in; interrupted, the same command goes on there."""

    def __call__(self) -> int:
        from arldm.cli.evaluating import evaluate_toonsv

        return evaluate_toonsv(self)


@dataclass(frozen=True)
class EvaluatePictures:
    """Compare any methods' pictures with a reference: FID and KID by two protocols, as a table, a report and a page."""

    methods: Annotated[Positional[tuple[Path, ...]], arg(metavar="METHOD..")]
    """Folders of pictures: told stories, a folder for each story, StoryDALL-E's names, ViStoryBench's tree, or pictures alone."""
    reference: Path
    """The true pictures, in any of these forms."""
    network: Literal["inception", "reader"] = "inception"
    """FID's own, or ToonSV's reader, which is at hand and whose figures compare with nobody else's."""
    weights: Path | None = None
    """pt_inception-2015-12-05-6726825d.pth of pytorch-fid, or the same as safetensors; nothing is fetched."""
    classifier: Path | None = None
    """A file of `arldm train-classifier`, or weights of StoryViz, StoryDALL-E or StoryGPT-V: character F1 and frame accuracy,
    where the reference's stories say who is in them."""
    classifier_names: tuple[str, ...] = ()
    """Whom it knows, in the order of its outputs, where its file does not tell."""
    classifier_scaling: Scaling = ""
    """How it looks, likewise: unit (also "") as StoryViz and StoryGPT-V, imagenet as StoryDALL-E."""
    encoder: UseAppendAction[tuple[Path, ...]] = ()
    """A transformers folder (CLIP, SigLIP, ViT, DINOv2): likeness to the true pictures, to captions (CLIP)
    and of characters to themselves. May be repeated."""
    characters: Path | None = None
    """Reference pictures, a folder for each character: how like them the frames that show it are, to the encoders."""
    given: int = 0
    """Pictures given at the start of each story: they are left out of all sets."""
    unpaired: bool = False
    """The sets hold different stories."""
    json: Path | None = None
    """Where to write the report."""
    page: Path | None = None
    """Where to write it as one HTML file."""
    tree: Path | None = None
    """A folder to copy the methods' pictures into as ViStoryBench's scripts read them."""
    cache: Path = Path("~/.cache/arldm")
    """Where features are kept; a picture is looked at once."""

    def __call__(self) -> int:
        from arldm.cli.comparing import evaluate_pictures

        return evaluate_pictures(self)


@dataclass(frozen=True)
class WriteTruth:
    """Write the true pictures of a split as folders of stories, for --reference: of each clip the middle still."""

    dataset: Annotated[Positional[Path], arg(metavar="ARCHIVE")]
    """An archive of `arldm prepare`."""
    out: Path
    """One folder a story is made in here, by its number."""
    split: Split = "test"
    captions: str = ""
    """Which kind, where an archive has several: sis or dii."""
    stories: int = 0
    """The first ones alone; 0 = all."""

    def __call__(self) -> int:
        from arldm.cli.comparing import write_truth

        return write_truth(self)


@dataclass(frozen=True)
class Evaluate:
    """Say in numbers how good stories are."""

    of: Annotated[
        Annotated[EvaluateToonSV, subcommand("toonsv")]
        | Annotated[EvaluatePictures, subcommand("pictures")]
        | Annotated[WriteTruth, subcommand("truth")],
        arg(name=""),
    ]

    def __call__(self) -> int:
        return self.of()

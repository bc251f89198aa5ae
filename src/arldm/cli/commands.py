"""The commands, each a record of its options that can be called."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg, subcommand

from arldm.cli.adapting import Adapt, Pack
from arldm.cli.evaluations import Evaluate, Split
from arldm.cli.laboratory import Init, Photographs, Plan, Prepare, Train, TrainClassifier
from arldm.cli.people import Survey
from arldm.config import History, TellConfig, to_dict


@dataclass(frozen=True)
class Tell:
    """Draw a story: frame after frame from a script."""

    script: Annotated[Positional[Path], arg(metavar="SCRIPT")]
    """One frame a line, or a story.json."""
    out: Path
    """The folder to draw into. A telling that was interrupted continues there; captions of --frames may be others by then."""
    model: str = "toonsv"
    """A model's folder; "toonsv" is the one that ships with the program."""
    picture: UseAppendAction[tuple[Path, ...]] = ()
    """A given picture (of one that is no square, the middle), for the first frame, then the next: story continuation. May be
    repeated."""
    pack: UseAppendAction[tuple[str, ...]] = ()
    """A new character, as `arldm adapt` made it: its folder, or DIR:0.7 for less of it. May be repeated."""
    frames: str = ""
    """Numbers of frames to draw again, as in the file names, e.g. 3,4 (the first is 0); the others are kept byte for byte."""
    take: int = 0
    """Another drawing of the same frames: 0, 1, 2, ..."""
    how: Annotated[TellConfig, arg(name="")] = TellConfig()
    threads: int = 0
    """CPU threads, 0 = all; the bytes depend on it."""
    metadata: bool = True
    """Write into each PNG what it was made from."""

    def __call__(self) -> int:
        from arldm.cli.telling import tell_script

        return tell_script(self)


@dataclass(frozen=True)
class Page:
    """Lay a told story out as a comic page, or a book of them."""

    story: Annotated[Positional[Path], arg(metavar="STORY")]
    """A told story's folder."""
    out: Annotated[Path, arg(aliases=["-o"])]
    """A .png or .pdf file."""
    enlarge: bool = False
    """Print what the embedded model drew at twice the size, by a network that knows how its world is drawn."""

    def __call__(self) -> int:
        from arldm.page import hard_to_read, left_over, render
        from arldm.story_files import check_apart, read_told

        story = read_told(self.story)
        check_apart(self.out, self.story)
        if self.enlarge:
            from arldm.cli.printing import enlarged

            story = enlarged(story, self.story)
        pages = render(story, self.out)
        print(*pages, sep="\n")
        for number, size in hard_to_read(story).items():
            got = f"frame {number}: so many words that their letters are {size:.1f} points high"
            print(f"arldm: {got}; expected fewer, or two frames", file=sys.stderr)
        for path in left_over(self.out, pages):
            print(f"arldm: {path}: is of an earlier printing, and no page of this one", file=sys.stderr)
        return 0


@dataclass(frozen=True)
class Show:
    """Print what a frame was made from."""

    frame: Annotated[Positional[Path], arg(metavar="FRAME")]
    """A PNG that arldm drew."""

    def __call__(self) -> int:
        from arldm.provenance import read_origin

        print(json.dumps(to_dict(read_origin(self.frame)), indent=1, ensure_ascii=False))
        return 0


@dataclass(frozen=True)
class Replay:
    """Draw a told story again and say of each frame whether every pixel is equal (exit 0) or not (exit 1)."""

    story: Annotated[Positional[Path], arg(metavar="STORY")]
    """A told story's folder."""
    model: str = ""
    """Where the model is now, if it has moved."""
    pack: UseAppendAction[tuple[str, ...]] = ()
    """Where its packs are now, if they have moved, as they were given to `arldm tell`. May be repeated."""

    def __call__(self) -> int:
        from arldm.cli.telling import replay

        return replay(self)


@dataclass(frozen=True)
class Draw:
    """Write stories of ToonSV, the embedded world, as folders."""

    out: Annotated[Positional[Path], arg(metavar="OUT")]
    """One folder a story is made in here."""
    split: Split = "test"
    stories: int = 20
    frames: int = 5
    size: int = 256
    """Pixels."""

    def __call__(self) -> int:
        from tqdm import tqdm

        from arldm.toonsv import stories
        from arldm.truth_files import write_known

        known_stories = stories(self.split, self.stories, self.frames, self.size)  # complains before a bar is shown
        with tqdm(known_stories, total=self.stories, unit="story", leave=False) as bar:  # wiped away before an error is told
            for known in bar:
                write_known(known, self.out / known.id)
        print(self.out)
        return 0


@dataclass(frozen=True)
class Sample:
    """Tell a whole split, over any number of processes (torchrun .. -m arldm sample ..); the same command goes on."""

    dataset: Annotated[Positional[str], arg(metavar="DATASET")]
    """An archive of `arldm prepare`; "toonsv" is the embedded world."""
    out: Path
    """Where the stories' folders are made."""
    model: str = "toonsv"
    """A model's folder; "toonsv" is the one that ships with the program."""
    split: Split = "test"
    captions: str = ""
    """Which kind, where an archive has several: sis or dii."""
    stories: int = 0
    """The first ones alone; 0 = all, of toonsv a number is needed."""
    given: int = 0
    """Pictures given at the start of each story: 0 is visualization, 1 continuation."""
    history: History | None = None
    """Condition on less than the model can: captions or none."""
    frames: int = 5
    """Frames of each story, where the embedded world may have any number."""
    how: Annotated[TellConfig, arg(name="")] = TellConfig()
    batch: int = 8
    """Stories told at once; the bytes depend on it."""
    threads: int = 1
    """CPU threads of each process, 0 = all; the bytes depend on it, so start several processes instead."""

    def __call__(self) -> int:
        from arldm.cli.sampling import sample

        return sample(self)


Command = (
    Annotated[Tell, subcommand("tell")]
    | Annotated[Page, subcommand("page")]
    | Annotated[Show, subcommand("show")]
    | Annotated[Replay, subcommand("replay")]
    | Annotated[Draw, subcommand("toonsv")]
    | Annotated[Prepare, subcommand("prepare")]
    | Annotated[Photographs, subcommand("photographs")]
    | Annotated[Init, subcommand("init")]
    | Annotated[Plan, subcommand("plan")]
    | Annotated[Train, subcommand("train")]
    | Annotated[TrainClassifier, subcommand("train-classifier")]
    | Annotated[Adapt, subcommand("adapt")]
    | Annotated[Pack, subcommand("pack")]
    | Annotated[Sample, subcommand("sample")]
    | Annotated[Evaluate, subcommand("evaluate")]
    | Annotated[Survey, subcommand("survey")]
)

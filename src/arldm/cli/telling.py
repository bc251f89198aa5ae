"""`arldm tell` and `arldm replay`."""

import random
import sys
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from tqdm import tqdm

from arldm.cli.continuing import RANDOM, Telling
from arldm.cli.packs import load_model
from arldm.config import TellConfig
from arldm.errors import ConfigError, ModelError, PictureError
from arldm.model.arldm import ARLDM
from arldm.pictures import read_picture
from arldm.provenance import Origin, chunks_in, origin, origin_in, pixel_hash
from arldm.sample import tell
from arldm.story import Frame, Story
from arldm.story_files import check_cast, frame_path, is_told, read_script, read_told
from arldm.toonsv.cast import NAMES
from arldm.writing import kept_alone

if TYPE_CHECKING:
    from arldm.cli.commands import Replay, Tell

MOST_THREADS = 1024  # OpenMP ends the whole process where it cannot start as many as it is told to


def tell_script(options: "Tell") -> int:
    """Draw a script into a folder, one frame after the other; what is drawn is kept whatever happens."""
    with kept_alone(options.out):
        return _told(options)


def _told(options: "Tell") -> int:
    again = numbers(options.frames, "--frames")
    asked, given = _asked_for(options, again)
    telling = Telling.into(options.out, asked, again)
    use_threads(options.threads)
    model = load_model(options.model, options.pack)
    check_cast(telling.story, model.tokenizer.words, NAMES)
    made = (options.model, model.hash())
    config = telling.settled(options.how, (made[1], options.pack, model.history))
    if config.seed == RANDOM:
        config = replace(config, seed=random.SystemRandom().randrange(2**31))
    telling.folder.finish(_drawn(options, telling, model, made, config))
    if not telling.drawn:
        print(f"{options.out}: {_why_none(options, telling, given)}")
    print(options.out / "strip.png")
    return 0


def _why_none(options: "Tell", telling: Telling, given: Collection[int]) -> str:
    """Why nothing was drawn, and what would be drawn for the asking."""
    some = [str(number) for number in range(len(telling.story.frames)) if number not in given][:2]
    whose = f"all pictures are given, or those of {options.script}" if telling.was is None else "all is drawn"
    return f"{whose}; --frames {','.join(some)} --take 1 draws {'these' if some[1:] else 'this one'} anew" if some else whose


def _drawn(options: "Tell", telling: Telling, model: ARLDM, made: tuple[str, str], config: TellConfig) -> list[Image.Image]:
    """All pictures of the story, each kept as soon as it is drawn. `made`: the model's name and hash."""
    bar = _Bar(len(telling.drawn) * config.steps, lambda: _begun(model, telling.story, config))
    frames = tell(model, telling.held, config, frames=telling.again, take=options.take, on_step=bar)
    how = {"history": model.history, "take": options.take, "packs": options.pack, "device": model.device.type}
    pictures: list[Image.Image] = []
    with closing(bar):  # wiped away before an error is told
        for number, frame in enumerate(frames):
            pictures.append(_picture(frame))
            for line in telling.replaced if number == 0 else ():
                print(f"arldm: {options.out}: {line}", file=sys.stderr)
            if number not in telling.drawn:
                chunks = _carried(options, number)
            else:
                facts = origin(telling.story, number, pictures, config, model=made, threads=torch.get_num_threads(), **how)
                chunks = facts.chunks(pictures[-1].size)
            telling.keep(number, pictures[-1], chunks if options.metadata else {})
    return pictures


def _carried(options: "Tell", number: int) -> dict[str, str]:
    """What a frame of a told story that is told on says of itself; a given picture is nobody's."""
    if number < len(options.picture) or not is_told(options.script):
        return {}
    folder = options.script if options.script.is_dir() else options.script.parent
    return chunks_in(path) if (path := frame_path(folder, number)).exists() else {}


def _asked_for(options: "Tell", again: frozenset[int]) -> tuple[Story, Collection[int]]:
    """The script's story with all pictures that there are, and which of them are given: none of these is to be drawn again."""
    story = _with_given(read_script(options.script), options.picture)
    given = range(len(options.picture)) if is_told(options.script) else [k for k, one in enumerate(story.frames) if one.picture]
    if wrong := sorted(again.intersection(given)):
        giver = "--picture" if wrong[0] < len(options.picture) else options.script
        raise ConfigError(f"--frames: got {wrong[0]}, which {giver} gives; expected frames that are drawn")
    return story, given


def replay(options: "Replay") -> int:
    """Draw each frame of a told story again, from the frames before it as they are, and compare."""
    story = read_told(options.story)
    origins = _origins(story, options.story)
    hashes = [pixel_hash(frame.picture) for frame in story.frames if frame.picture is not None]
    models = _Models(options)
    equal = True
    for number, frame in enumerate(story.frames):
        if number not in origins:
            print(f"{number:03}.png: {'not drawn yet' if frame.picture is None else 'given, not drawn'}")
            continue
        made = origins[number]
        use_threads(made.threads)
        frames = [replace(one, picture=None if k >= number else one.picture) for k, one in enumerate(story.frames[: number + 1])]
        *_, drawn = tell(models.that_drew(number, made), replace(story, frames=tuple(frames)), made.config, take=made.take)
        same, from_these = pixel_hash(_picture(drawn)) == hashes[number], made.past in ((), tuple(hashes[:number]))
        said = made.captions in ((), tuple(one.caption for one in frames))
        other = "different" if from_these and said else f"was drawn after other {'captions' if from_these else 'frames'} than these"
        found = "identical" if same else other
        print(f"{number:03}.png: {found}", flush=True)
        equal &= same
    return 0 if equal else 1


def _origins(story: Story, folder: Path) -> dict[int, Origin]:
    """What the frames that arldm drew were made from. Raises PictureError where that cannot be told, or not be done again."""
    paths = [frame_path(folder, number) for number in range(len(story.frames))]
    found = {number: made for number, path in enumerate(paths) if path.exists() and (made := origin_in(path))}
    if not found:
        raise PictureError(f"{folder}: no frame says what it was made from; expected a story told with metadata")
    missing = [number for number, frame in enumerate(story.frames) if frame.picture is None]
    if missing and missing[0] <= max(found):
        got = "is not told of in story.json" if (path := paths[missing[0]]).exists() else "not there, and frames after it are"
        raise PictureError(f"{path}: {got}; expected all before them, run `arldm tell` again")
    return found


class _Models:
    """The models, with packs, that drew a story's frames, each loaded once."""

    def __init__(self, options: "Replay") -> None:
        self._options = options
        self._held: dict[tuple[str, ...], tuple[ARLDM, str]] = {}  # with its hash

    def that_drew(self, number: int, made: Origin) -> ARLDM:
        """The one that drew a frame, ready to draw it again. Raises ConfigError where it is another, or draws elsewhere."""
        key = (self._options.model or made.model, *(self._options.pack or made.packs))
        if key not in self._held:
            try:
                loaded = load_model(key[0], key[1:])
            except ModelError as error:
                raise ModelError(f"{error}, or give its folder with --model, and those of its packs with --pack") from error
            self._held[key] = loaded, loaded.hash()
        model, model_hash = self._held[key]
        if model_hash != made.model_hash:
            got = f"is model {model_hash}; expected {made.model_hash}, which drew frame {number}"
            raise ConfigError(f"{' with '.join(key)}: {got}, give its folder with --model, and those of its packs with --pack")
        if model.device.type != made.device:
            got = f"was drawn on {made.device} and this machine draws on {model.device.type}"
            path = frame_path(self._options.story, number)
            raise ConfigError(f"{path}: {got}; expected the same kind, for others differ in the last bits")
        model.use_history(made.history)  # type: ignore[arg-type]
        return model


class _Bar:
    """Progress over all steps of all frames that are to be drawn. It begins with `begun`, once all has been found right."""

    def __init__(self, total: int, begun: Callable[[], None]) -> None:
        self.total, self.begun = total, begun
        self.bar: Any = None  # tqdm's, once there is one

    def __call__(self, frame: int, step: int) -> None:
        if self.bar is None:
            self.begun()
            self.bar = tqdm(total=self.total, unit="step", leave=False)
        self.bar.set_description(f"frame {frame}", refresh=False)
        self.bar.update()

    def close(self) -> None:
        """Wipe it away."""
        if self.bar is not None:
            self.bar.close()


def _picture(frame: Frame) -> Image.Image:
    assert frame.picture is not None
    return frame.picture


def use_threads(threads: int) -> None:
    """So many threads from now on, 0 = all. Raises ConfigError."""
    if not 0 <= threads <= MOST_THREADS:
        raise ConfigError(f"--threads: got {threads}; expected 1 to {MOST_THREADS}, or 0 for all")
    if threads:
        torch.set_num_threads(threads)


def numbers(text: str, option: str) -> frozenset[int]:
    """The numbers of frames that an option lists. Raises ConfigError."""
    try:
        return frozenset(int(number) for number in text.split(",") if number.strip())
    except ValueError as error:
        raise ConfigError(f"{option}: got {text!r}; expected numbers as in the file names, e.g. 3,4") from error


def _with_given(story: Story, paths: tuple[Path, ...]) -> Story:
    if len(paths) >= len(story.frames):
        raise ConfigError(
            f"--picture: got {len(paths)} for a story of {len(story.frames)} frames; expected fewer, so that some are left to draw"
        )
    given = [replace(frame, picture=read_picture(path)) for frame, path in zip(story.frames, paths, strict=False)]
    for frame, path in zip(given, paths, strict=True):
        tell_of_margins(path, _picture(frame))
    return replace(story, frames=(*given, *story.frames[len(paths) :]))


def tell_of_margins(path: Path, picture: Image.Image) -> None:
    """Say so where a picture is no square."""
    if picture.width != picture.height:
        got = f"{path} is {picture.width} x {picture.height}"
        print(f"arldm: {got}: only the square in its middle is looked at and printed", file=sys.stderr)


def _begun(model: ARLDM, story: Story, config: TellConfig) -> None:
    print(f"seed {config.seed}", flush=True)
    if unknown := model.unknown_words([frame.caption for frame in story.frames]):
        print(f"arldm: the model never saw these words, and may not draw them: {', '.join(unknown)}", file=sys.stderr)

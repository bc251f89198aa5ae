"""What a drawn frame was made from, as text inside its PNG: one line that other tools read, and one JSON with everything."""

import hashlib
import json
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from PIL import Image

from arldm.config import TellConfig, from_dict, to_dict
from arldm.errors import BROKEN, ConfigError, PictureError
from arldm.pictures import FORMATS, flattened
from arldm.story import Story

LINE, CHUNK = "parameters", "arldm"
PACKAGES = ("arldm", "torch", "diffusers", "transformers", "pillow")


@dataclass(frozen=True, slots=True)
class Origin:
    """Everything that the bytes of a frame depend on."""

    model: str  # as it was asked for
    model_hash: str
    story: str  # id
    frame: int
    captions: tuple[str, ...]  # up to this frame
    config: TellConfig
    take: int
    history: str
    past: tuple[str, ...]  # hashes of all earlier pictures, which it was conditioned on as far as the model looks back
    pixels: str  # hash of its own
    threads: int
    versions: dict[str, str]
    packs: tuple[str, ...] = ()  # as they were asked for
    device: str = "cpu"  # kind

    def chunks(self, size: tuple[int, int]) -> dict[str, str]:
        """The text chunks of the PNG."""
        c = self.config
        line = f"Steps: {c.steps}, Sampler: {c.scheduler}, CFG scale: {c.guidance}, Seed: {c.seed}, Size: {size[0]}x{size[1]}"
        parameters = f"{self.captions[-1]}\n{line}, Model hash: {self.model_hash}"
        chunks = {LINE: parameters, CHUNK: json.dumps(to_dict(self), ensure_ascii=False)}
        return {name: _writable(text) for name, text in chunks.items()}


def origin(
    story: Story,
    frame: int,
    pictures: list[Image.Image],
    config: TellConfig,
    *,
    model: tuple[str, str],
    history: str,
    take: int,
    threads: int,
    packs: tuple[str, ...],
    device: str,
) -> Origin:
    """The origin of frame `frame`, where `pictures` are those of the story up to and with it. `model` is its name and hash."""
    captions = tuple(one.caption for one in story.frames[: frame + 1])
    past = tuple(pixel_hash(picture) for picture in pictures[:-1]) if history == "pictures" else ()
    versions = {package: version(package) for package in PACKAGES}
    own = pixel_hash(pictures[-1])
    return Origin(*model, story.id, frame, captions, config, take, history, past, own, threads, versions, packs, device)


def _writable(text: str) -> str:
    """A path's bytes may be no letters; what JSON has for them can be read again."""
    return text.encode(errors="backslashreplace").decode()


def pixel_hash(picture: Image.Image) -> str:
    """A name for exactly these pixels, as a model sees them."""
    return hashlib.sha256(f"{picture.size}".encode() + flattened(picture).tobytes()).hexdigest()[:16]


def read_origin(path: Path) -> Origin:
    """The origin that a frame carries. Raises PictureError where there is none."""
    if (found := origin_in(path)) is None:
        raise PictureError(f"{path}: does not say what it was made from; expected a frame that arldm drew with metadata")
    return found


def origin_in(path: Path) -> Origin | None:
    """The origin that a picture carries, if it does. Raises PictureError where that cannot be understood, and for no picture."""
    if (text := chunks_in(path).get(CHUNK)) is None:
        return None
    try:
        found = {"captions": (), "past": (), **json.loads(text)}
        found.pop("batch", None)  # which was always one, and told by earlier versions
        return from_dict(Origin, found)
    except (*BROKEN, ConfigError) as error:
        raise PictureError(
            f"{path}: what it says of itself cannot be understood ({error}); another version may have drawn it"
        ) from error


def chunks_in(path: Path) -> dict[str, str]:
    """What a PNG says that it was made from, as text chunks, for a copy of it. Raises PictureError for what is no picture."""
    try:
        quietly = warnings.catch_warnings(action="ignore")  # a size that Pillow warns of is only looked at
        with quietly, Image.open(path, formats=FORMATS) as image:
            return {name: image.info[name] for name in (LINE, CHUNK) if name in image.info} if image.format == "PNG" else {}
    except FileNotFoundError as error:
        raise PictureError(f"{path}: not there; expected a frame that arldm drew") from error
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise PictureError(f"{path}: is not a picture; expected a frame that arldm drew") from error

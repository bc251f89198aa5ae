"""Scripts and told stories on disk. Everything is read with care; no torch.

A script is plain text, one frame a line, or a `story.json`. A told story is a folder: story.json, 000.png, 001.png, ..., strip.png.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from arldm.errors import BROKEN, OutputError, PictureError, ScriptError, said
from arldm.pictures import encoded, read_picture, strip
from arldm.story import Frame, Story
from arldm.writing import check_free, put, put_json

STORY, STRIP = "story.json", "strip.png"
LETTERING = re.compile(r"\s#(?!\d)")  # behind a caption; "the #1 fan" has none


def read_script(path: Path | str) -> Story:
    """The story of a script. Raises ScriptError and PictureError."""
    path = _script(Path(path))
    text = _read(path)
    return _from_json(text, path) if path.suffix.lower() == ".json" else parse(text, path.name)


def is_told(path: Path) -> bool:
    """Is the script, which can be read, a told story, whose pictures were drawn and may be drawn again?"""
    path = _script(path)
    return path.suffix.lower() == ".json" and "id" in json.loads(_read(path))


def _script(path: Path) -> Path:
    with suppress(OSError):  # which reading says
        return path / STORY if path.is_dir() else path
    return path


def _read(path: Path) -> str:
    expected = "expected a script in UTF-8, one frame a line, or a story.json"
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ScriptError(f"{path}: not there; {expected}") from error
    except (OSError, ValueError) as error:
        raise ScriptError(f"{path}: cannot be read as text; {expected}") from error


def check_cast(story: Story, words: Collection[str], names: Sequence[str] = ()) -> None:
    """Raises ScriptError for a [Name] that is none of the words that a model knows; `names` are those of its words to propose."""
    known = [name for name in names if name in words]
    for frame in story.frames:
        for name in frame.characters if words else ():
            if not all(unicodedata.normalize("NFC", word) in words for word in name.split()):
                close = get_close_matches(name, known, 1) or get_close_matches(name, words, 1)
                meant = f"perhaps you meant [{close[0]}], " if close else ""
                expected = f"one of {', '.join(known)}" if known else "a name from its training"
                raise ScriptError(f"[{name}] in {frame.caption!r} is nobody the model knows; {meant}expected {expected}")


def parse(text: str, name: str = "script") -> Story:
    """A script in plain text. `# ` before all captions begins the title, ` # ` a line's lettering, `[Name]` names a character.

    Raises ScriptError.
    """
    title, frames = "", []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#") and not title and not frames:
            title = line[1:].strip()
        elif line.startswith("#"):
            got = f"line {number} begins with # and is not the title, which comes first ({line.strip()!r})"
            raise ScriptError(f"{name}: {got}; write one caption a line, what a balloon says behind a #")
        elif line.strip():
            caption, lettering = (*LETTERING.split(line, 1), "")[:2]
            named = [found.strip().lower() for found in re.findall(r"\[([^\[\]]+)\]", caption)]
            characters = tuple(name for name in dict.fromkeys(named) if name)
            caption = re.sub(r"\[([^\[\]]+)\]", r"\1", caption).strip()
            if not caption:
                raise ScriptError(
                    f"{name}: a line has lettering and no caption ({line.strip()!r}); write what is to be drawn before the #"
                )
            frames.append(Frame(caption, characters=characters, lettering=lettering.strip() or None))
    return identified(frames, title, name)


def identified(frames: Sequence[Frame], title: str, name: str) -> Story:
    """The story of these frames, its id made of its captions. Raises ScriptError if there are fewer than two."""
    if len(frames) < 2:
        raise ScriptError(f"{name}: has {len(frames)} frame{'s' * (len(frames) != 1)}; expected at least 2, one caption a line")
    digest = hashlib.sha256("\n".join(frame.caption for frame in frames).encode()).hexdigest()
    return Story(digest[:12], tuple(frames), title)


def _from_json(text: str, path: Path) -> Story:
    """The story, known by the id that it was told with, if it has been told: that seeds the noise."""
    try:
        found = json.loads(text)
        frames = [_frame(entry, path, "id" in found) for entry in found["frames"]]
        story = identified(frames, _text(found.get("title")) or "", path.name)
        return replace(story, id=_id(found)) if "id" in found else story
    except BROKEN as error:
        raise ScriptError(
            f'{path}: is not a story ({error}); expected {{"title": "", "frames": [{{"caption": ""}}, ...]}}'
        ) from error


def _id(found: dict[str, Any]) -> str:
    if not isinstance(found["id"], str):
        raise TypeError(f"its id is {found['id']!r}, expected words")
    return found["id"]


def _frame(entry: dict[str, Any], path: Path, told: bool) -> Frame:
    """One of a story.json; a `told` one names all its pictures before the last is drawn."""
    caption, picture, lettering = (_text(entry.get(name)) for name in ("caption", "picture", "lettering"))
    if caption is None:
        raise ScriptError(f"{path}: a frame has the caption {entry['caption']!r}; expected words")
    characters = _cast(entry)
    if "" in characters:
        raise TypeError(f"characters are {entry['characters']!r}, expected names")
    where = _inside(path.parent, picture) if picture else None
    if where is not None and told and not where.exists():
        where = None
    return Frame(caption, read_picture(where) if where else None, characters, lettering)


def _cast(entry: dict[str, Any]) -> tuple[str, ...]:
    """Who is in a frame of a story.json."""
    names = entry.get("characters") or []
    if not isinstance(names, list):
        raise TypeError(f"characters are {names!r}, expected a list")
    return tuple((_text(name) or "").lower() for name in names)


def _text(value: object) -> str | None:
    """A text that can be written down again; None for nothing and for blanks."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{value!r} stands where words should")
    value.encode()  # half a character, "\\ud83d", is none
    return value.strip() or None


def _inside(folder: Path, name: str) -> Path:
    try:
        path = (folder / name).resolve()
    except RuntimeError as error:  # of a link to itself
        raise PictureError(f"{folder / name}: leads nowhere; expected a picture") from error
    if not path.is_relative_to(folder.resolve()):
        raise PictureError(f"{name}: lies outside {folder}; expected pictures inside the story's folder, copy it there")
    return path


def frame_path(folder: Path, number: int) -> Path:
    """Where frame `number` of a told story lies."""
    return folder / f"{number:03}.png"


def is_frame(path: Path) -> bool:
    """Has it the name of a frame of a told story?"""
    return re.fullmatch(r"\d{3,}", path.stem) is not None


class StoryFolder:
    """The folder that a story is told into. Raises OutputError if it holds another story or cannot be written."""

    def __init__(self, path: Path, story: Story) -> None:
        self.path = path
        held = read_held(path)
        if held is None:
            check_free(path, STORY, "story", "--out")
        elif held.id != story.id:
            raise OutputError(f"{path}: holds another story ({held.id}, this one is {story.id}); choose another --out")

    def picture(self, number: int) -> Path:
        """Where frame `number` lies."""
        return frame_path(self.path, number)

    def begin(self, story: Story) -> None:
        """Write story.json. Raises OutputError."""
        entries = [
            {
                "caption": frame.caption,
                "picture": self.picture(number).name,
                "characters": list(frame.characters),
                "lettering": frame.lettering,
            }
            for number, frame in enumerate(story.frames)
        ]
        put_json(self.path / STORY, {"id": story.id, "title": story.title, "frames": entries}, ensure_ascii=False)

    def with_drawn(self, story: Story, again: Collection[int] = ()) -> Story:
        """The story with the pictures that an earlier, interrupted telling left here, but for those to be drawn `again`.

        Raises PictureError.
        """
        frames = [
            replace(frame, picture=self._drawn(number))
            if frame.picture is None and number not in again and self.picture(number).exists()
            else frame
            for number, frame in enumerate(story.frames)
        ]
        return replace(story, frames=tuple(frames))

    def _drawn(self, number: int) -> Image.Image:
        try:
            return read_picture(self.picture(number))
        except PictureError as error:
            raise PictureError(f"{error}, or draw it again with --frames {number}") from error

    def keep(self, number: int, picture: Image.Image, chunks: dict[str, str]) -> None:
        """Write one frame with its text chunks. Raises OutputError."""
        info = PngImagePlugin.PngInfo()
        for name, text in chunks.items():
            info.add_itxt(name, text)
        put(self.picture(number), encoded(picture, pnginfo=info))

    def finish(self, pictures: Sequence[Image.Image]) -> None:
        """Write the strip. Raises OutputError."""
        put(self.path / STRIP, encoded(strip(pictures)))


def read_outline(folder: Path, id: str | None = None) -> Story:
    """What a story's folder says of it, all but its pictures; `id` is that of one that says none. Raises ScriptError."""
    path = folder / STORY
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
        frames = [
            Frame(_text(one["caption"]) or "", characters=_cast(one), lettering=_text(one.get("lettering")))
            for one in found.get("frames", ())
        ]
        known = _id(found) if id is None or "id" in found else id
        return Story(known, tuple(frames), _text(found.get("title")) or "")
    except BROKEN as error:
        raise ScriptError(f"{path}: is not a told story ({said(error)}); expected what arldm wrote, tell it again") from error


def read_held(folder: Path) -> Story | None:
    """The story that a folder to be told into holds, if it does. Raises OutputError where what lies there is none."""
    try:
        return read_outline(folder) if (folder / STORY).exists() else None
    except ScriptError as error:
        raise OutputError(f"{folder / STORY}: is not a told story; expected a new folder, choose another --out") from error


def read_told(folder: Path) -> Story:
    """A told story with the pictures that it has so far, and its own id. Raises ScriptError, PictureError."""
    return _from_json(_read(folder / STORY), folder / STORY)


def check_apart(path: Path, folder: Path) -> None:
    """May a page be written there, or several that are numbered, without loss of what a told story has? Raises OutputError."""
    entries = json.loads(_read(folder / STORY))["frames"]
    pictures = {folder / STRIP, *(frame_path(folder, number) for number in range(len(entries)))}
    pictures |= {folder / entry["picture"] for entry in entries if entry.get("picture")}
    pages = {one.with_stem(re.sub(r"-\d+$", "", one.stem)) for one in pictures}
    if path.resolve() in {one.resolve() for one in pictures | pages}:
        raise OutputError(f"{path}: is a picture of the story; expected another name, such as page{path.suffix}")


def write_story(story: Story, path: Path) -> None:
    """Write a story that has all its pictures. Raises OutputError."""
    folder = StoryFolder(path, story)
    if (longer := folder.picture(len(story.frames))).exists():
        raise OutputError(f"{longer}: is there of a longer story; expected none beyond {len(story.frames)} frames, choose another")
    folder.begin(story)
    for number, picture in enumerate(story.pictures):
        folder.keep(number, picture, {})
    folder.finish(story.pictures)

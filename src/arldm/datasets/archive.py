"""An archive as Stories, read at random; which still of a clip is shown is decided here, by a rule that does not move."""

import hashlib
import io
import json
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any, overload

import pyarrow.compute as pc
from datasets import Dataset, DatasetDict, load_from_disk
from PIL import Image

from arldm.config import Still
from arldm.datasets.importing import CORPUS, FORMAT
from arldm.datasets.shards import REPORT
from arldm.errors import BROKEN, DatasetError
from arldm.pictures import decoded, flattened
from arldm.story import Frame, Story


class Archive:
    """A folder that `arldm prepare` has finished. Raises DatasetError."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not (self.path / REPORT).exists():
            raise DatasetError(f"{path}: is no finished archive; expected one of `arldm prepare`, run it (again)")
        try:
            if (found := json.loads((self.path / CORPUS).read_bytes())["format"]) != FORMAT:
                raise DatasetError(f"{path}: is an archive of format {found}; expected {FORMAT}, prepare it again")
            self.report: dict[str, Any] = json.loads((self.path / REPORT).read_bytes())
            clips, stories = load_from_disk(self.path / "clips"), load_from_disk(self.path / "stories")
        except BROKEN as error:
            got = " ".join(str(error).split())[:160]
            raise DatasetError(f"{path}: is a broken archive ({got}); run `arldm prepare` again, it mends it") from error
        assert isinstance(clips, Dataset)
        assert isinstance(stories, DatasetDict)
        self.clips = clips.with_format("arrow")
        self.outlines = stories
        self.rows = {id: row for row, id in enumerate(clips["id"])}
        self.counts: list[int] = pc.list_value_length(clips.data.column("stills")).to_pylist()  # type: ignore[attr-defined]
        self.digests: list[str] = clips.data.column("sha256").to_pylist()
        self.characters = [tuple(names) for names in clips.data.column("characters").to_pylist()]

    def still(self, row: int, number: int) -> Image.Image:
        """One still of the clip in a row, in RGB. Raises PictureError."""
        clip = self.clips[row]  # of its stills only one is copied and decoded
        id = clip["id"][0].as_py()
        return flattened(decoded(io.BytesIO(clip["stills"][0][number]["bytes"].as_py()), id), id)

    def stories(self, split: str, captions: str = "", still: Still = "middle", seed: int = 0) -> "ArchiveStories":
        """The stories of a split. `captions`: which kind, where there are several (VIST: sis, dii). Raises DatasetError."""
        if split not in self.outlines:
            raise DatasetError(f"{self.path}: has no split {split!r}; expected one of {', '.join(map(str, self.outlines))}")
        kinds = [name for name in self.outlines[split].column_names if name not in ("id", "clips")]
        if captions and captions not in kinds:
            raise DatasetError(f"{self.path}: has no captions {captions!r}; expected one of {', '.join(kinds)}")
        return ArchiveStories(self, split, captions or kinds[0], still, seed)


class ArchiveStories(Sequence[Story]):
    """A split as Stories, each read from disk when it is asked for."""

    def __init__(self, archive: Archive, split: str, captions: str, still: Still, seed: int) -> None:
        self.archive, self.split, self.captions, self.seed = archive, split, captions, seed
        self.still: Still = still
        self.outlines = archive.outlines[split]

    def first(self, count: int) -> "ArchiveStories":
        """The first stories alone."""
        few = copy(self)
        few.outlines = self.outlines.select(range(min(count, len(self))))
        return few

    @property
    def fingerprint(self) -> str:
        """A short name for the whole split: its stories, their captions of this kind and their pictures."""
        digest = hashlib.sha256(json.dumps([self.still, self.seed]).encode())
        pictures = dict(zip(self.archive.rows, self.archive.clips["sha256"], strict=True))
        stories = self.archive.outlines[self.split]
        for id, clips, captions in zip(stories["id"], stories["clips"], stories[self.captions], strict=True):
            digest.update(json.dumps([id, captions, [str(pictures[clip]) for clip in clips]]).encode())
        return digest.hexdigest()[:16]

    @property
    def ids(self) -> list[str]:
        """Each story's id."""
        return list(self.outlines["id"])

    @property
    def told(self) -> list[str]:
        """All captions."""
        return [caption for captions in self.outlines[self.captions] for caption in captions]

    @property
    def lengths(self) -> list[int]:
        """Each story's number of frames."""
        return [len(clips) for clips in self.outlines["clips"]]

    def __len__(self) -> int:
        return len(self.outlines)

    @overload
    def __getitem__(self, index: int) -> Story: ...
    @overload
    def __getitem__(self, index: slice) -> list[Story]: ...
    def __getitem__(self, index: int | slice) -> Story | list[Story]:
        if isinstance(index, slice):
            return [self.story(one) for one in range(*index.indices(len(self)))]
        return self.story(index)

    def story(self, index: int, draw: int = 0) -> Story:
        """Story `index`; another `draw` (an epoch, say) takes other stills where they are taken at random. Raises PictureError."""
        outline, archive = self.outlines[index], self.archive
        frames = [
            Frame(caption, archive.still(row, number), archive.characters[row])
            for caption, (row, number) in zip(outline[self.captions], self.shown(index, draw), strict=True)
        ]
        return Story(outline["id"], tuple(frames))

    def shown(self, index: int, draw: int = 0) -> list[tuple[int, int]]:
        """Which still each frame of a story shows: the row of its clip, and the still's number."""
        archive = self.archive
        rows = [(id, archive.rows[id]) for id in self.outlines[index]["clips"]]
        return [(row, chosen(id, archive.counts[row], self.still, self.seed, draw)) for id, row in rows]

    @property
    def ever_shown(self) -> list[tuple[int, int]]:
        """All stills that some draw of some story shows, in the order of the archive."""
        rows = sorted({self.archive.rows[id] for clips in self.outlines["clips"] for id in clips})
        counts = [(row, self.archive.counts[row]) for row in rows]
        if self.still == "middle":
            return [(row, count // 2) for row, count in counts]
        return [(row, number) for row, count in counts for number in range(count)]


def chosen(id: str, count: int, still: Still = "middle", seed: int = 0, draw: int = 0) -> int:
    """Which of a clip's stills is shown: the middle one, or one that depends on these numbers alone.

    The paper takes one at random whenever a clip is read, in its test split too, by a generator that depends on the number of
    loading processes: its reference pictures are other ones in every run.
    """
    if still == "middle":
        return count // 2
    digest = hashlib.sha256(f"{seed} {draw} {id}".encode()).digest()
    return int.from_bytes(digest[:8], "little") % count

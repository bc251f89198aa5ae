"""VIST as published: five photographs of an album a story, described one by one (DII) and told in sequence (SIS).

    sis/{train,val,test}.story-in-sequence.json    images/**/<photo id>.<ending>
    dii/{train,val,test}.description-in-isolation.json

A clip is a photograph. A story counts if it has five photographs that are there, each with a description.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from arldm.datasets.corpus import SPLITS, Clip, Corpus, Outline, as_published, inside, one_line, published, read_json
from arldm.datasets.stills import photograph
from arldm.errors import DatasetError

FRAMES = 5
ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
SIS, DII = "story-in-sequence", "description-in-isolation"


def read_vist(source: Path) -> Corpus:
    """The published folder of VIST, with the photographs in `images`. Raises DatasetError."""
    folder = published(source, ".") / "images"
    if not (photographs := pictures_below(folder)):
        raise DatasetError(f"{folder}: has no picture; expected <photo id>.jpg, run `arldm photographs` first")
    descriptions: dict[str, list[str]] = defaultdict(list)  # of all splits together, as the paper's scripts had it
    for split in SPLITS:
        for entry in annotations(source, split, DII):
            descriptions[entry["photo_flickr_id"]].append(entry["original_text"])
    stories, albums, missing, broken, incomplete = {}, {}, set(), [], 0
    for split in SPLITS:
        kept = []
        for id, entries in _told(source, split):
            photos = tuple(entry["photo_flickr_id"] for entry in entries)
            undescribed = {f"description of {photo}" for photo in photos if photo not in descriptions}
            missing |= undescribed
            if len(photos) != FRAMES:
                broken.append(f"story {id}: {len(photos)} sentences")
            elif undescribed:
                incomplete += 1
            else:
                albums |= {photo: entry["album_id"] for photo, entry in zip(photos, entries, strict=True)}
                longest = tuple(max(descriptions[photo], key=len) for photo in photos)
                kept.append(Outline(id, photos, {"sis": tuple(entry["original_text"] for entry in entries), "dii": longest}))
        stories[split] = tuple(kept)
    places = {photo: photographs.get(photo) or inside(folder, f"{photo}.jpg") for photo in albums}  # it may come yet
    clips = tuple(Clip(photo, places[photo], tuple(descriptions[photo]), (), albums[photo]) for photo in sorted(albums))
    found = tuple(sorted(missing)), tuple(broken)
    return Corpus("vist", clips, stories, photograph, {"sis": 100, "dii": 65}, {}, *found, incomplete=incomplete)


def _told(source: Path, split: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each story's id and its annotations, in the order of its photographs."""
    by_story = defaultdict(list)
    for entry in annotations(source, split, SIS):
        by_story[entry["story_id"]].append(entry)
    for id, entries in by_story.items():
        yield id, sorted(entries, key=lambda entry: entry["worker_arranged_photo_order"])


def annotations(source: Path, split: str, kind: str) -> Iterator[dict[str, Any]]:
    """The annotations of one file, their ids as texts, their captions on one line. Raises DatasetError."""
    path = annotation_file(source, split, kind)
    with as_published(path):
        entries = [entry for (entry,) in read_json(path)["annotations"]]
    for entry in entries:
        with as_published(path):
            clean = {
                "photo_flickr_id": one_line(str(entry["photo_flickr_id"])),
                "original_text": one_line(entry["original_text"]),
                "album_id": one_line(str(entry.get("album_id", ""))),
                "story_id": one_line(str(entry.get("story_id", ""))),
                "worker_arranged_photo_order": int(entry.get("worker_arranged_photo_order", 0)),
            }
        yield clean


def annotation_file(source: Path, split: str, kind: str) -> Path:
    """Where a file of annotations lies: in `sis` or `dii`, as unpacked, or beside them. Raises DatasetError."""
    name = f"{split}.{kind}.json"
    folder = "sis" if kind == SIS else "dii"
    beside = source / name
    return beside if beside.exists() else published(source, f"{folder}/{name}")


def pictures_below(folder: Path) -> dict[str, Path]:
    """Every picture below a folder, by its name without the ending."""
    found = {}
    for place, _, names in sorted(os.walk(folder)):
        for name in sorted(names, reverse=True):
            stem, ending = os.path.splitext(name)
            if ending.lower() in ENDINGS:
                found[stem] = Path(place, name)
    return found

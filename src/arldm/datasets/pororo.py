"""PororoSV as StoryDALL-E published it: one vertical strip of 128 px stills a clip; stories of five clips.

    <series>/<episode>/<n>.png    descriptions.npy    labels.npy
    img_cache4.npy    following_cache4.npy    train_seen_unseen_ids.npy

A clip's id is its path without ".png". Validation is what they call "seen": its episodes are training's too.
"""

from pathlib import Path
from typing import Any

import numpy as np

from arldm.datasets.corpus import SPLITS, Clip, Corpus, Outline, as_published, inside, one_line, published
from arldm.datasets.stills import strip_stills
from arldm.datasets.unpickle import read_npy

#: who the columns of the labels are
CAST = ("pororo", "loopy", "crong", "eddy", "poby", "petty", "tongtong", "rody", "harry")
OFFICIAL = {"train": 10_191, "val": 2_334, "test": 2_208}


def read_pororo(source: Path) -> Corpus:
    """The published folder of PororoSV. Raises DatasetError."""
    described = published(source, "descriptions.npy")
    descriptions = _dictionary(described)
    labels = _dictionary(source / "labels.npy") if (source / "labels.npy").exists() else None
    runs = _runs(source)
    missing = [] if labels else ["labels.npy"]
    with as_published(described):
        captions = {id: _captions(descriptions.get(id, [])) for id in sorted({id for run in runs for id in run})}
    missing += [f"description of {id}" for id, texts in captions.items() if not texts]
    missing += [f"labels of {id}" for id in captions if labels and id not in labels]
    runs = [run if all(captions[id] for id in run) else () for run in runs]
    ids = sorted({id for run in runs for id in run})
    splits = _splits(source, len(runs))
    with as_published(source / "labels.npy"):
        cast = {id: labelled((labels or {}).get(id), CAST) for id in ids}
    clips = tuple(Clip(id, inside(source, f"{id}.png"), captions[id], cast[id], id.rpartition("/")[0]) for id in ids)
    stories = {
        split: tuple(
            Outline(run[0].replace("/", "-"), run, {"captions": tuple(captions[id][0] for id in run)})
            for run in (runs[number] for number in numbers)
            if run
        )
        for split, numbers in zip(SPLITS, splits, strict=True)
    }
    incomplete = sum(not runs[number] for numbers in splits for number in numbers)
    return Corpus("pororo", clips, stories, strip_stills, {"captions": 85}, OFFICIAL, tuple(missing), incomplete=incomplete)


def _captions(texts: Any) -> tuple[str, ...]:
    if not isinstance(texts, list | tuple):
        raise TypeError(f"captions are of type {type(texts).__name__}, expected a list of them")
    return tuple(one_line(text) for text in texts)


def _dictionary(path: Path) -> dict[str, Any]:
    with as_published(path):
        return dict(read_npy(path).item())


def _runs(source: Path) -> list[tuple[str, ...]]:
    """Five ids for every head of a story: itself and the four that follow it."""
    heads, following = published(source, "img_cache4.npy"), published(source, "following_cache4.npy")
    with as_published(following):
        rows = np.column_stack([read_npy(heads), read_npy(following)])
        if rows.shape[1] != 5:
            raise ValueError(f"{rows.shape[1] - 1} clips follow each, expected 4")
        return [tuple(clip_id(entry) for entry in row) for row in rows.tolist()]


def clip_id(entry: bytes | str) -> str:
    """An entry of the caches: bytes, or a text that looks like bytes (`b'..'`)."""
    text = entry.decode("utf-8", "replace") if isinstance(entry, bytes) else str(entry)
    if text[:1] == "b" and text[1:2] in ("'", '"') and text[-1:] == text[1:2]:
        text = text[2:-1]
    return text.removesuffix(".png")


def _splits(source: Path, count: int) -> list[list[int]]:
    """Numbers of the heads in training, "seen" and "unseen"."""
    path = published(source, "train_seen_unseen_ids.npy")
    with as_published(path):
        splits = [sorted(np.asarray(numbers, np.int64).flatten().tolist()) for numbers in read_npy(path)]
        if len(splits) != len(SPLITS) or any(not 0 <= number < count for numbers in splits for number in numbers):
            raise ValueError(f"{len(splits)} lists of numbers, expected 3 with numbers below {count}, the length of img_cache4.npy")
    return splits


def labelled(row: Any, cast: tuple[str, ...]) -> tuple[str, ...]:
    """Who a row of zeros and ones names; nobody where there is no row. Raises ValueError for another number of columns."""
    values = [] if row is None else np.asarray(row).flatten().tolist()
    return tuple(name for name, value in zip(cast if values else (), values, strict=True) if value)

"""FlintstonesSV as StoryDALL-E published it: five stills of 128 px a clip; a story is five clips that follow each other.

    flintstones_annotations_v1-0.json    train-val-test_split.json    video_frames_sampled/<globalID>.npy
    following_cache4.pkl    labels.pkl

A clip's id says where it was: `s_05_e_01_shot_026411_026485`.
"""

import re
from collections.abc import Collection
from pathlib import Path

from arldm.datasets.corpus import SPLITS, Clip, Corpus, Outline, as_published, inside, one_line, published, read_json
from arldm.datasets.pororo import labelled
from arldm.datasets.stills import array_stills
from arldm.datasets.unpickle import read_npy, read_pickle
from arldm.errors import DatasetError, PictureError

#: who the columns of the labels are
CAST = ("wilma", "fred", "betty", "barney", "dino", "pebbles", "mr slate")
OFFICIAL = {"train": 20_132, "val": 2_071, "test": 2_309}
EPISODE = re.compile(r"s_\d+_e_\d+")


def read_flintstones(source: Path) -> Corpus:
    """The published folder of FlintstonesSV. Raises DatasetError."""
    path = published(source, "flintstones_annotations_v1-0.json")
    with as_published(path):
        entries = {str(entry["globalID"]): entry for entry in read_json(path)}
        captions = {id: one_line(entry["description"]) for id, entry in entries.items()}
        named = {id: _entities(entry) for id, entry in entries.items()}
    path = published(source, "train-val-test_split.json")
    with as_published(path):
        heads = {split: tuple(str(id) for id in read_json(path)[split]) for split in SPLITS}
    following = _following(source, sorted({id for ids in heads.values() for id in ids}))
    runs = {
        split: [(head, *following.get(head, ())) for head in heads[split] if len(following.get(head, ())) == 4] for split in SPLITS
    }
    ids = sorted({id for split in SPLITS for run in runs[split] for id in run})
    missing = [f"annotation of {id}" for id in ids if id not in entries]
    ids = [id for id in ids if id in entries]
    labels = _labels(source, ids)
    missing += ["labels.pkl"] if labels is None else [f"labels of {id}" for id in ids if id not in labels]
    cast = named | (labels or {})
    stills = published(source, "video_frames_sampled")
    clips = tuple(Clip(id, inside(stills, f"{id}.npy"), (captions[id],), cast[id], episode(id)) for id in ids)
    stories = {
        split: tuple(
            Outline(run[0], run, {"captions": tuple(captions[id] for id in run)})
            for run in runs[split]
            if all(id in entries for id in run)
        )
        for split in SPLITS
    }
    incomplete = sum(map(len, runs.values())) - sum(map(len, stories.values()))
    return Corpus("flintstones", clips, stories, _stills, {"captions": 91}, OFFICIAL, tuple(missing), incomplete=incomplete)


def _stills(clip: Clip) -> list[bytes]:
    clip.path.stat()  # is it there?
    try:
        return array_stills(read_npy(clip.path), clip.path)
    except DatasetError as error:
        raise PictureError(str(error)) from error


def episode(id: str) -> str:
    """Season and episode that an id names; empty if it names none."""
    found = EPISODE.match(id)
    return found.group() if found else ""


def followers(ids: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The rule of the stories: a head is followed by the next four ids in order, as far as they are of its season and episode."""
    ordered = sorted(ids)
    after = {}
    for place, head in enumerate(ordered):
        window = ordered[place + 1 : place + 5]
        same = [episode(id) == episode(head) != "" for id in window]
        after[head] = tuple(window[: same.index(False)] if False in same else window)
    return after


def _following(source: Path, ids: list[str]) -> dict[str, tuple[str, ...]]:
    path = source / "following_cache4.pkl"
    if not path.exists():
        return followers(ids)
    with as_published(path):
        return {str(head): tuple(str(id) for id in after) for head, after in dict(read_pickle(path)).items()}


def _labels(source: Path, ids: list[str]) -> dict[str, tuple[str, ...]] | None:
    path = source / "labels.pkl"
    if not path.exists():
        return None
    with as_published(path):
        labels = dict(read_pickle(path))
        return {id: labelled(labels[id], CAST) for id in ids if id in labels}


def _entities(entry: dict) -> tuple[str, ...]:
    """Who the annotation itself names."""
    found = {str(one.get("entityLabel") or one.get("labelNPC")).strip().lower() for one in entry.get("characters") or []}
    return tuple(name for name in CAST if name in found)

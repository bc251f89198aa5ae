"""Corpus -> archive: a folder of two Hugging Face datasets, a report and checksums.

    OUT/clips          id, captions, characters, episode, sha256, stills     `datasets.load_from_disk("OUT/clips")`
    OUT/stories        train, val, test: id, clips (ids), captions (of VIST: sis, dii)
    OUT/corpus.json    which corpus this is
    OUT/shards.jsonl   checksum of each shard of the clips, and what could not be read for it
    OUT/report.json    what was found; written last

The same command again checks the checksums, makes what is not there, and tries again where something was missing.
"""

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
from datasets import Features, Image, List, Value

from arldm.datasets.corpus import Corpus, Outline
from arldm.datasets.report import make_report
from arldm.datasets.shards import REPORT, Shards
from arldm.errors import OutputError
from arldm.writing import alone_in, check_free, checksum, put_json, replacing, sweep

FORMAT = 1  # of the archive; another number = other columns
CORPUS = "corpus.json"
TEXTS = List(Value("string"))
CLIPS = Features(
    {
        "id": Value("string"),
        "captions": TEXTS,
        "characters": TEXTS,
        "episode": Value("string"),
        "sha256": Value("string"),
        "stills": List(Image()),
    }
)


def import_corpus(corpus: Corpus, out: Path, workers: int = 0) -> dict[str, Any]:
    """Write the corpus as an archive and return its report; goes on where it was interrupted. Raises DatasetError, OutputError."""
    identity = _identity(corpus)
    _claim(out, {"format": FORMAT, "corpus": corpus.name, "identity": identity})
    with alone_in(out):
        sweep(out)
        shards = Shards(out, corpus.clips, corpus.stills, CLIPS.arrow_schema)
        written = shards.written(workers or os.cpu_count() or 1)
        _describe(out / "clips", CLIPS, {path: shard.sha256 for path, shard in zip(shards.paths, written, strict=True)})
        report, stories = make_report(corpus, written)
        for split, outlines in stories.items():
            _write_stories(out / "stories" / split, outlines, tuple(corpus.longest))
        put_json(out / "stories" / "dataset_dict.json", {"splits": list(stories)}, ensure_ascii=False)
        put_json(out / REPORT, report, ensure_ascii=False)
    return report


def _identity(corpus: Corpus) -> str:
    """Tells one import from another, wherever its files lie."""
    digest = hashlib.sha256(corpus.name.encode())
    for clip in corpus.clips:
        digest.update(json.dumps([clip.id, clip.captions, clip.characters, clip.episode]).encode())
    for split, outlines in corpus.stories.items():
        for outline in outlines:
            digest.update(json.dumps([split, asdict(outline)]).encode())
    return digest.hexdigest()


def _claim(out: Path, mine: dict[str, Any]) -> None:
    path = out / CORPUS
    if path.exists():
        with suppress(ValueError, OSError):
            if json.loads(path.read_bytes()) == mine:
                return
        raise OutputError(f"{out}: holds another corpus, or this one made of other files; choose another folder, or delete it")
    check_free(out, CORPUS, "archive", "OUT")
    put_json(path, mine, ensure_ascii=False)


def _write_stories(folder: Path, outlines: tuple[Outline, ...], kinds: tuple[str, ...]) -> None:
    features = Features({"id": Value("string"), "clips": TEXTS, **dict.fromkeys(kinds, TEXTS)})
    path = folder / "data-00000-of-00001.arrow"
    rows = [{"id": outline.id, "clips": outline.clips, **outline.captions} for outline in outlines]
    with replacing(path) as file, pa.ipc.new_stream(file, features.arrow_schema) as stream:
        stream.write_batch(pa.RecordBatch.from_pylist(rows, features.arrow_schema))
    _describe(folder, features, {path: checksum(path)})


def _describe(folder: Path, features: Features, shards: dict[Path, str]) -> None:
    """The two files beside its shards, whose checksums these are, that make a folder a Hugging Face dataset.

    What was made of a dataset by `map` is kept under its fingerprint, so this is another one as soon as a shard is.
    """
    info = {"citation": "", "description": "", "features": features.to_dict(), "homepage": "", "license": ""}
    state = {
        "_data_files": [{"filename": path.name} for path in shards],
        "_fingerprint": hashlib.sha256("".join(shards.values()).encode()).hexdigest()[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    put_json(folder / "dataset_info.json", info, ensure_ascii=False)
    put_json(folder / "state.json", state, ensure_ascii=False)

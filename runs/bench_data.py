"""How fast corpora are: published files -> archive, random reads from it, and whether training waits for data.

`python runs/bench_data.py [STILLS] [WORKERS]` makes STILLS (100,000) stills of 128 px in PororoSV's published layout: ToonSV's
pictures, shifted and with the grain of a film, so that no two are alike and none packs well. It imports them with WORKERS (2)
processes, reads at random with as many, and trains a model small enough for a processor from the archive.
Rates are given by the clock and by processor seconds; on a machine that does other things only the latter mean much.
"""

import json
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from arldm.config import DenoiserConfig, LatentConfig, TrainConfig
from arldm.datasets.archive import Archive
from arldm.datasets.importing import import_corpus
from arldm.datasets.pororo import read_pororo
from arldm.recipes import TOONSV, Paper
from arldm.toonsv import paint, plot

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from published import save_npy  # the layout, as the tests write it

SIDE = 128
EACH = 20  # stills a clip
DRAWN = 100  # pictures that all stills are made from
SMALL = replace(
    TOONSV,
    name="bench",
    picture_size=SIDE,
    context=0,
    summary=0,
    choices=0,
    positions="absolute",
    latents=LatentConfig(channels=4, widths=(16, 32, 32, 32), layers=1),
    denoiser=DenoiserConfig((32, 64), 1, heads=4),
)


def strip(pictures: list[np.ndarray], number: int) -> Image.Image:
    """A clip's stills, one below the other."""
    dice = np.random.Generator(np.random.Philox(key=number))
    stills = [np.roll(pictures[(number + t) % DRAWN], (number % 7, t), (0, 1)) for t in range(EACH)]
    grain = dice.integers(-2, 3, (EACH * SIDE, SIDE, 3), dtype=np.int16)
    return Image.fromarray((np.concatenate(stills) + grain).clip(0, 255).astype(np.uint8))


def write_strips(folder: Path, ids: list[str], first: int) -> None:
    """Some clips as files."""
    shots = [shot for story in range(DRAWN // 5) for shot in plot("train", story)]
    pictures = [np.asarray(paint(shot.scene, SIDE)).astype(np.int16) for shot in shots]
    for number, id in enumerate(ids, first):
        strip(pictures, number).save(folder / f"{id}.png", compress_level=1)


def write_corpus(folder: Path, stills: int, workers: int) -> None:
    """A PororoSV of so many stills."""
    clips = stills // EACH
    ids = sorted(f"Series{n % 3}/Series{n % 3}_ep{n // 60}/{n}" for n in range(clips))
    for id in ids:
        (folder / id).parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        parts = range(0, clips, 500)
        list(pool.map(write_strips, [folder] * len(parts), [ids[first : first + 500] for first in parts], parts))
    shots = [shot for story in range(DRAWN // 5) for shot in plot("train", story)]
    save_npy(folder / "descriptions.npy", {id: [shots[n % DRAWN].caption] for n, id in enumerate(ids)})
    save_npy(folder / "labels.npy", {id: np.arange(9) == n % 9 for n, id in enumerate(ids)})
    names = [f"{id}.png".encode() for id in ids]
    save_npy(folder / "img_cache4.npy", np.array(names[:-4]))
    save_npy(folder / "following_cache4.npy", np.array([names[n + 1 : n + 5] for n in range(clips - 4)]))
    splits = np.empty(3, object)
    splits[:] = [list(range(clips - 24)), list(range(clips - 24, clips - 14)), list(range(clips - 14, clips - 4))]
    save_npy(folder / "train_seen_unseen_ids.npy", splits)


def read_some(archive: Path, count: int, seed: int) -> float:
    """Decode stills at random; the processor seconds it took."""
    found, dice = Archive(archive), np.random.Generator(np.random.Philox(key=seed))
    rows = dice.integers(0, len(found.counts), count)
    found.still(0, 0)
    started = time.process_time()
    for row in rows:
        found.still(int(row), int(dice.integers(found.counts[row])))
    return time.process_time() - started


def processor_seconds() -> float:
    """Of this process and of those it started that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def save_model(folder: Path, captions: list[str]) -> None:
    """A model with the paper's kind of condition and autoencoder, small enough to train here."""
    from arldm.model.arldm import ARLDM  # not for the processes that read and write pictures
    from arldm.model.text import CaptionTokenizer
    from arldm.model.vocabulary import train_bert_tokenizer, train_clip_tokenizer

    text = CaptionTokenizer(train_clip_tokenizer(captions, SMALL.text.vocabulary), SMALL.text.max_tokens)
    past = CaptionTokenizer(train_bert_tokenizer(captions, SMALL.past.vocabulary), SMALL.past.max_tokens)
    ARLDM.build(SMALL, text, past).save_pretrained(folder)


def told(name: str, count: int, clock: float, processor: float, workers: int) -> None:
    """One line of the result."""
    each = count / processor
    print(
        f"{name}: {count / clock:,.0f} a second by the clock, {each:,.0f} a processor second ({workers * each:,.0f} on {workers})",
        flush=True,
    )


def train(folder: Path) -> None:
    """Train from the archive; the run itself prints how long it waited."""
    from arldm.train import run

    captions = Archive(folder / "archive").stories("train").told
    save_model(folder / "model", captions[:2000])
    config = TrainConfig(
        steps=100, batch_size=4, warmup_steps=10, threads=1, report_to="none", preview_every=0, checkpoint_every=10**6
    )
    run(Paper(config, folder / "model", folder / "archive", given=1, still="middle"), folder / "run")
    seconds = [json.loads(line)["seconds"] for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    print(f"training: {len(seconds)} steps of {sum(seconds) / len(seconds):.2f} s")


def main(stills: int, workers: int) -> None:
    """Make, import, read, train, and print what each took."""
    print(f"{os.cpu_count()} processors, {os.getloadavg()[0]:.1f} busy before this began; {workers} workers")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_corpus(folder / "published", stills, workers)
        size = sum(path.stat().st_size for path in (folder / "published").rglob("*.png"))
        print(f"{stills:,} stills of {SIDE} px in {stills // EACH:,} strips, {size / stills / 1000:.1f} kB each", flush=True)
        clock, processor = time.monotonic(), processor_seconds()
        import_corpus(read_pororo(folder / "published"), folder / "archive", workers)
        told("import", stills, time.monotonic() - clock, processor_seconds() - processor, workers)
        clock, count = time.monotonic(), min(stills, 40_000) // workers
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            seconds = list(pool.map(read_some, [folder / "archive"] * workers, [count] * workers, range(workers)))
        told("random reads", count * workers, time.monotonic() - clock, sum(seconds), workers)
        train(folder)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 100_000, int(sys.argv[2]) if sys.argv[2:] else 2)

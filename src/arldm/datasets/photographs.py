"""VIST's photographs, fetched from where its annotations say they are: few at once, with patience, and never twice.

Each is kept as `<photo id>.<ending>` once it is seen to be a whole picture; `photographs.jsonl` says what became of each.
Many are gone. The server then sends another picture that says so, the same for all of them: that is no photograph.
"""

import hashlib
import io
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import urllib3
from tqdm import tqdm

from arldm.datasets import journal
from arldm.datasets.corpus import SPLITS, as_published, read_json
from arldm.datasets.vist import DII, SIS, annotation_file, annotations, pictures_below
from arldm.errors import PictureError
from arldm.pictures import decoded
from arldm.writing import alone_in, checksum, put, sweep

LEDGER = "photographs.jsonl"
LARGEST = 64 * 2**20  # bytes
SLOWEST = 120  # seconds for one photograph
REPEATED = 5  # a picture that so many addresses give is no photograph
PLACEHOLDER = "photo_unavailable"  # in the address that the server leads to
ENDINGS = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "GIF": ".gif", "BMP": ".bmp", "WEBP": ".webp"}
NAME = re.compile(r"[\w-]{1,100}")


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of a photograph: a file with a checksum, or why there is none. `gone`: there is no use in asking again."""

    photo: str
    file: str = ""
    sha256: str = ""
    failure: str = ""
    gone: bool = False
    brought: bool = False  # by somebody, whose it is


class GoneError(Exception):
    """A photograph is not to be had from an address, today or tomorrow."""


def addresses(source: Path) -> dict[str, tuple[str, ...]]:
    """Where each photograph of a story is said to be: the original first, then a smaller one. Raises DatasetError."""
    wanted = {entry["photo_flickr_id"] for split in SPLITS for entry in annotations(source, split, SIS)}
    found: dict[str, dict[str, str]] = {photo: {} for photo in sorted(wanted)}
    for path in (annotation_file(source, split, kind) for kind in (SIS, DII) for split in SPLITS):
        with as_published(path):
            for image in read_json(path)["images"]:
                for size in ("url_o", "url_m"):
                    if image.get(size) and str(image["id"]) in found:
                        found[str(image["id"])].setdefault(size, str(image[size]))
    return {photo: tuple(urls[size] for size in ("url_o", "url_m") if size in urls) for photo, urls in found.items()}


def fetch_photographs(source: Path, workers: int = 8, pause: float = 1.0) -> dict[str, int]:
    """Fetch what is not there yet into `source/images`; how many came to which end. Raises DatasetError, OutputError, OSError.

    `pause`: seconds before a second try, doubled for each further one, unless the server asks for more.
    """
    folder, wanted = source / "images", addresses(source)
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        return _fetched(folder, wanted, Fetcher(folder, workers, pause), workers)


def _fetched(folder: Path, wanted: dict[str, tuple[str, ...]], fetcher: "Fetcher", workers: int) -> dict[str, int]:
    known = {
        entry.photo: entry
        for entry in journal.entries(folder / LEDGER, Entry)
        if entry.gone or (entry.file and (folder / entry.file).exists())
    }
    sweep(folder)
    found = {photo: path for photo, path in pictures_below(folder).items() if photo in wanted}
    brought = {photo: path for photo, path in found.items() if photo not in known or known[photo].gone}
    for photo, path in tqdm(brought.items(), desc="what is there", unit="photo", leave=False, disable=not brought):
        known[photo] = Entry(photo, path.relative_to(folder).as_posix(), checksum(path), brought=True)
    todo = [photo for photo in wanted if photo not in known]
    put(folder / LEDGER, "".join(map(journal.line, known.values())).encode())  # a line that was begun would spoil the next
    with (
        (folder / LEDGER).open("a") as ledger,
        tqdm(total=len(wanted), initial=len(wanted) - len(todo), unit="photo", leave=False) as bar,
        ThreadPoolExecutor(workers) as pool,
    ):
        fetched = [pool.submit(fetcher.fetch, photo, wanted[photo]) for photo in todo]
        try:
            for future in as_completed(fetched):
                entry = known[future.result().photo] = future.result()
                ledger.write(journal.line(entry))
                ledger.flush()
                bar.update()
        finally:
            pool.shutdown(cancel_futures=True)
            for future in fetched:  # those that were under way when all was interrupted have left their files, too
                if not future.cancelled() and future.exception() is None and future.result().photo not in known:
                    ledger.write(journal.line(future.result()))
    entries = _without_placeholders(folder, [known[photo] for photo in wanted])
    put(folder / LEDGER, "".join(map(journal.line, entries)).encode())
    return dict(Counter(entry.failure.partition(":")[0] or "fetched" for entry in entries))


class Fetcher:
    """Fetches one photograph at a call; may be called from several threads."""

    def __init__(self, folder: Path, workers: int, pause: float) -> None:
        self.folder, self.pause = folder, pause
        self.decoding = Lock()  # one picture at a time, for some take much memory
        retries = urllib3.Retry(
            connect=3,
            read=3,
            redirect=5,
            status=3,
            other=3,
            backoff_factor=pause,
            backoff_max=60,
            backoff_jitter=pause,
            status_forcelist=(429, 500, 502, 503, 504),
            retry_after_max=600,
            raise_on_status=False,
        )
        timeout = urllib3.Timeout(connect=10, read=30)
        self.pool = urllib3.PoolManager(maxsize=workers, headers={"User-Agent": "arldm"}, retries=retries, timeout=timeout)

    def fetch(self, photo: str, urls: tuple[str, ...]) -> Entry:
        """The photograph from the first address that has it."""
        if not NAME.fullmatch(photo):
            return Entry(photo, failure="no name of a photograph", gone=True)
        entry = Entry(photo, failure="no address", gone=True)
        for url in urls:
            entry = self._patiently(photo, url)
            if not entry.gone:  # it came; or it may yet come, and a smaller one would then be kept for good
                break
        return entry

    def _patiently(self, photo: str, url: str, tries: int = 2) -> Entry:
        failure = ""
        for attempt in range(tries):  # of what arrives broken; an unwilling server is urllib3's to try again
            time.sleep(self.pause * attempt)
            try:
                return self._kept(photo, self._bytes(url))
            except GoneError as error:
                return Entry(photo, failure=str(error), gone=True)
            except (urllib3.exceptions.HTTPError, PictureError, ValueError) as error:
                failure = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        return Entry(photo, failure=failure)

    def _bytes(self, url: str) -> bytes:
        response = self.pool.request("GET", url, preload_content=False)
        try:
            if PLACEHOLDER in (response.url or ""):
                raise GoneError("no longer available")
            if response.status in (404, 410):
                raise GoneError(f"status {response.status}")
            if response.status != 200:
                raise urllib3.exceptions.HTTPError(f"status {response.status}")
            data, end = bytearray(), time.monotonic() + SLOWEST
            for part in response.stream(2**16):
                data += part
                if len(data) > LARGEST:
                    raise GoneError(f"too large: more than {LARGEST // 2**20} MiB")
                if time.monotonic() > end:
                    raise urllib3.exceptions.HTTPError(f"too slow: more than {SLOWEST} seconds")
            return bytes(data)
        finally:
            response.close()  # one that was read to its end has gone back to the pool

    def _kept(self, photo: str, data: bytes) -> Entry:
        with self.decoding:
            picture = decoded(io.BytesIO(data), photo)
        if picture.format not in ENDINGS:
            raise PictureError(f"{photo}: is {picture.format}; expected one of {', '.join(ENDINGS)}")
        name = photo + ENDINGS[picture.format]
        put(self.folder / name, data)
        return Entry(photo, name, hashlib.sha256(data).hexdigest())


def _without_placeholders(folder: Path, entries: list[Entry]) -> list[Entry]:
    counts = Counter(entry.sha256 for entry in entries if entry.file and not entry.brought)
    kept = []
    for entry in entries:
        if entry.file and not entry.brought and counts[entry.sha256] >= REPEATED:
            (folder / entry.file).unlink(missing_ok=True)
            kept.append(Entry(entry.photo, failure="no longer available", gone=True))
        else:
            kept.append(entry)
    return kept

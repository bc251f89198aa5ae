"""Small corpora in their published layouts, down to Python 2's pickles and the byte strings."""

import io
import json
import pickle  # noqa: TID251
import random
import re
import time
from pathlib import Path
from pickle import _Pickler  # type: ignore[attr-defined]  # noqa: TID251

import h5py
import numpy as np
from PIL import Image

from arldm.datasets.corpus import Clip

SIDE = 16  # pixels; theirs have 128


def peak() -> int:
    """KiB of memory that this process has had at most; getrusage would count what the process that started it has, too."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])  # type: ignore[index]


def still(seed: int, width: int = SIDE, height: int = SIDE) -> Image.Image:
    """A picture of many colours."""
    return Image.frombytes("RGB", (width, height), random.Random(seed).randbytes(width * height * 3))


def slow(clip: Clip) -> list[bytes]:
    """Pictures that take their time."""
    time.sleep(0.2)
    return [b""]


class Python2(_Pickler):
    """Writes texts as Python 2 wrote its `str`."""

    dispatch = dict(_Pickler.dispatch)  # noqa: RUF012

    def save_text(self, text: str) -> None:
        data = text.encode("latin1")
        self.write(b"U" + bytes([len(data)]) + data if len(data) < 256 else b"T" + len(data).to_bytes(4, "little") + data)
        self.memoize(text)

    dispatch[str] = save_text


def python2(value: object) -> bytes:
    """A pickle as Python 2 and its numpy wrote it."""
    buffer = io.BytesIO()
    Python2(buffer, 2).dump(value)
    return buffer.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def save_npy(path: Path, value: object, old: bool = False) -> None:
    """`numpy.save`, by Python 2 if `old`."""
    array = np.empty((), object) if isinstance(value, dict) else np.asarray(value)
    if isinstance(value, dict):
        array[()] = value
    with path.open("wb") as file:
        if array.dtype.hasobject:
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
            file.write(python2(array) if old else pickle.dumps(array, 4))
        else:
            np.save(file, array)


def write_pororo(folder: Path, clips: int = 14, old: bool = False, quirk: bool = False) -> None:
    """Two series of two episodes. Training, validation and test have their heads in the order of the caches, the last unseen."""
    folder.mkdir(parents=True)
    ids = [f"Series{n % 2}/Series{n % 2}_ep{n // 7}/{n % 7 + 1}" for n in range(clips)]
    ids.sort()
    for number, id in enumerate(ids):
        path = folder / f"{id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        stills = 3 + number % 4
        strip = Image.new("RGB", (SIDE, SIDE * stills))
        for place in range(stills):
            strip.paste(still(100 * number + place), (0, SIDE * place))
        strip.save(path)
    save_npy(folder / "descriptions.npy", {id: [f"Pororo sees {id}.\n", f"Number\t{n}."] for n, id in enumerate(ids)}, old)
    save_npy(folder / "labels.npy", {id: np.arange(9) == n % 9 for n, id in enumerate(ids)}, old)
    heads = list(range(clips - 4))
    text = (lambda id: f"b'{id}.png'") if quirk else (lambda id: f"{id}.png".encode())
    save_npy(folder / "img_cache4.npy", np.array([text(ids[head]) for head in heads]))
    following = np.array([[text(ids[head + step]) for step in range(1, 5)] for head in heads])
    save_npy(folder / "following_cache4.npy", following)
    splits = np.empty(3, object)
    splits[:] = [[2, 0, 1], [3, 4, 5], heads[6:]]
    save_npy(folder / "train_seen_unseen_ids.npy", splits, old)


def write_flintstones(folder: Path, following: bool = True, labels: bool = True, old: bool = False) -> list[str]:
    """Three episodes of seven clips, one a split. Returns the ids in order."""
    frames = folder / "video_frames_sampled"
    frames.mkdir(parents=True)
    ids = [f"s_01_e_{episode:02}_shot_{75 * n:06}_{75 * n + 74:06}" for episode in (1, 2, 3) for n in range(7)]
    for number, id in enumerate(ids):
        np.save(frames / f"{id}.npy", np.stack([np.asarray(still(100 * number + place)) for place in range(5)]))
    entries = [
        {
            "globalID": id,
            "description": f"Fred  talks | to Wilma\nin {id}.",
            "setting": "room",
            "characters": [{"entityLabel": "fred", "labelNPC": ""}, {"entityLabel": "Wilma", "labelNPC": ""}],
        }
        for id in ids
    ]
    (folder / "flintstones_annotations_v1-0.json").write_text(json.dumps(entries))
    splits = {"train": ids[6::-1], "val": ids[7:14], "test": ids[14:]}
    (folder / "train-val-test_split.json").write_text(json.dumps(splits))
    dump = python2 if old else pickle.dumps
    if following:
        after = {id: [one for one in ids[n + 1 : n + 5] if one[:9] == id[:9]] for n, id in enumerate(ids)}
        (folder / "following_cache4.pkl").write_bytes(dump(after))
    if labels:
        (folder / "labels.pkl").write_bytes(dump({id: [0, 1, 0, 0, 0, 0, 1] for id in ids}))
    return ids


def write_vist(folder: Path, photographs: bool = True) -> None:
    """Two stories a split, the second of which is told of photographs of the first album in another order."""
    (folder / "sis").mkdir(parents=True)
    (folder / "dii").mkdir()
    if photographs:
        (folder / "images").mkdir()
    for number, split in enumerate(("train", "val", "test")):
        photos = [str(1000 * number + n) for n in range(6)]
        images = [{"id": photo, "url_o": f"http://there/{photo}_o.jpg"} for photo in photos]
        told = [
            {
                "story_id": f"{number}{story}",
                "photo_flickr_id": photo,
                "album_id": f"album{number}",
                "worker_arranged_photo_order": 4 - place,
                "original_text": f"Then {photo} | in {story}.\n",
            }
            for story, chosen in enumerate((photos[:5], photos[1:]))
            for place, photo in enumerate(reversed(chosen))
        ]
        described = [
            {"photo_flickr_id": photo, "album_id": f"album{number}", "original_text": text}
            for photo in photos
            for text in ("A photo.", f"A longer word about {photo}.")
        ]
        for kind, name, entries in (("sis", "story-in-sequence", told), ("dii", "description-in-isolation", described)):
            content = {"images": images, "annotations": [[entry] for entry in entries]}
            (folder / kind / f"{split}.{name}.json").write_text(json.dumps(content))
        for photo in photos if photographs else ():
            still(int(photo), 24, 18).save(folder / "images" / f"{photo}.{'jpg' if int(photo) % 2 else 'png'}")


def write_folder(folder: Path, columns: bool = True) -> None:
    """Two stories to train with and one to test; with columns for story and frame, or with a folder a story."""
    for split, stories in (("train", "ab"), ("test", "c")):
        lines = []
        for story in stories:
            for frame in (1, 0) if columns else (0, 1):
                name = f"{story}{frame}.png" if columns else f"{story}/{frame}.png"
                path = folder / split / name
                path.parent.mkdir(parents=True, exist_ok=True)
                still(ord(story) * 10 + frame).save(path)
                extra = {"story": story, "frame": frame, "characters": ["Ann"]} if columns else {}
                lines.append(json.dumps({"file_name": name, "text": f"Ann does {frame} in {story}.", **extra}))
        (folder / split / "metadata.jsonl").write_text("\n".join(lines) + "\n")


def write_h5(path: Path, kind: str) -> None:
    """A file of AR-LDM's scripts: "pororo" (strips down), "flintstones" (across) or "vist" (photographs), red and blue swapped."""
    sizes = {"pororo": (SIDE, SIDE * 3), "flintstones": (SIDE * 5, SIDE), "vist": (24, 18)}
    with h5py.File(path, "w") as file:
        for split, first in (("train", 0), ("val", 20), ("test", 40)):
            group = file.create_group(split)
            for column in range(5):
                data = group.create_dataset(f"image{column}", (3,), dtype=h5py.vlen_dtype(np.dtype("uint8")))
                for row in range(3):
                    red, green, blue = still(first + row + column, *sizes[kind]).split()
                    buffer = io.BytesIO()
                    Image.merge("RGB", (blue, green, red)).save(buffer, "PNG")
                    data[row] = np.frombuffer(buffer.getvalue(), np.uint8)
            for column in ("sis", "dii") if kind == "vist" else ("text",):
                texts = ["|".join(f"{column} {first + row + n}" for n in range(5)) for row in range(3)]
                group.create_dataset(column, data=texts, dtype=h5py.string_dtype("utf-8"))

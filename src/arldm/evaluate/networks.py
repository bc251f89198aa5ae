"""What looks at pictures before they are compared: FID's network by two protocols, or the reader of the embedded world."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.Image import Resampling

from arldm.evaluate.inception import SIZE, FIDInception
from arldm.evaluate.reader import EMBEDDED, WEIGHTS, WIDTH, Reader
from arldm.pictures import centred
from arldm.weight_files import fastest_device
from arldm.writing import checksum

FILE = "pt_inception-2015-12-05-6726825d.pth"  # of pytorch-fid
WELL_KNOWN = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"  # of that file
SMALL = 64  # pixels, at which the field compares stories


def small(picture: Image.Image) -> np.ndarray:
    """(SMALL, SMALL, 3) in [0, 1]: the shorter side to 64 pixels, cut to its middle, as AR-LDM's loaders do; enlarged later."""
    return np.asarray(centred(picture, SMALL), np.float32) / 255


def whole(picture: Image.Image) -> np.ndarray:
    """(299, 299, 3): every channel resampled once, in floats, by an antialiased cubic, as clean-fid does (Parmar et al. 2022)."""
    channels = [Image.fromarray(channel) for channel in np.asarray(picture, np.float32).transpose(2, 0, 1)]
    shrunk = [np.asarray(channel.resize((SIZE, SIZE), Resampling.BICUBIC)) for channel in channels]
    return np.stack(shrunk, axis=-1).clip(0, 255) / 256  # by 256, for its network sees (x - 128) / 128


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a picture comes to the network; `told` stands in reports."""

    prepare: Callable[[Image.Image], np.ndarray]
    told: str


PROTOCOLS = {
    "paper": Protocol(small, "to 64 px (Pillow, bilinear), to 299 (torch, bilinear), as AR-LDM and StoryDALL-E"),
    "clean": Protocol(whole, "from native size to 299 px (Pillow, bicubic, antialiased, in floats), as clean-fid"),
}


@dataclass(frozen=True, slots=True)
class InceptionNetwork:
    """FID's Inception-v3 by one of the protocols; `weights` is the SHA-256 of its file."""

    body: FIDInception
    weights: str
    protocol: str

    @property
    def width(self) -> int:
        """Numbers that it makes of a picture."""
        return self.body.fc.in_features

    @property
    def identity(self) -> str:
        """Weights and protocol."""
        return f"inception-v3 2015-12-05, weights {self.weights}, {self.protocol}: {PROTOCOLS[self.protocol].told}"

    @torch.inference_mode()
    def features(self, pictures: Sequence[Image.Image], batch: int = 32) -> np.ndarray:
        """(picture, 2048) float32."""
        rows = []
        for first in range(0, len(pictures), batch):
            prepared = np.stack([PROTOCOLS[self.protocol].prepare(picture) for picture in pictures[first : first + batch]])
            pixels = torch.from_numpy(prepared).movedim(-1, 1).to(self.body.fc.weight.device)
            rows.append(self.body(pixels).float().cpu().numpy())
        return np.concatenate(rows)


@dataclass(frozen=True, slots=True)
class ReaderNetwork:
    """The embedded world's reader: at hand without any published weights, comparable with nobody else's figures."""

    body: Reader
    weights: str
    width: int = WIDTH

    @property
    def identity(self) -> str:
        """Its weights; it shrinks pictures itself."""
        return f"reader of ToonSV, weights {self.weights}"

    def features(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """(picture, WIDTH) float32."""
        return self.body.features(pictures)


def inception(path: Path) -> dict[str, InceptionNetwork]:
    """FID's network by each protocol, from the user's file. Raises ModelError."""
    body = FIDInception.from_file(path).to(fastest_device())
    weights = checksum(path)
    return {protocol: InceptionNetwork(body, weights, protocol) for protocol in PROTOCOLS}


def reader() -> dict[str, ReaderNetwork]:
    """The reader that ships with the program."""
    return {"reader": ReaderNetwork(Reader.from_pretrained("toonsv"), checksum(EMBEDDED / WEIGHTS))}

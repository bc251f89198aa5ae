"""The reader: a network that tells the facts of a ToonSV picture, trained on rendered truth alone."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from arldm.errors import BROKEN, ModelError, said
from arldm.toonsv.cast import Key
from arldm.toonsv.questions import ABSENT, FAMILIES, QUESTIONS, reading
from arldm.weight_files import save_half
from arldm.writing import put_json

EMBEDDED = Path(__file__).parents[1] / "weights" / "reader"
SIZE = 128  # pixels it looks at
WIDTH = 128
CONFIG, WEIGHTS, ACCURACY = "config.json", "model.safetensors", "accuracy.json"
VALUES = {f"{key.entity}/{key.attribute}": list(values) for key, values in QUESTIONS.items()}


@dataclass(frozen=True, slots=True)
class ReaderBatch:
    """Pictures with the answers to all questions."""

    pictures: Tensor  # (n, SIZE, SIZE, 3) uint8
    answers: Tensor  # (n, question) int64, ABSENT where there is nothing to answer

    def to(self, device: torch.device | str) -> "ReaderBatch":
        """The same batch on another device."""
        return ReaderBatch(self.pictures.to(device), self.answers.to(device))


class Reader(nn.Module):
    """Convolutions see, one learned query for each entity looks at what they saw; each family of entities shares its answers."""

    def __init__(self) -> None:
        super().__init__()
        self.see = nn.Sequential(
            nn.PixelUnshuffle(4),  # at full size, convolutions would cost more than all the rest
            *_convolution(48, 96),
            *_convolution(96, WIDTH, stride=2),
            _Residual(WIDTH),
            _Residual(WIDTH),
            _Residual(WIDTH),
        )
        side = SIZE // 8
        self.position = nn.Parameter(torch.randn(side * side, WIDTH) * 0.02)
        self.queries = nn.Parameter(torch.randn(sum(len(entities) for entities, _ in FAMILIES), WIDTH) * 0.02)
        self.look = nn.ModuleList(_Look(WIDTH) for _ in range(2))
        self.answer = nn.ModuleList(nn.Linear(WIDTH, sum(map(len, family.values()))) for _, family in FAMILIES)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Pictures (n, 3, SIZE, SIZE) in [-1, 1] -> for each question, in order, scores (n, value)."""
        seen = self.see(pictures).flatten(2).transpose(1, 2) + self.position  # (n, cell, width)
        found = self.queries.expand(len(seen), -1, -1)  # (n, entity, width)
        for look in self.look:
            found = look(found, seen)
        scores: list[Tensor] = []
        first = 0
        for (entities, family), answer in zip(FAMILIES, self.answer, strict=True):
            sizes = [len(values) for values in family.values()]
            for k in range(len(entities)):
                scores.extend(answer(found[:, first + k]).split(sizes, dim=1))
            first += len(entities)
        return scores

    def loss(self, batch: ReaderBatch, generators: Sequence[torch.Generator]) -> Tensor:
        """The cross-entropy of a picture's answers, the mean over pictures as a model might draw them: a little off."""
        scores = self(disturbed(_floats(batch.pictures), generators))
        losses = [F.cross_entropy(score, batch.answers[:, k], reduction="none") for k, score in enumerate(scores)]
        return (torch.stack(losses, dim=1).sum(1) / (batch.answers != ABSENT).sum(1).clamp_min(1)).mean()

    def read(self, pictures: Sequence[Image.Image], batch: int = 50) -> list[dict[Key, str]]:
        """What each picture shows, as `toonsv.cast.truth` would say it."""
        return [reading(row) for row in self.answers(pictures, batch).tolist()]

    @torch.no_grad()
    def answers(self, pictures: Sequence[Image.Image], batch: int = 50) -> np.ndarray:
        """The answer to each question as the number of its value: (n, question) int64; `questions.reading` says what it means."""
        rows = [np.empty((0, len(QUESTIONS)), np.int64)]
        for first in range(0, len(pictures), batch):
            scores = self(_floats(torch.from_numpy(np.stack([seen(picture) for picture in pictures[first : first + batch]]))))
            rows.append(torch.stack([score.argmax(1) for score in scores], dim=1).numpy())
        return np.concatenate(rows)

    @torch.no_grad()
    def features(self, pictures: Sequence[Image.Image], batch: int = 50) -> np.ndarray:
        """What the convolutions see, averaged over each picture: (n, WIDTH)."""
        rows = [
            self.see(_floats(torch.from_numpy(np.stack([seen(picture) for picture in pictures[first : first + batch]]))))
            for first in range(0, len(pictures), batch)
        ]
        return torch.cat(rows).mean((2, 3)).numpy()

    def save_pretrained(self, folder: Path) -> None:
        """Write weights in half precision, and the questions they answer."""
        save_half(self, folder / WEIGHTS)
        put_json(folder / CONFIG, {"values": VALUES})

    @classmethod
    def from_pretrained(cls, folder: Path | str) -> Self:
        """Read a saved reader; "toonsv" is the one that ships with the program. Raises ModelError."""
        path = EMBEDDED if folder == "toonsv" else Path(folder)
        try:
            values = dict(json.loads((path / CONFIG).read_text())["values"])
            found = load_file(path / WEIGHTS)
            module = cls()
            module.load_state_dict({name: tensor.float() for name, tensor in found.items()}, strict=True)
        except (*BROKEN, SafetensorError) as error:
            raise ModelError(f"{path}: no reader can be read there ({said(error)}); expected a reader's folder") from error
        if values != VALUES:
            odd = sorted(name for name in VALUES.keys() | values.keys() if VALUES.get(name) != values.get(name))
            raise ModelError(
                f"{path}: answers other questions than this world asks ({odd[0]} is the first); train the reader again"
            )
        return module.eval()


def reader_accuracy() -> dict[str, float]:
    """The shares of facts that the reader of this program reads right on drawn test frames: of all ("facts"), of each attribute."""
    return json.loads((EMBEDDED / ACCURACY).read_text())


def seen(picture: Image.Image) -> np.ndarray:
    """A picture as the reader looks at it: uint8 (SIZE, SIZE, 3), averaged down."""
    return np.asarray(picture.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BOX))


def disturbed(pictures: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Pictures (n, 3, size, size) shifted, softened, recoloured a little and made noisy, each by its own generator."""

    def draw(*shape: int, by: Callable[..., Tensor] = torch.rand) -> Tensor:
        return torch.stack([by(shape, generator=one, device=one.device) for one in generators]).to(pictures.device)

    y, x = (draw(2) * 7).long().T  # 0 to 6 pixels into a border of 3
    wide = F.pad(pictures, (3, 3, 3, 3), mode="replicate")
    size = pictures.shape[-1]
    pictures = torch.stack([one[:, y[k] : y[k] + size, x[k] : x[k] + size] for k, one in enumerate(wide)])
    soft = F.interpolate(F.avg_pool2d(pictures, 2), scale_factor=2.0, mode="bilinear", align_corners=False)
    pictures = torch.lerp(pictures, soft, draw(1, 1, 1))
    pictures = pictures * (0.92 + 0.16 * draw(3, 1, 1)) + 0.12 * (draw(3, 1, 1) - 0.5)
    return pictures + 0.08 * draw(1, 1, 1) * draw(*pictures.shape[1:], by=torch.randn)


def _floats(pictures: Tensor) -> Tensor:
    return pictures.movedim(-1, 1).float() / 127.5 - 1


def _convolution(inside: int, outside: int, stride: int = 1) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inside, outside, 3, stride, 1), nn.GroupNorm(8, outside), nn.SiLU()


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_convolution(width, width), *_convolution(width, width))

    def forward(self, seen: Tensor) -> Tensor:
        return seen + self.body(seen)


class _Look(nn.Module):
    """Queries look at the picture, then think."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend = nn.MultiheadAttention(width, 8, batch_first=True)
        self.think = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, queries: Tensor, seen: Tensor) -> Tensor:
        queries = queries + self.attend(self.before(queries), seen, seen, need_weights=False)[0]
        return queries + self.think(self.between(queries))

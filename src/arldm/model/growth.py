"""What a corpus adds to published models: names as tokens of their own, and room for its captions."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor
from transformers import AddedToken

from arldm.errors import ModelError
from arldm.model.text import CaptionTokenizer

#: new names, and the words whose meaning they begin with
PORORO = {
    "pororo": "penguin",
    "loopy": "beaver",
    "eddy": "fox",
    "harry": "bird",
    "poby": "bear",
    "tongtong": "dragon",
    "crong": "dinosaur",
    "rody": "robot",
    "petty": "penguin",
}
FLINTSTONES = {
    "fred": "man",
    "barney": "man",
    "wilma": "woman",
    "betty": "woman",
    "pebbles": "baby",
    "dino": "dinosaur",
    "slate": "boss",
}


@dataclass(frozen=True, slots=True)
class Growth:
    """What a corpus adds to the published tokenizers: names, each with words that it begins as, and the length of captions."""

    names: Mapping[str, str]
    max_tokens: int


GROWTHS = {
    "pororo": Growth(PORORO, 85),
    "flintstones": Growth(FLINTSTONES, 91),
    "vist-sis": Growth({}, 100),
    "vist-dii": Growth({}, 65),
}


def add_blip_signs(tokenizer: CaptionTokenizer) -> None:
    """BLIP's two signs, which its published vocabulary counts and its tokenizer's files leave out."""
    known = tokenizer.tokenizer.get_vocab()
    tokenizer.tokenizer.add_tokens([sign for sign in ("[DEC]", "[ENC]") if sign not in known], special_tokens=True)


def add_names(tokenizer: CaptionTokenizer, names: Iterable[str]) -> None:
    """Names as tokens of their own, where they are words of their own."""
    known = tokenizer.tokenizer.get_vocab()
    new: list[str | AddedToken] = [AddedToken(name, single_word=True) for name in names if name not in known]
    tokenizer.tokenizer.add_tokens(new)


def beginnings(tokenizer: CaptionTokenizer, names: Mapping[str, str], size: int) -> list[list[int]]:
    """The ids of the words that each new token, from id `size` on, begins as."""
    new = sorted((tokenizer.id(name), words) for name, words in names.items() if tokenizer.id(name) >= size)
    return [tokenizer.ids(words) for _, words in new]


def grown(table: Tensor, rows: Iterable[list[int]], size: int, where: Path) -> Tensor:
    """A table of embeddings (token, dim) with a row for each new token: the mean of the words that it begins as."""
    if len(table) != size:
        raise ModelError(f"{where}: its table has {len(table)} tokens; its tokenizer has {size}, both must be of one version")
    return torch.cat([table, *(table[row].mean(0, keepdim=True) for row in rows)])


def lengthened(table: Tensor, length: int) -> Tensor:
    """Positions (token, dim) cut, or continued by the last of them: beyond it lies what is far from the beginning."""
    return torch.cat([table[:length], table[-1:].expand(max(0, length - len(table)), -1)])


def resampled(table: Tensor, patches: int) -> Tensor:
    """Positions (1, 1 + patch, dim) of square pictures for pictures of another size, as BLIP does it (bicubic)."""
    first, grid = table[:, :1], table[:, 1:]
    if grid.shape[1] == patches:
        return table
    side, wanted = math.isqrt(grid.shape[1]), math.isqrt(patches)
    square = rearrange(grid, "1 (h w) dim -> 1 dim h w", h=side)
    square = F.interpolate(square, size=(wanted, wanted), mode="bicubic", align_corners=False)
    return torch.cat([first, rearrange(square, "1 dim h w -> 1 (h w) dim")], dim=1)

"""CLIP's text side: caption -> token ids -> tokens. Sizes and ids follow from the tokenizer, never from a number typed here."""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertTokenizer, CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from arldm.config import TextConfig
from arldm.errors import BROKEN, CaptionError, ModelError, said

KNOWN_WORDS = "vocabulary.json"
HOW_READ = ("is_local", "local_files_only")  # transformers keeps these of how a tokenizer was read, and would save them with it


class CaptionTokenizer:
    """A transformers tokenizer with the model's length and the words it was trained on.

    `words` is empty where the training corpus is not known (published CLIP and BLIP): then no word is called unknown.
    """

    def __init__(self, tokenizer: CLIPTokenizer | BertTokenizer, max_tokens: int, words: Iterable[str] = ()) -> None:
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        self.words = frozenset(words)

    def __len__(self) -> int:
        """How many ids there are: the rows of the embedding table."""
        return len(self.tokenizer)

    def id(self, token: str) -> int:
        """The id of a special token. Raises ModelError if the tokenizer does not have it."""
        found = self.tokenizer.get_vocab().get(token)
        if found is None:
            raise ModelError(f"tokenizer has no {token}; expected one of {type(self.tokenizer).__name__}'s kind for this model")
        return found

    def ids(self, words: str) -> list[int]:
        """The ids of some words, without special tokens."""
        return self.tokenizer(words, add_special_tokens=False)["input_ids"]  # type: ignore[return-value]

    def encode(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Captions to ids and keep (n, token), padded to the longest. Raises CaptionError for one that is too long."""
        composed = [unicodedata.normalize("NFC", caption) for caption in captions]  # as names of added tokens are
        rows: list[list[int]] = self.tokenizer(composed)["input_ids"]  # type: ignore[assignment]
        for caption, row in zip(captions, rows, strict=True):
            if len(row) > self.max_tokens:
                start = " ".join(caption.split()[:6])
                raise CaptionError(f'caption "{start} ..." has {len(row)} tokens; the limit is {self.max_tokens}, shorten it')
        # padded here, for what a tokenizer is asked to pad it keeps, and writes into its folder
        pad: int = self.tokenizer.pad_token_id  # type: ignore[assignment]
        longest = max(len(row) for row in rows)
        ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
        keep = torch.arange(longest) < torch.tensor([len(row) for row in rows])[:, None]
        return ids, keep

    def unknown_words(self, caption: str) -> list[str]:
        """The words of a caption that the training corpus never had, in order, each once."""
        if not self.words:
            return []
        return [word for word in dict.fromkeys(words_of(caption)) if word not in self.words]

    def save(self, folder: Path) -> None:
        """Write an ordinary transformers tokenizer folder, with the known words beside it."""
        self.tokenizer.save_pretrained(folder)
        if self.words:
            words = json.dumps(sorted(self.words), ensure_ascii=False, indent=0)
            (folder / KNOWN_WORDS).write_text(words + "\n", encoding="utf-8")

    @classmethod
    def load(cls, kind: type[CLIPTokenizer] | type[BertTokenizer], folder: Path, max_tokens: int) -> "CaptionTokenizer":
        """Read what `save` wrote, or a published tokenizer's folder; nothing is fetched. Raises ModelError."""
        try:
            tokenizer = kind.from_pretrained(folder, local_files_only=True)
            for how in HOW_READ:
                tokenizer.init_kwargs.pop(how, None)
            known = folder / KNOWN_WORDS
            words = json.loads(known.read_text(encoding="utf-8")) if known.exists() else []
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                raise ValueError(f"{KNOWN_WORDS} is no list of words")
        except BROKEN as error:
            reason = said(error)
            raise ModelError(f"{folder}: no {kind.__name__} can be read there ({reason}); fetch the model again") from error
        return cls(tokenizer, max_tokens, words)


def words_of(caption: str) -> list[str]:
    """The words of a caption in lower case, without the possessive: "Momo's hat" -> momo, hat."""
    caption = unicodedata.normalize("NFC", caption).lower()
    return re.findall(r"[^\W\d_]+", re.sub(r"['’]s\b", "", caption))


class TextEncoder(nn.Module):
    """CLIP's text transformer, read at its last layer."""

    def __init__(self, config: TextConfig, tokenizer: CaptionTokenizer) -> None:
        super().__init__()
        names = ("bos_token_id", "eos_token_id", "pad_token_id")
        special: dict[str, Any] = {name: getattr(tokenizer.tokenizer, name) for name in names}
        self.clip = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=config.width,
                intermediate_size=4 * config.width,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                max_position_embeddings=config.max_tokens,
                projection_dim=config.width,
                hidden_act="quick_gelu",
                **special,
            )
        )
        self.empty = (special["bos_token_id"], special["eos_token_id"])  # the ids of the caption ""

    def forward(self, ids: Tensor, keep: Tensor) -> Tensor:
        """Ids and keep (n, token) to tokens (n, token, dim)."""
        return self.clip(input_ids=ids, attention_mask=keep).last_hidden_state

    def without(self, ids: Tensor, keep: Tensor, dropped: Tensor) -> tuple[Tensor, Tensor]:
        """The same captions, but "" where `dropped` (n,): what classifier-free guidance calls unconditional."""
        length = ids.shape[-1]
        empty = torch.full((length,), self.empty[1], dtype=ids.dtype, device=ids.device)
        empty[0] = self.empty[0]
        kept = torch.arange(length, device=ids.device) < len(self.empty)
        return torch.where(dropped[:, None], empty, ids), torch.where(dropped[:, None], kept, keep)

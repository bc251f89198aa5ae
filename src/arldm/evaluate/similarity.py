"""How alike pictures are to encoders of the user's own: CLIP-I, CLIP-T, DINO, and whether a character stays itself.

An encoder is a local folder of transformers. All figures are means of cosines.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoTokenizer

from arldm.errors import BROKEN, ModelError, PictureError, said
from arldm.evaluate.characters import Cast
from arldm.evaluate.measures import Tally

UNUSED = ("position_ids", "pooler.")  # what a folder may lack: it is counted, or not looked at
POOLED = ("clip", "siglip")  # models that pool a picture themselves
CLASS_TOKEN = ("vit", "dinov2", "dinov2_with_registers")  # models whose first token stands for the picture


class Encoder:
    """A picture encoder of a local transformers folder; a CLIP reads captions, too. `width`: numbers in a row of features."""

    def __init__(self, folder: Path | str, device: torch.device | str = "cpu") -> None:
        folder = Path(folder)
        if not folder.is_dir():
            raise ModelError(
                f"{folder}: no folder; expected a CLIP, SigLIP, ViT or DINOv2 folder of transformers, fetched as a whole"
            )
        self.folder, self.device = folder, device
        try:
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            self.kind, self.reads = config.model_type, config.model_type == "clip"
            if self.kind not in (*POOLED, *CLASS_TOKEN):
                raise ModelError(f"{folder}: is a {self.kind}; expected one of {', '.join((*POOLED, *CLASS_TOKEN))}")
            self.model, told = AutoModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
            self.processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil")
            self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True) if self.reads else None
        except (*BROKEN, ImportError) as error:
            raise ModelError(
                f"{folder}: no encoder can be read ({said(error)}); expected a whole folder of transformers"
            ) from error
        if missing := sorted(name for name in told["missing_keys"] if not any(part in name for part in UNUSED)):
            raise ModelError(f"{folder}: {missing[0]} is missing ({len(missing)} such); expected the weights of its config")
        self.model.to(device).eval().requires_grad_(False)
        wide = config.vision_config if self.kind == "siglip" else config
        self.width: int = config.projection_dim if self.reads else wide.hidden_size

    @torch.no_grad()
    def pictures(self, pictures: Sequence[Image.Image], batch: int = 32) -> np.ndarray:
        """Pictures -> (n, dim), each row of length 1. Raises PictureError for none, ModelError where one is no numbers."""
        if not pictures:
            raise PictureError("there is no picture to look at; expected at least one, check the folder")
        rows = []
        for first in range(0, len(pictures), batch):
            shown = [picture.convert("RGB") for picture in pictures[first : first + batch]]
            inputs = self.processor(images=shown, return_tensors="pt").to(self.device)
            if self.kind in POOLED:
                seen = self.model.get_image_features(**inputs).pooler_output
            else:  # the class token after the last norm
                seen = self.model(**inputs).last_hidden_state[:, 0]
            rows.append(self._unit(seen))
        return np.concatenate(rows)

    @torch.no_grad()
    def captions(self, captions: Sequence[str], batch: int = 32) -> np.ndarray:
        """Captions, cut to what the encoder reads -> (n, dim), each row of length 1. Raises ModelError if it reads none."""
        if self.tokenizer is None:
            raise ModelError(f"{self.folder}: reads no captions; expected a CLIP folder of transformers")
        rows = []
        for first in range(0, len(captions), batch):
            some = list(captions[first : first + batch])
            longest = self.model.config.text_config.max_position_embeddings
            inputs = self.tokenizer(some, padding=True, truncation=True, max_length=longest, return_tensors="pt").to(self.device)
            rows.append(self._unit(self.model.get_text_features(**inputs).pooler_output))
        return np.concatenate(rows)

    def _unit(self, features: Tensor) -> np.ndarray:
        if not features.isfinite().all():
            raise ModelError(f"{self.folder}: its features are no numbers; expected whole weights, fetch them again")
        return torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy()


def paired(seen: np.ndarray, true: np.ndarray, given: int = 0) -> Iterator[Tally]:
    """A story's frames (frame, dim), each with its true picture: CLIP-I, DINO. Rows are of length 1, here and below."""
    for frame in range(given, len(seen)):
        yield Tally(0, frame, "pair", float(seen[frame] @ true[frame]), 1)


def self_consistency(seen: np.ndarray, cast: Sequence[Cast], given: int = 0) -> Iterator[Tally]:
    """How alike the frames (frame, dim) of a story are that show the same character; each character counts once."""
    for who, frames in _appearances(cast).items():
        pairs = [float(seen[one] @ seen[other]) for one, other in combinations(frames, 2) if other >= given]
        if pairs:
            yield Tally(0, frames[-1], who, float(np.mean(pairs)), 1)


def cross_consistency(
    seen: np.ndarray, cast: Sequence[Cast], references: Mapping[str, np.ndarray], given: int = 0
) -> Iterator[Tally]:
    """How alike the frames (frame, dim) that show a character are to its reference pictures (picture, dim): each once."""
    for who, frames in _appearances(cast).items():
        drawn = [frame for frame in frames if frame >= given]
        if drawn and who in references:
            yield Tally(0, drawn[-1], who, float((seen[drawn] @ references[who].T).mean()), 1)


def _appearances(cast: Sequence[Cast]) -> dict[str, list[int]]:
    """In which frames each character is."""
    return {who: [t for t, frame in enumerate(cast) if who in frame] for who in sorted({who for frame in cast for who in frame})}

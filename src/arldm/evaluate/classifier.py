"""The field's classifier of characters: Inception-v3 with a yes or no for each, all of it fine-tuned, as StoryViz has it.

One file holds it, weights and names. Those that StoryViz, StoryDALL-E and StoryGPT-V published are plain weights of torchvision's
network and are read as well; whose columns they are is told by `names`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from arldm.config import Scaling
from arldm.errors import BROKEN, ConfigError, ModelError, PictureError, said
from arldm.evaluate.inception import SIZE, Inception
from arldm.pictures import centred
from arldm.weight_files import Weights, read_weights

#: how pictures in [0, 1] become what the network looks at. torchvision's `inception_v3(pretrained=True)` brings them to [-1, 1]
#: whatever they were normalised by; StoryDALL-E's evaluation builds it with `pretrained=False`, so that ImageNet's means stay
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
AUXILIARY = 0.4  # weight of the head in the middle


@dataclass(frozen=True, slots=True)
class CastBatch:
    """Pictures with who is in them."""

    pictures: Tensor  # (n, SIZE, SIZE, 3) uint8
    labels: Tensor  # (n, character) of 0 and 1

    def to(self, device: torch.device | str) -> "CastBatch":
        """The same batch on another device."""
        return CastBatch(self.pictures.to(device), self.labels.to(device))


class CharacterClassifier(nn.Module):
    """Tells for each of `names` whether a picture shows it."""

    def __init__(self, names: Sequence[str], thin: int = 1, scaling: Scaling = "unit") -> None:
        super().__init__()
        self.names, self.thin, self.scaling = tuple(names), thin, scaling or "unit"
        self.net = Inception(len(self.names), thin)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
        """Pictures (n, SIZE, SIZE, 3) uint8 -> scores (n, character) and those of the head in the middle; above 0 is yes."""
        pictures = pictures.movedim(-1, 1).float() / 255
        if self.scaling == "unit":
            return self.net(2 * pictures - 1)
        mean, std = (torch.tensor(values, device=pictures.device)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
        return self.net((pictures - mean) / std)

    def loss(self, batch: CastBatch, generators: Sequence[torch.Generator]) -> Tensor:
        """Binary cross-entropy, and 0.4 of that of the head in the middle: the mean over pictures, half of which are mirrored."""
        mirrored = [torch.rand((), generator=one, device=one.device).item() < 0.5 for one in generators]
        turned = torch.tensor(mirrored, device=batch.pictures.device)[:, None, None, None]
        scores, middle = self(torch.where(turned, batch.pictures.flip(2), batch.pictures))
        loss = F.binary_cross_entropy_with_logits(scores, batch.labels)
        return loss if middle is None else loss + AUXILIARY * F.binary_cross_entropy_with_logits(middle, batch.labels)

    def begin(self, path: Path) -> Self:
        """Start from torchvision's ImageNet weights; the two last layers stay as they are, since they tell other things apart.

        Raises ModelError.
        """
        found, heads = read_weights(path), ("fc.weight", "fc.bias", "AuxLogits.fc.weight", "AuxLogits.fc.bias")
        own = self.net.state_dict()
        self.net.load(path, {**found, **{name: own[name] for name in heads if name in found}})
        return self

    def held(self) -> tuple[Weights, dict[str, Any]]:
        """The tensors that its file holds, and the facts under `classifier` in its metadata, which are to be JSON."""
        facts = {"names": self.names, "thin": self.thin, "scaling": self.scaling}
        return {name: value.detach().cpu().contiguous() for name, value in self.net.state_dict().items()}, facts

    @classmethod
    def from_file(cls, path: Path | str, names: Sequence[str] = (), scaling: Scaling = "") -> Self:
        """Read ours, or published ones, of which `names` and `scaling` are not in the file. Raises ModelError."""
        path = Path(path)
        found, facts = read_weights(path), _facts(path)
        if facts is None and not names:
            expected = "a file of `arldm train-classifier`, or its names in the order of its outputs (--classifier-names)"
            raise ModelError(f"{path}: does not tell whom it knows; expected {expected}")
        if facts is not None and names and [*names] != facts[0]:
            raise ModelError(f"{path}: says itself that it knows {', '.join(facts[0])}; expected no other names, leave them out")
        if facts is not None and scaling not in ("", facts[2]):
            raise ModelError(f"{path}: says itself that its scaling is {facts[2]}; expected no other, leave it out")
        module = cls(names, 1, scaling) if facts is None else cls(*facts)
        module.net.load(path, {name.removeprefix("module."): value for name, value in found.items()})  # of DataParallel
        return module.eval().requires_grad_(False)


def _facts(path: Path) -> tuple[list[str], int, Scaling] | None:
    """Names, width and scaling, as our files hold them; None for those of others."""
    if path.suffix != ".safetensors":
        return None
    try:
        with safe_open(path, "pt") as file:
            held = file.metadata() or {}
        facts = json.loads(held["classifier"]) if "classifier" in held else None
        return facts and (facts["names"], facts["thin"], facts["scaling"])
    except (*BROKEN, SafetensorError) as error:
        raise ModelError(f"{path}: is no classifier's file ({said(error)}); train it again") from error


@torch.no_grad()
def classify(model: CharacterClassifier, pictures: Sequence[Image.Image], batch: int = 32) -> list[tuple[str, ...]]:
    """Who is in each picture. Raises PictureError for none at all, and ModelError where the network says no numbers."""
    if not pictures:
        raise PictureError("there is no picture to look at; expected at least one, check the folder")
    device = next(model.parameters()).device
    found: list[tuple[str, ...]] = []
    for first in range(0, len(pictures), batch):
        arrays = np.stack([np.asarray(centred(picture, SIZE)) for picture in pictures[first : first + batch]])
        scores, _ = model(torch.from_numpy(arrays).to(device))
        if not scores.isfinite().all():
            raise ModelError("the classifier's scores are no numbers; expected whole weights, fetch or train them again")
        # as the field has it, `round(sigmoid)`, in which a half is no
        found += [tuple(name for name, yes in zip(model.names, row, strict=True) if yes) for row in (scores > 0).tolist()]
    return found


def check_of_classifier(options: Any, before: str = "--") -> None:
    """Raises ConfigError for what is told of a classifier that is not named."""
    for name in ("classifier_names", "classifier_scaling"):
        if getattr(options, name) and not options.classifier:
            option = f"{before}{name.replace('_', '-')}"
            raise ConfigError(f"{option}: given without {before}classifier; expected the file that it is of")

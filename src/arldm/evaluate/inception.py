"""Inception-v3 (Szegedy et al. 2015) in the two forms that the field measures with, both by torchvision's names of weights.

`Inception` is torchvision's `inception_v3`, whose ImageNet weights classifiers of characters begin with. `FIDInception` is
TensorFlow's of 2015-12-05 as pytorch-fid published it: it pools otherwise, and a FID by any other network is another number.
"""

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from arldm.errors import ModelError
from arldm.weight_files import Weights, fill, read_weights

SIZE = 299  # pixels that both were made for
Kernel = int | tuple[int, int]


class Convolution(nn.Sequential):
    """A convolution without bias, normalised and rectified. With stride 2 only whole windows count, else the size stays."""

    def __init__(self, inside: int, outside: int, kernel: Kernel, stride: int = 1, padded: bool = True) -> None:
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = [side // 2 if padded and stride == 1 else 0 for side in sides]
        conv = nn.Conv2d(inside, outside, sides, stride, (padding[0], padding[1]), bias=False)
        super().__init__(OrderedDict(conv=conv, bn=nn.BatchNorm2d(outside, eps=1e-3), relu=nn.ReLU(inplace=True)))


class Look(NamedTuple):
    """A convolution of a block, and what it looks at: "input", "pool" or another convolution of the block."""

    at: str
    channels: int
    kernel: Kernel
    stride: int = 1


Graph = Mapping[str, Look | nn.Module]


class Mixed(nn.ModuleDict):
    """A block: what nothing else in it looks at is joined along channels, in the order of the graph."""

    def __init__(self, inside: int, graph: Graph, thin: int) -> None:
        widths, self.sources = {"input": inside, "pool": inside}, {}
        parts: dict[str, nn.Module] = {}
        for name, part in graph.items():
            if isinstance(part, Look):
                widths[name] = part.channels // thin
                self.sources[name] = part.at
                parts[name] = Convolution(widths[part.at], widths[name], part.kernel, part.stride)
            else:
                self.sources[name] = "input"
                parts[name] = part
        super().__init__(parts)
        self.ends = [name for name in graph if name not in self.sources.values()]
        self.channels = sum(widths[name] for name in self.ends)

    def forward(self, seen: Tensor) -> Tensor:
        """(n, channels, y, x) -> the same with other channels, at half the size where a stride is 2."""
        found = {"input": seen}
        for name, source in self.sources.items():
            found[name] = self[name](found[source])
        return torch.cat([found[name] for name in self.ends], 1)


def _a(pool: nn.Module, pooled: int) -> Graph:
    return {
        "branch1x1": Look("input", 64, 1),
        "branch5x5_1": Look("input", 48, 1),
        "branch5x5_2": Look("branch5x5_1", 64, 5),
        "branch3x3dbl_1": Look("input", 64, 1),
        "branch3x3dbl_2": Look("branch3x3dbl_1", 96, 3),
        "branch3x3dbl_3": Look("branch3x3dbl_2", 96, 3),
        "pool": pool,
        "branch_pool": Look("pool", pooled, 1),
    }


def _b() -> Graph:
    return {
        "branch3x3": Look("input", 384, 3, 2),
        "branch3x3dbl_1": Look("input", 64, 1),
        "branch3x3dbl_2": Look("branch3x3dbl_1", 96, 3),
        "branch3x3dbl_3": Look("branch3x3dbl_2", 96, 3, 2),
        "pool": nn.MaxPool2d(3, 2),
    }


def _c(pool: nn.Module, narrow: int) -> Graph:
    return {
        "branch1x1": Look("input", 192, 1),
        "branch7x7_1": Look("input", narrow, 1),
        "branch7x7_2": Look("branch7x7_1", narrow, (1, 7)),
        "branch7x7_3": Look("branch7x7_2", 192, (7, 1)),
        "branch7x7dbl_1": Look("input", narrow, 1),
        "branch7x7dbl_2": Look("branch7x7dbl_1", narrow, (7, 1)),
        "branch7x7dbl_3": Look("branch7x7dbl_2", narrow, (1, 7)),
        "branch7x7dbl_4": Look("branch7x7dbl_3", narrow, (7, 1)),
        "branch7x7dbl_5": Look("branch7x7dbl_4", 192, (1, 7)),
        "pool": pool,
        "branch_pool": Look("pool", 192, 1),
    }


def _d() -> Graph:
    return {
        "branch3x3_1": Look("input", 192, 1),
        "branch3x3_2": Look("branch3x3_1", 320, 3, 2),
        "branch7x7x3_1": Look("input", 192, 1),
        "branch7x7x3_2": Look("branch7x7x3_1", 192, (1, 7)),
        "branch7x7x3_3": Look("branch7x7x3_2", 192, (7, 1)),
        "branch7x7x3_4": Look("branch7x7x3_3", 192, 3, 2),
        "pool": nn.MaxPool2d(3, 2),
    }


def _e(pool: nn.Module) -> Graph:
    return {
        "branch1x1": Look("input", 320, 1),
        "branch3x3_1": Look("input", 384, 1),
        "branch3x3_2a": Look("branch3x3_1", 384, (1, 3)),
        "branch3x3_2b": Look("branch3x3_1", 384, (3, 1)),
        "branch3x3dbl_1": Look("input", 448, 1),
        "branch3x3dbl_2": Look("branch3x3dbl_1", 384, 3),
        "branch3x3dbl_3a": Look("branch3x3dbl_2", 384, (1, 3)),
        "branch3x3dbl_3b": Look("branch3x3dbl_2", 384, (3, 1)),
        "pool": pool,
        "branch_pool": Look("pool", 192, 1),
    }


class _Network(nn.Module):
    """What both forms share. `pool` is that of blocks that keep their size, `last` the last one's; `thin` divides all widths."""

    def __init__(self, outputs: int, pool: nn.Module, last: nn.Module, thin: int) -> None:
        super().__init__()
        self.outputs = outputs
        widths = [3, *(channels // thin for channels in (32, 32, 64, 80, 192))]
        self.Conv2d_1a_3x3 = Convolution(widths[0], widths[1], 3, 2)
        self.Conv2d_2a_3x3 = Convolution(widths[1], widths[2], 3, padded=False)
        self.Conv2d_2b_3x3 = Convolution(widths[2], widths[3], 3)
        self.maxpool1 = nn.MaxPool2d(3, 2)
        self.Conv2d_3b_1x1 = Convolution(widths[3], widths[4], 1)
        self.Conv2d_4a_3x3 = Convolution(widths[4], widths[5], 3, padded=False)
        self.maxpool2 = nn.MaxPool2d(3, 2)
        graphs = [
            *[("5b", _a(pool, 32)), ("5c", _a(pool, 64)), ("5d", _a(pool, 64))],  # 35 x 35
            *[("6a", _b()), ("6b", _c(pool, 128)), ("6c", _c(pool, 160)), ("6d", _c(pool, 160)), ("6e", _c(pool, 192))],  # 17 x 17
            *[("7a", _d()), ("7b", _e(pool)), ("7c", _e(last))],  # 8 x 8
        ]
        width = widths[-1]
        for name, graph in graphs:
            block = Mixed(width, graph, thin)
            self.add_module(f"Mixed_{name}", block)
            width = block.channels
        self.body = tuple(self._modules)
        self.fc = nn.Linear(width, outputs)

    def look(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (n, 3, h, w) -> what is seen before the last three blocks (n, 768, y, x), and after them (n, 2048, y, x)."""
        seen = middle = pictures
        for name in self.body:
            seen = self.get_submodule(name)(seen)
            middle = seen if name == "Mixed_6e" else middle
        return middle, seen

    def load(self, path: Path, found: Weights) -> Self:
        """Take published weights, all of them and no others; ready for use. Raises ModelError, naming the file they are from."""
        counts = {key: value for key, value in self.state_dict().items() if key.endswith("num_batches_tracked")}
        try:
            fill(self, {**counts, **found}, path)  # files from before torch 0.4.1 do not count batches, and nothing depends on it
        except ModelError as error:
            raise ModelError(f"{error} (Inception-v3, {type(self).__name__}, {self.outputs} outputs)") from error
        return self.eval()


class Auxiliary(nn.Sequential):
    """The head in the middle, which helps the early layers to learn."""

    def __init__(self, inside: int, outputs: int, thin: int) -> None:
        conv0, conv1 = Convolution(inside, 128 // thin, 1), Convolution(128 // thin, 768 // thin, 5, padded=False)
        fc = nn.Linear(768 // thin, outputs)
        super().__init__(
            OrderedDict(pool=nn.AvgPool2d(5, 3), conv0=conv0, conv1=conv1, mean=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), fc=fc)
        )


class Inception(_Network):
    """torchvision's `inception_v3` with its auxiliary head."""

    def __init__(self, outputs: int = 1000, thin: int = 1) -> None:
        pool = nn.AvgPool2d(3, 1, 1)
        super().__init__(outputs, pool, pool, thin)
        self.AuxLogits = Auxiliary(768 // thin, outputs, thin)
        self.dropout = nn.Dropout()

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
        """Pictures (n, 3, 299, 299) -> scores (n, outputs), and those of the auxiliary head, which speaks in training only."""
        middle, last = self.look(pictures)
        return self.fc(self.dropout(last.mean((2, 3)))), self.AuxLogits(middle) if self.training else None


class FIDInception(_Network):
    """The network of FID: `pt_inception-2015-12-05-6726825d.pth` of pytorch-fid."""

    def __init__(self, thin: int = 1) -> None:
        pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)  # TensorFlow does not count the border as zeros
        super().__init__(1008, pool, nn.MaxPool2d(3, 1, 1), thin)  # the last block's pool is TensorFlow's mistake, kept by all

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read the published weights, as .pth or as safetensors. Raises ModelError."""
        return cls().load(path, read_weights(path)).requires_grad_(False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (n, 3, h, w) in [0, 1] -> features (n, 2048); other sizes than 299 x 299 are resampled as pytorch-fid does."""
        pictures = F.interpolate(pictures, (SIZE, SIZE), mode="bilinear", align_corners=False)
        return self.look(2 * pictures - 1)[1].mean((2, 3))

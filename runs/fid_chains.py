"""Are both protocols those of pytorch-fid and clean-fid? `python runs/fid_chains.py OUT`, where both are installed.

The published weights are not needed: all networks get the same random ones, with the batch statistics of some pictures, so that
features are of ordinary size. Resizing, network and distance are theirs; only clean-fid's network, a TorchScript file, is
pytorch-fid's.
"""

import sys
from pathlib import Path

import numpy as np
import pytorch_fid.inception
import scipy.linalg
import torch
from cleanfid.resize import build_resizer
from PIL import Image
from pytorch_fid.fid_score import calculate_frechet_distance
from safetensors.torch import save_file

from arldm.evaluate.features import Features
from arldm.evaluate.fid import frechet
from arldm.evaluate.inception import FIDInception
from arldm.evaluate.networks import inception, whole
from arldm.model.noise import seeded

PICTURES = 16


def pictures(seed: int, size: int) -> list[Image.Image]:
    """Coarse random ones."""
    dice = np.random.default_rng(seed)
    patches = [dice.integers(0, 256, (12, 12, 3), dtype=np.uint8) for _ in range(PICTURES)]
    return [Image.fromarray(one).resize((size, size), Image.Resampling.BICUBIC) for one in patches]


def weights(path: Path) -> dict[str, torch.Tensor]:
    """Random ones whose batch statistics are those of some pictures."""
    with seeded(0):
        network = FIDInception().train().requires_grad_(False)
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 1.0
    network.look(torch.from_numpy(np.stack([whole(one) for one in pictures(9, 128)[:4]])).movedim(-1, 1) * 2 - 1)
    save_file(network.state_dict(), path)
    return network.state_dict()


def theirs(sets: list[list[Image.Image]], protocol: str) -> float:
    """pytorch-fid after AR-LDM's resize to 64, or clean-fid's resize."""
    paper = protocol == "paper"
    network = pytorch_fid.inception.InceptionV3(resize_input=paper, normalize_input=paper).eval()
    statistics = []
    for some in sets:
        if paper:
            small = np.stack([np.asarray(one.resize((64, 64), Image.Resampling.BILINEAR)) for one in some])
            seen = torch.from_numpy(small).permute(0, 3, 1, 2).float() / 255
        else:
            seen = (
                torch.from_numpy(np.stack([build_resizer("clean")(np.array(one)) for one in some])).permute(0, 3, 1, 2) - 128
            ) / 128
        features = network(seen)[0].flatten(1).double().numpy()
        statistics += [features.mean(0), np.cov(features, rowvar=False)]
    return float(calculate_frechet_distance(*statistics))


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    held = weights(out / "weights.safetensors")
    pytorch_fid.inception.load_state_dict_from_url = lambda *_, **__: held
    root = scipy.linalg.sqrtm  # newer ones have no `disp`, by which pytorch-fid 0.3.0 asks for an error beside the root
    scipy.linalg.sqrtm = lambda matrix, disp=True: root(matrix) if disp else (root(matrix), 0)
    sets = [pictures(1, 128), [one.rotate(20) for one in pictures(2, 256)]]
    for protocol, network in inception(out / "weights.safetensors").items():
        ours = frechet(*(Features.held(network.features(some)) for some in sets)).distance
        print(f"{protocol}: {ours:.6f} here, {theirs(sets, protocol):.6f} there")

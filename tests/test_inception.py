"""Inception-v3 has the names, shapes and numbers of the published networks, and takes no other's weights."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from arldm.errors import ModelError
from arldm.evaluate.inception import FIDInception, Inception
from arldm.weight_files import read_weights

#: SHA-256 of the sorted lines "<name> <shape>" of torchvision 0.21's `inception_v3`, and of pytorch-fid 0.3's `fid_inception_v3`
TORCHVISION = "00e4a5a95f23b9cb51e82651b6c68d0e02ae3a5908cf11302535987f7d4f0042"
PYTORCH_FID = "8cdd2faeb41211e17f0fb47e66168d0cb1f981aa773b5f44e5b9cc93857fe492"


def names(module: nn.Module) -> str:
    lines = sorted(f"{name} {list(tensor.shape)}" for name, tensor in module.state_dict().items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def scrambled(module: nn.Module) -> None:
    """Weights that follow from their names, of a size that numbers survive 94 layers of; statistics that are not 0 and 1."""
    for name, tensor in module.state_dict().items():
        if not tensor.is_floating_point():
            continue
        dice = torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big"))
        if tensor.ndim > 1:
            tensor.copy_(torch.randn(tensor.shape, generator=dice) * (2 / tensor[0].numel()) ** 0.5)
        elif name.endswith(("running_var", "bn.weight")):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=dice))
        else:
            tensor.copy_(0.1 * torch.randn(tensor.shape, generator=dice))


@pytest.fixture(scope="module")
def fid() -> FIDInception:
    with torch.device("meta"):
        module = FIDInception()
    module = module.to_empty(device="cpu")
    scrambled(module)
    return module.eval()


def test_names_shapes_and_numbers_of_weights_are_the_published_ones() -> None:
    with torch.device("meta"):
        for module, count, tensors, expected in (
            (Inception(), 27_161_264, 580, TORCHVISION),
            (FIDInception(), 23_850_960, 566, PYTORCH_FID),
        ):
            assert sum(weight.numel() for weight in module.parameters()) == count
            assert len(module.state_dict()) == tensors
            assert names(module) == expected


def picture(size: int) -> torch.Tensor:
    return torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("size", "expected"), [(299, [0.0954, 0.5439, 0, 30.319, 7.9812]), (64, [0.0395, 0.3182, 0, 17.0308, 4.3174])]
)
@torch.no_grad()
def test_the_features_are_those_of_pytorch_fid_on_the_same_weights(fid: FIDInception, size: int, expected: list[float]) -> None:
    features = fid(picture(size))
    assert features.shape == (1, 2048)
    assert torch.allclose(torch.cat([features[0, :4], features.mean()[None]]), torch.tensor(expected), atol=2e-3)


@torch.no_grad()
def test_the_scores_are_those_of_torchvision_on_the_same_weights() -> None:
    module = Inception()
    scrambled(module)
    scores, auxiliary = module.eval()(2 * picture(299) - 1)
    assert scores.shape == (1, 1000)
    assert auxiliary is None
    assert torch.allclose(scores[0, :4], torch.tensor([14.8229, 47.8097, -0.9272, 6.4875]), atol=2e-3)


def test_the_head_in_the_middle_speaks_in_training_alone() -> None:
    module = Inception(5, thin=16)
    scores, auxiliary = module.train()(picture(299).expand(2, -1, -1, -1))
    assert auxiliary is not None
    assert scores.shape == auxiliary.shape == (2, 5)


@pytest.mark.parametrize("old", [True, False])
def test_weights_are_read_from_safetensors_and_from_both_forms_of_pth_with_or_without_counts(tmp_path: Path, old: bool) -> None:
    module = Inception(5, thin=16)
    scrambled(module)
    held = {name: value for name, value in module.state_dict().items() if not (old and name.endswith("num_batches_tracked"))}
    path = tmp_path / "weights.pth"
    torch.save(held, path, _use_new_zipfile_serialization=not old)  # noqa: TID251 - as they were published
    save_file(held, tmp_path / "weights.safetensors")
    for one in (path, tmp_path / "weights.safetensors"):
        found = Inception(5, thin=16).load(one, read_weights(one)).state_dict()
        assert all(torch.equal(found[name], value) for name, value in held.items())
        assert found["Mixed_7c.branch1x1.bn.num_batches_tracked"].dtype == torch.int64


def test_weights_of_another_network_are_refused_in_one_line_that_names_them(tmp_path: Path) -> None:
    path = tmp_path / "torchvision.safetensors"
    save_file(Inception(1008, thin=16).state_dict(), path)
    with pytest.raises(ModelError, match=r"AuxLogits\.\S+ is not part .* \(Inception-v3, FIDInception, 1008 outputs\)$") as caught:
        FIDInception(thin=16).load(path, read_weights(path))
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="has shape"):
        Inception(9, thin=16).load(path, read_weights(path))
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ModelError, match="no whole file of weights"):
        read_weights(path)
    with pytest.raises(ModelError, match="not there"):
        read_weights(tmp_path / "nowhere.pth")

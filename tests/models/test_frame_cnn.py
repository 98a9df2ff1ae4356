"""The frame CNNs by name: sizes, where things are, and where weights may come from."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
import torchvision
from torchvision.models import MobileNet_V3_Small_Weights, ResNet18_Weights

from models.card import CheckpointError
from models.frame_cnn import TRUNKS, FrameCNN

SIZES = {"tiny": (64, 48), "resnet18": (64, 64), "mobilenet_v3_small": (64, 64)}


@pytest.mark.parametrize("name", sorted(TRUNKS))
def test_every_trunk_gives_one_feature_vector_a_picture(name: str) -> None:
    width, height = SIZES[name]
    cnn = FrameCNN(name, width=width, height=height).eval()
    with torch.inference_mode():
        features = cnn(torch.rand(2, 3, height, width))
    assert features.shape == (2, cnn.feature_size)
    assert torch.isfinite(features).all()


def test_another_picture_size_is_refused() -> None:
    cnn = FrameCNN("tiny", width=64, height=48)
    with pytest.raises(ValueError, match=r"\(1, 3, 64, 48\)"):
        cnn(torch.rand(1, 3, 64, 48))
    with pytest.raises(ValueError, match="multiples of 8"):
        FrameCNN("tiny", width=60, height=48)


def test_the_tiny_grid_answers_where_something_changed() -> None:
    torch.manual_seed(0)
    cnn = FrameCNN("tiny", width=128, height=96, grid_channels=4).eval()
    before = torch.full((1, 3, 96, 128), 0.4)
    after = before.clone()
    after[..., 8:24, 96:112] = 1.0  # rows 1-2, columns 12-13 of the grid
    with torch.inference_mode():
        change = (cnn(after) - cnn(before)).abs().reshape(4, 12, 16).sum(0)
    row, column = divmod(int(change.argmax()), 16)
    assert abs(row - 1.5) <= 1.5
    assert abs(column - 12.5) <= 1.5


def test_a_picture_alone_gives_the_same_as_in_a_batch() -> None:
    cnn = FrameCNN("tiny", width=64, height=48).eval()
    pictures = torch.rand(5, 3, 48, 64)
    with torch.inference_mode():
        together = cnn(pictures)
        alone = torch.cat([cnn(one[None]) for one in pictures])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(CheckpointError, match="mobilenet_v3_small, resnet18, tiny"):
        FrameCNN("resnet1")


def test_tiny_has_no_imagenet_weights() -> None:
    with pytest.raises(CheckpointError, match="from scratch"):
        FrameCNN("tiny").load_imagenet(offline=True, announce=pytest.fail)


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("resnet18", ResNet18_Weights.IMAGENET1K_V1),
        ("mobilenet_v3_small", MobileNet_V3_Small_Weights.IMAGENET1K_V1),
    ],
)
def test_imagenet_weights_fill_the_trunk(
    name: str, weights: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cnn = FrameCNN(name, width=64, height=64)
    with pytest.raises(CheckpointError, match="allow the download"):
        cnn.load_imagenet(offline=True, announce=pytest.fail)

    whole = getattr(torchvision.models, name)(weights=None)
    plain = tmp_path / "plain.pth"
    torch.save(whole.state_dict(), plain)
    digest = hashlib.sha256(plain.read_bytes()).hexdigest()
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    file = plain.rename(folder / f"{name}-{digest[:8]}.pth")
    monkeypatch.setattr(type(weights), "url", file.as_uri(), raising=False)

    cnn.load_imagenet(offline=True, announce=pytest.fail)
    expected = whole.state_dict()
    own = cnn.trunk.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in own.items())

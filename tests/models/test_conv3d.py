"""The clip CNNs by name: sizes, order, and where weights may come from."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models import get_model_weights

from models.card import CheckpointError
from models.conv3d import CLIP_TRUNKS, ClipCNN, SmallC3D

PUBLISHED = {"r3d_18": 33_371_472, "mc3_18": 11_695_440, "r2plus1d_18": 31_505_325}


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_torchvisions_networks_are_whole_but_for_the_last_layer(name: str) -> None:
    with torch.device("meta"):
        cnn = ClipCNN(name).eval()
        clips = torch.empty(2, cnn.frames, 3, cnn.height, cnn.width)
    last_layer = 512 * 400 + 400
    assert parameters(cnn) + last_layer == PUBLISHED[name]
    with torch.inference_mode():
        assert cnn(clips).shape == (2, cnn.feature_size)
    want = get_model_weights(name).KINETICS400_V1.transforms()
    record = CLIP_TRUNKS[name]
    assert (tuple(want.mean), tuple(want.std)) == (record.mean, record.std)
    assert want.crop_size == [record.height, record.width]


def test_the_small_one_knows_one_order_from_the_other() -> None:
    torch.manual_seed(0)
    cnn = ClipCNN("c3d_small").eval()
    clips = torch.rand(2, 12, 3, 32, 32)
    with torch.inference_mode():
        features, backward = cnn(clips), cnn(clips.flip(1))
        alone = cnn(clips[:1])
    assert features.shape == (2, cnn.feature_size)
    assert (features - backward).abs().max() > 1e-4
    torch.testing.assert_close(features[:1], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("frames", [1, 3, 4, 12])
def test_the_small_one_takes_short_clips_too(frames: int) -> None:
    cnn = ClipCNN("c3d_small", frames=frames, width=24, height=16, channels=(8, 8), grid=1).eval()
    assert cnn.feature_size == 8
    assert cnn(torch.rand(3, frames, 3, 16, 24)).shape == (3, 8)


def test_the_first_pooling_leaves_time_alone() -> None:
    layers = SmallC3D((8, 8, 8)).layers
    shapes = []
    values = torch.rand(1, 3, 8, 32, 32)
    for layer in layers:
        values = layer(values)
        if isinstance(layer, nn.MaxPool3d):
            shapes.append(tuple(values.shape[2:]))
    assert shapes == [(8, 16, 16), (4, 8, 8), (2, 4, 4)]


def test_another_clip_size_and_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"takes \(B, \*\(12, 3, 32, 32\)\)"):
        ClipCNN("c3d_small")(torch.rand(1, 11, 3, 32, 32))
    with pytest.raises(CheckpointError, match="c3d_small, mc3_18"):
        ClipCNN("c4d")
    with pytest.raises(CheckpointError, match="from scratch"):
        ClipCNN("c3d_small").load_kinetics(offline=True, announce=pytest.fail)


def test_kinetics_weights_fill_the_trunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cnn = ClipCNN("mc3_18")
    with pytest.raises(CheckpointError, match="allow the download"):
        cnn.load_kinetics(offline=True, announce=pytest.fail)

    whole = torchvision.models.video.mc3_18(weights=None)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    plain = folder / "plain.pth"
    torch.save(whole.state_dict(), plain)
    digest = hashlib.sha256(plain.read_bytes()).hexdigest()
    file = plain.rename(folder / f"mc3_18-{digest[:8]}.pth")
    member = get_model_weights("mc3_18").KINETICS400_V1
    monkeypatch.setattr(type(member), "url", file.as_uri(), raising=False)

    cnn.load_kinetics(offline=True, announce=pytest.fail)
    expected = whole.state_dict()
    own = cnn.trunk.state_dict()
    assert len(own) > 50
    assert all(torch.equal(value, expected[key]) for key, value in own.items())

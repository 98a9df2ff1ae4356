"""The frame CNNs by name: sizes, where things are, and where weights may come from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models import get_model_weights

from models.card import CheckpointError
from models.frame_cnn import TRUNKS, FrameCNN

MEASURED = Path(__file__).parents[2] / "benchmarks" / "frame_cnns.json"
PARAMETERS = {  # of the whole classifier: 1,000 classes, or 10 for those that are our own
    "tiny": 105_730,
    "lenet5": 61_706,
    "lenet5_1998": 60_850,
    "alexnet": 61_100_840,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "googlenet": 6_624_904,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "mobilenet_v3_small": 2_542_856,
    "mobilenet_v3_large": 5_483_032,
    "efficientnet_b0": 5_288_548,
    "convnext_tiny": 28_589_128,
}
SMALL = {
    "tiny": (64, 48),
    "lenet5": (32, 32),
    "lenet5_1998": (32, 32),
    "googlenet": (64, 64),
    "resnet18": (64, 64),
    "mobilenet_v3_small": (64, 64),
    "efficientnet_b0": (64, 64),
}
PUBLISHED = [name for name, record in TRUNKS.items() if record.published is not None]


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def made(name: str, classes: int) -> FrameCNN:
    """Without memory: shapes and counts alone."""
    with torch.device("meta"):
        return FrameCNN(name, classes=classes).eval()


def test_every_network_asked_for_is_there() -> None:
    assert set(TRUNKS) == set(PARAMETERS)


@pytest.mark.parametrize("name", sorted(TRUNKS))
def test_the_whole_classifier_has_its_papers_parameters_and_feature(name: str) -> None:
    record = TRUNKS[name]
    cnn = made(name, 1000 if name in PUBLISHED else 10)
    trunk = cnn.trunk
    extra = sum(parameters(getattr(trunk, aux)) for aux in ("aux1", "aux2") if hasattr(trunk, aux))
    assert parameters(cnn) - extra == PARAMETERS[name]
    first = next(layer for layer in cnn.head.modules() if isinstance(layer, nn.Linear))  # type: ignore[union-attr]
    assert (cnn.width, cnn.height) == (record.width, record.height)
    assert cnn.feature_size == record.size == first.in_features


@pytest.mark.parametrize("name", ["alexnet", "vgg19", "resnet34", "convnext_tiny"])
def test_the_larger_ones_give_their_feature_too(name: str) -> None:
    cnn = made(name, 7)
    pictures = torch.empty(2, 3, cnn.height, cnn.width, device="meta")
    with torch.inference_mode():
        assert cnn(pictures).shape == (2, cnn.feature_size)
        assert cnn.classify(pictures).shape == (2, 7)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_picture_gives_one_feature_vector_and_its_logits(name: str) -> None:
    width, height = SMALL[name]
    cnn = FrameCNN(name, width=width, height=height, classes=5).eval()
    pictures = torch.rand(2, 3, height, width)
    with torch.inference_mode():
        features = cnn(pictures)
        logits = cnn.classify(pictures)
    assert features.shape == (2, cnn.feature_size)
    assert logits.shape == (2, 5)
    assert torch.isfinite(features).all()
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", PUBLISHED)
def test_preprocessing_is_what_the_published_weights_were_trained_with(name: str) -> None:
    record = TRUNKS[name]
    want = get_model_weights(name).IMAGENET1K_V1.transforms()
    assert want.crop_size == [record.width] == [record.height]
    if name != "googlenet":
        assert (tuple(want.mean), tuple(want.std)) == (record.mean, record.std)


def test_googlenet_sees_what_torchvision_would_show_its_published_weights() -> None:
    published = torchvision.models.googlenet(
        weights=None, transform_input=True, init_weights=False, aux_logits=False
    )
    shown: list[torch.Tensor] = []
    published.conv1.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    cnn = FrameCNN("googlenet", width=64, height=64).eval()
    cnn.trunk.get_submodule("conv1").register_forward_pre_hook(
        lambda _, inputs: shown.append(inputs[0])
    )
    pictures = torch.rand(1, 3, 64, 64)
    mean, std = (
        torch.tensor(numbers)[:, None, None]
        for numbers in (TRUNKS["resnet18"].mean, TRUNKS["resnet18"].std)
    )
    with torch.inference_mode():
        published.eval()((pictures - mean) / std)
        cnn(pictures)
    torch.testing.assert_close(shown[0], shown[1], atol=1e-5, rtol=0)


def test_googlenet_trains_its_auxiliary_classifiers_too() -> None:
    torch.manual_seed(0)
    cnn = FrameCNN("googlenet", width=64, height=64, classes=3).train()
    cnn.loss(torch.rand(2, 3, 64, 64), torch.tensor([0, 2])).backward()
    for layer in ("aux1.fc2", "aux2.fc2", "inception5b.branch1.conv"):
        gradient = cnn.trunk.get_submodule(layer).weight.grad
        assert isinstance(gradient, torch.Tensor)
        assert gradient.abs().sum() > 0
    assert not hasattr(FrameCNN("googlenet", width=64, height=64).trunk.aux1, "fc2")


def test_the_loss_is_the_cross_entropy_of_the_logits() -> None:
    cnn = FrameCNN("lenet5", classes=4).eval()
    pictures, labels = torch.rand(3, 3, 32, 32), torch.tensor([0, 3, 1])
    expected = nn.functional.cross_entropy(cnn.classify(pictures), labels)
    torch.testing.assert_close(cnn.loss(pictures, labels), expected)


def test_lenet_reads_grey_with_ink_as_high_as_in_the_paper() -> None:
    cnn = FrameCNN("lenet5_1998").eval()
    seen: list[torch.Tensor] = []
    cnn.trunk.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    pictures = torch.stack([torch.zeros(3, 32, 32), torch.ones(3, 32, 32)])
    pictures = torch.cat([pictures, torch.zeros(1, 3, 32, 32)])
    pictures[2, 1] = 1  # pure green
    cnn(pictures)
    assert seen[0].shape == (3, 1, 32, 32)
    values = seen[0].amax((1, 2, 3))
    torch.testing.assert_close(values, torch.tensor([-0.1, 1.175, 0.587 * 1.275 - 0.1]))


def test_what_was_measured_is_of_these_networks() -> None:
    report = json.loads(MEASURED.read_text(encoding="utf-8"))
    rows = {row["name"]: row for row in report["networks"]}
    assert list(rows) == list(TRUNKS)
    for name, row in rows.items():
        record = TRUNKS[name]
        assert row["parameters"] == PARAMETERS[name]
        sizes = (row["width"], row["height"], row["feature_size"])
        assert sizes == (record.width, record.height, record.size)
        assert row["cpu_ms"] > 0
        if record.published is not None:  # torchvision counts a multiply-add once
            published = get_model_weights(name).IMAGENET1K_V1.meta["_ops"]
            assert row["gflops"] / 2 == pytest.approx(published, rel=0.02)


def test_another_picture_size_is_refused() -> None:
    cnn = FrameCNN("tiny", width=64, height=48)
    with pytest.raises(ValueError, match=r"\(1, 3, 64, 48\)"):
        cnn(torch.rand(1, 3, 64, 48))
    with pytest.raises(ValueError, match="multiples of 8"):
        FrameCNN("tiny", width=60, height=48)
    with pytest.raises(ValueError, match="32x32 alone, not 28x28"):
        FrameCNN("lenet5", width=28, height=28)


def test_features_alone_have_no_logits() -> None:
    with pytest.raises(ValueError, match="without classes"):
        FrameCNN("tiny", width=64, height=48).classify(torch.rand(1, 3, 48, 64))


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
    with pytest.raises(CheckpointError, match="resnet50, tiny, vgg16, vgg19"):
        FrameCNN("resnet1")


def test_tiny_has_no_imagenet_weights() -> None:
    with pytest.raises(CheckpointError, match="from scratch"):
        FrameCNN("tiny").load_imagenet(offline=True, announce=pytest.fail)


@pytest.mark.parametrize(
    ("name", "classes"),
    [("resnet18", 0), ("mobilenet_v3_small", 3), ("googlenet", 0), ("googlenet", 3)],
)
def test_imagenet_weights_fill_the_trunk(
    name: str, classes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cnn = FrameCNN(name, width=64, height=64, classes=classes)
    with pytest.raises(CheckpointError, match="allow the download"):
        cnn.load_imagenet(offline=True, announce=pytest.fail)

    options = {"init_weights": False} if name == "googlenet" else {}
    whole = getattr(torchvision.models, name)(weights=None, **options)
    plain = tmp_path / "plain.pth"
    torch.save(whole.state_dict(), plain)
    digest = hashlib.sha256(plain.read_bytes()).hexdigest()
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    file = plain.rename(folder / f"{name}-{digest[:8]}.pth")
    member = get_model_weights(name).IMAGENET1K_V1
    monkeypatch.setattr(type(member), "url", file.as_uri(), raising=False)

    before = None if cnn.head is None else [value.clone() for value in cnn.head.parameters()]
    cnn.load_imagenet(offline=True, announce=pytest.fail)
    expected = whole.state_dict()
    own = {key: value for key, value in cnn.trunk.state_dict().items() if "aux" not in key}
    assert len(own) > 50
    assert all(torch.equal(value, expected[key]) for key, value in own.items())
    if cnn.head is not None and before is not None:
        kept = zip(before, cnn.head.parameters(), strict=True)
        assert all(torch.equal(one, other) for one, other in kept)

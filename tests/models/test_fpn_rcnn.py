"""Mask R-CNNs on torchvision's classifiers: their pyramids, their norms, where they begin."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models import get_model
from torchvision.models.detection import MaskRCNN
from torchvision.ops import FrozenBatchNorm2d

from models import fpn_rcnn
from models.card import CheckpointError
from models.fpn_rcnn import STRIDES, build_fpn, load_imagenet, with_norm
from models.mask_rcnn import build
from tests.models.test_pretrained import Member

SMALL = {"backbone": "mobilenet_v3_small", "classes": 2, "out_channels": 8}


@pytest.mark.parametrize(
    "backbone", ["resnet18", "mobilenet_v3_small", "efficientnet_b0", "regnet_y_400mf"]
)
def test_a_classifier_gets_a_pyramid_of_every_stride(backbone: str) -> None:
    network = build_fpn(backbone=backbone, classes=2, out_channels=8).backbone.eval()
    with torch.inference_mode():
        maps = network(torch.zeros(1, 3, 64, 128))
    wanted = [(1, 8, 64 // stride, 128 // stride) for stride in (*STRIDES, 64)]
    assert [tuple(one.shape) for one in maps.values()] == wanted
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize(
    ("backbone", "why"),
    [
        ("vit_b_16", "vit_b_16 has no maps of strides 4, 8, 16 and 32"),
        ("alexnet", "alexnet has no maps of strides"),
        ("swin_t", "swin_t has no maps of strides"),
        ("blurnet", "torchvision has no classifier called 'blurnet'"),
    ],
)
def test_a_classifier_that_will_not_do_is_told(backbone: str, why: str) -> None:
    with torch.device("meta"), pytest.raises(CheckpointError, match=why):
        build_fpn(backbone=backbone, classes=2)


def test_architectures_can_be_built_from_a_card() -> None:
    with torch.device("meta"):
        network = build({"body": "fpn", "norm": "frozen", **SMALL})
        second = build({"body": "resnet50_fpn_v2", "classes": 3})
    assert any(isinstance(module, FrozenBatchNorm2d) for module in network.backbone.modules())
    assert network.roi_heads.mask_predictor.mask_fcn_logits.out_channels == 3
    assert second.roi_heads.box_predictor.cls_score.out_features == 4
    assert not any(isinstance(module, nn.BatchNorm2d) for module in second.modules())
    with pytest.raises(CheckpointError, match="no norm is called 'batch'; there are group, frozen"):
        with_norm(nn.BatchNorm2d(3), "batch")


def test_frozen_norms_answer_as_the_ones_they_replace() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    for _ in range(3):
        network(torch.randn(4, 3, 8, 8) * 2 + 1)
    network.eval()
    pictures = torch.randn(2, 3, 8, 8)
    before = network(pictures).detach()
    frozen = with_norm(network, "frozen").train()
    assert torch.allclose(frozen(pictures), before, atol=1e-6)
    assert [name for name, _ in frozen.named_parameters()] == ["0.weight", "0.bias"]


def test_imagenet_weights_fill_the_body_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(5)
    classifier = get_model("mobilenet_v3_small", weights=None)
    torch.save(classifier.state_dict(), tmp_path / "plain.pth")
    digest = hashlib.sha256((tmp_path / "plain.pth").read_bytes()).hexdigest()
    member = Member((tmp_path / "plain.pth").rename(tmp_path / f"net-{digest[:8]}.pth").as_uri())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(fpn_rcnn, "_imagenet", lambda _name: member)
    network: MaskRCNN = build_fpn(norm="frozen", **SMALL)
    with pytest.raises(CheckpointError, match="no such file"):
        load_imagenet(network, "mobilenet_v3_small", offline=True, announce=print)
    told: list[str] = []
    load_imagenet(network, "mobilenet_v3_small", offline=False, announce=told.append)
    assert len(told) == 1 and "downloading" in told[0]
    own, given = network.backbone.body.state_dict(), classifier.features.state_dict()
    assert all(torch.equal(own[name], given[name]) for name in own)

"""The compact body and the network around it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from models.card import CheckpointError
from models.checkpoint import read_card, resolve
from models.compact_rcnn import CoarseProposals, CompactBody
from models.mask_rcnn import build

SHIPPED: dict[str, Any] = read_card("street-people").architecture


def test_the_network_that_ships_is_small() -> None:
    network = build(SHIPPED)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert 1_200_000 < count < 1_300_000
    stored = resolve("street-people").stat().st_size
    assert 2 * count <= stored < 2 * count + 50_000  # half precision, and the names


@torch.inference_mode()
def test_maps_have_the_strides_they_say_and_one_width() -> None:
    body = CompactBody([8, 8, 16, 16, 24], 12).eval()
    maps = body(torch.randn(2, 3, 64, 96))
    shapes = {name: tuple(level.shape) for name, level in maps.items()}
    assert shapes == {
        "0": (2, 12, 16, 24),
        "1": (2, 12, 8, 12),
        "2": (2, 12, 4, 6),
        "3": (2, 12, 2, 3),
    }


@torch.inference_mode()
def test_no_statistic_joins_the_pictures_of_a_batch() -> None:
    torch.manual_seed(1)
    body = CompactBody([8, 8, 16, 16, 24], 8).train()
    pictures = torch.randn(3, 3, 64, 64)
    alone = body(pictures[1:2])
    together = body(torch.stack([pictures[0] * 50, pictures[1], pictures[2] - 9]))
    for name, level in alone.items():
        torch.testing.assert_close(together[name][1:2], level, rtol=1e-4, atol=1e-5)


def test_regions_are_proposed_without_the_finest_map() -> None:
    network = build(SHIPPED).eval()
    assert isinstance(network.rpn, CoarseProposals)
    with torch.inference_mode():
        pictures = torch.randn(1, 3, 128, 128)
        features = network.backbone(pictures)
        images, _ = network.transform([pictures[0]])
        images.image_sizes = [(128, 128)]
        before, _ = network.rpn(images, features)
        features["0"] = torch.full_like(features["0"], torch.nan)
        after, _ = network.rpn(images, features)
    assert len(before[0]) > 0
    assert torch.equal(before[0], after[0])


@pytest.mark.parametrize(
    "architecture",
    [{**SHIPPED, "colour": "red"}, {"body": "compact"}, {"body": "resnet50_fpn", "hidden": 3}],
    ids=["unknown", "missing", "fixed"],
)
def test_arguments_that_do_not_fit_are_told(architecture: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="does not take these arguments"):
        build(architecture)


@pytest.mark.parametrize("architecture", [{}, {"body": "resnet7"}])
def test_a_body_that_does_not_exist_is_told_with_those_that_do(
    architecture: dict[str, Any],
) -> None:
    with pytest.raises(CheckpointError, match="compact, fpn, resnet50_fpn, resnet50_fpn_v2"):
        build(architecture)

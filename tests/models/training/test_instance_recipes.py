"""Recipes for masks: what they build, and what cannot go together."""

from __future__ import annotations

import pytest
import torch

from models.mask_rcnn import build
from models.training.errors import TrainingError
from models.training.instance_data import labelled_frames
from models.training.instance_recipes import INSTANCES, InstanceRecipe
from tests.models.training import toy_shapes

PART = toy_shapes.dataset()
DATA = list(labelled_frames(toy_shapes.frames(PART), PART.coco, 64))


@pytest.mark.parametrize(
    "recipe",
    [
        *INSTANCES.values(),
        INSTANCES["fpn"].with_trunk("mobilenet_v3_large").starting_with("imagenet"),
        INSTANCES["resnet50-fpn"].starting_with("coco"),
        INSTANCES["resnet50-fpn"].starting_with("coco_v2"),
    ],
)
def test_every_recipe_can_be_built_for_any_number_of_classes(recipe: InstanceRecipe) -> None:
    with torch.device("meta"):
        network = build(recipe.architecture(DATA, 4))
    assert network.roi_heads.box_predictor.cls_score.out_features == 5


def test_anchors_of_the_compact_body_fit_the_labels() -> None:
    fitted = INSTANCES["compact"].architecture(DATA, 2)
    smallest, largest = fitted["anchor_sizes"][0][0], fitted["anchor_sizes"][-1][-1]
    assert smallest <= toy_shapes.SIDE + 1 < largest
    assert fitted["anchor_ratios"] == pytest.approx([1.0, 1.0], abs=0.1)
    small = INSTANCES["compact-small"].architecture(DATA, 2)
    assert small["anchor_sizes"] == fitted["anchor_sizes"]
    assert sum(small["channels"]) < sum(fitted["channels"])


def test_published_weights_freeze_the_norms_that_they_were_taught_with() -> None:
    begun = INSTANCES["fpn"].starting_with("imagenet")
    assert begun.body == {"body": "fpn", "backbone": "resnet18", "norm": "frozen"}
    assert INSTANCES["resnet50-fpn"].starting_with("coco").body == {"body": "resnet50_fpn"}


@pytest.mark.parametrize(
    ("recipe", "weights", "why"),
    [
        ("compact", "coco", "they are of a ResNet-50; choose --recipe resnet50-fpn"),
        ("fpn", "coco_v2", "they are of a ResNet-50"),
        ("compact", "imagenet", "the compact body has none; choose --recipe fpn"),
    ],
)
def test_weights_of_another_body_are_refused(recipe: str, weights: str, why: str) -> None:
    with pytest.raises(TrainingError, match=why):
        INSTANCES[recipe].starting_with(weights)


def test_the_compact_body_takes_no_other_trunk() -> None:
    with pytest.raises(TrainingError, match="--trunk resnet18: the compact body is its own"):
        INSTANCES["compact"].with_trunk("resnet18")

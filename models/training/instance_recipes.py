"""The networks for pictures with COCO labels, by recipe name, and how they are trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.runtime.base import Precision
from models.training.errors import TrainingError
from models.training.instance_data import Labelled
from models.training.settings import Settings

PUBLISHED = {"coco": "resnet50_fpn", "coco_v2": "resnet50_fpn_v2"}
"""Torchvision's weights for whole networks, and the body that each is for."""

IMAGENET = "imagenet"


def architecture_for(data: Sequence[Labelled], classes: int) -> dict[str, Any]:
    """The arguments of the compact network, its anchors fitted to the labels' sizes and shapes.

    ValueError when there are no labels.
    """
    things = [one for labelled in data for one in labelled.instances if one.label]
    if not things:
        message = "no frame has a label that is large enough: nothing can be learnt"
        raise ValueError(message)
    shapes = np.array([one.mask.shape for one in things], np.float64)
    sides = np.sqrt(shapes.prod(1))
    small, middle, large = np.quantile(sides, (0.1, 0.5, 0.9))
    ratios = np.quantile(shapes[:, 0] / shapes[:, 1], (0.2, 0.8))
    sizes = ((small, middle), (large, 1.4 * large), (2 * large, 2.8 * large))
    return {
        "body": "compact",
        "classes": classes,
        "channels": [24, 48, 64, 96, 128],
        "out_channels": 64,
        "hidden": 128,
        "anchor_sizes": [[round(float(size), 1) for size in level] for level in sizes],
        "anchor_ratios": [round(float(ratio), 2) for ratio in ratios],
        "mask_samples": 1,
    }


@dataclass(frozen=True, slots=True)
class InstanceRecipe:
    """The network's body and how it is trained.

    Pictures are scaled to a short side of `short_px`; a lesson is `crop_px` by as many of them,
    between `zoom` times as large. `start` names the weights to begin with: `coco`, `coco_v2`,
    `imagenet` (the body alone), a shipped name or a path; None is from scratch. `precision` is
    that of the body while it learns; `halved` weights are stored in half precision.
    """

    settings: Settings
    body: dict[str, Any]
    short_px: int = 384
    crop_px: int = 320
    zoom: tuple[float, float] = (0.6, 1.25)
    start: str | None = None
    precision: Precision = "float32"
    halved: bool = False

    def architecture(self, data: Sequence[Labelled], classes: int) -> dict[str, Any]:
        """The arguments of `models.mask_rcnn.build`; the compact body's anchors fit the labels."""
        if self.body["body"] == "compact":
            return {**architecture_for(data, classes), **self.body}
        return {**self.body, "classes": classes}

    def with_trunk(self, name: str) -> InstanceRecipe:
        """The same on another classifier of torchvision's; TrainingError for a compact body."""
        if self.body["body"] != "fpn":
            message = f"--trunk {name}: the compact body is its own; choose --recipe fpn"
            raise TrainingError(message)
        return replace(self, body={**self.body, "backbone": name})

    def starting_with(self, weights: str) -> InstanceRecipe:
        """The same from these weights; TrainingError when they are of another body.

        Frozen norms keep what weights of ImageNet or COCO were taught with.
        """
        if weights in PUBLISHED:
            if self.body.get("backbone") != "resnet50":
                message = (
                    f"--weights {weights}: they are of a ResNet-50; choose --recipe resnet50-fpn"
                )
                raise TrainingError(message)
            return replace(self, body={"body": PUBLISHED[weights]}, start=weights)
        if weights == IMAGENET:
            if self.body["body"] != "fpn":
                message = f"--weights {weights}: the compact body has none; choose --recipe fpn"
                raise TrainingError(message)
            return replace(self, body={**self.body, "norm": "frozen"}, start=weights)
        return replace(self, start=weights)


_COMPACT: dict[str, Any] = {"body": "compact"}
_SMALL = {
    "body": "compact",
    "channels": [16, 24, 32, 48, 64],
    "out_channels": 32,
    "hidden": 64,
}
_LONG = Settings(1600, 4, 1e-3, ema=0.995, check_every=200)
_FPN = Settings(3000, 4, 3e-4, ema=0.998, check_every=250)

INSTANCES: dict[str, InstanceRecipe] = {
    "compact": InstanceRecipe(_LONG, _COMPACT, halved=True),
    "compact-small": InstanceRecipe(
        replace(_LONG, steps=600, ema=0.98, check_every=100),
        _SMALL,
        short_px=192,
        crop_px=160,
        halved=True,
    ),
    "fpn": InstanceRecipe(_FPN, {"body": "fpn", "backbone": "resnet18", "norm": "group"}),
    "resnet50-fpn": InstanceRecipe(_FPN, {"body": "fpn", "backbone": "resnet50", "norm": "group"}),
}

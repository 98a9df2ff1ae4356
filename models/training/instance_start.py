"""Weights that an instances network begins with: published ones, or those of another checkpoint."""

from __future__ import annotations

import logging
from typing import Any

from torchvision.models.detection import MaskRCNN

from models.card import CheckpointError
from models.fpn_rcnn import load_imagenet
from models.mask_rcnn import load_segmenter

IMAGENET = "imagenet"
_LOGGER = logging.getLogger(__name__)


def begin_with(network: MaskRCNN, architecture: dict[str, Any], start: str) -> list[str]:
    """The names of the tensors that stay fresh; the others are copied from `start`, in place.

    `start` is `imagenet` for the body alone, `coco` or `coco_v2` for torchvision's, a shipped name
    or a path. Layers that count other classes stay fresh. A published file is fetched if it is
    not there, and told before. CheckpointError when it cannot be had or is of another body.
    """
    if start == IMAGENET:
        load_imagenet(network, architecture["backbone"], offline=False, announce=_LOGGER.warning)
        return [name for name in network.state_dict() if not name.startswith("backbone.body.")]
    given = load_segmenter(start, offline=False).network.state_dict()
    own = network.state_dict()
    fitting = {
        name: given[name]
        for name, value in own.items()
        if name in given and given[name].shape == value.shape
    }
    if strange := [name for name in own if name.startswith("backbone.") and name not in fitting]:
        message = f"{start}: its weights are of another body: {strange[0]} does not fit"
        raise CheckpointError(message)
    network.load_state_dict({**own, **fitting})
    return [name for name in own if name not in fitting]

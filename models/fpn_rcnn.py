"""torchvision's Mask R-CNN over a feature pyramid on any of its classifiers that has the strides.

A batch of pictures is small while a Mask R-CNN learns, so statistics over it are poor: the batch
norms of the classifier become group norms, which learn from scratch, or are frozen, which keeps
what weights that are loaded afterwards were taught with.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from math import gcd
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models as classifiers
from torchvision.models import get_model, get_model_weights, list_models
from torchvision.models.detection import MaskRCNN, maskrcnn_resnet50_fpn_v2
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN, resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

from models.card import CheckpointError
from models.pretrained import load_published, torchvision_state

STRIDES = (4, 8, 16, 32)
ANCHOR_SIZES = ((16.0,), (32.0,), (64.0,), (128.0,), (256.0,))
_GROUPS = 32
_PROBE_PX = 128


def build_fpn(
    *,
    backbone: str,
    classes: int,
    norm: str = "group",
    out_channels: int = 256,
    anchor_sizes: Sequence[Sequence[float]] = ANCHOR_SIZES,
    anchor_ratios: Sequence[float] = (0.5, 1.0, 2.0),
) -> MaskRCNN:
    """A Mask R-CNN with fresh weights on a classifier of torchvision's, by name.

    `classes` counts without the background; `norm` is `group` or `frozen`. `anchor_sizes` are
    square roots of areas in px for strides 4 to 64, `anchor_ratios` are heights over widths.
    CheckpointError when there is no such classifier, or it has no maps of strides 4 to 32.
    """
    stages = _stages(backbone)
    layers, widths = _pyramid(stages, backbone)
    with_norm(stages, norm)
    body = BackboneWithFPN(stages, layers, widths, out_channels)
    anchors = AnchorGenerator(
        tuple(tuple(sizes) for sizes in anchor_sizes), (tuple(anchor_ratios),) * len(anchor_sizes)
    )
    return MaskRCNN(body, num_classes=classes + 1, rpn_anchor_generator=anchors)


def build_resnet50_fpn(*, classes: int = 90) -> MaskRCNN:
    """Torchvision's first one for COCO, with fresh weights; `classes` without the background."""
    backbone = resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, norm_layer=FrozenBatchNorm2d
    )
    for module in backbone.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = 0.0  # the published weights were trained without it
    return MaskRCNN(backbone, num_classes=classes + 1)


def build_resnet50_fpn_v2(*, classes: int | None = None) -> MaskRCNN:
    """Torchvision's second one for COCO, with fresh weights.

    With `classes` of one's own its norms are frozen, so that it can be taught by small batches.
    """
    count = 91 if classes is None else classes + 1
    network = maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None, num_classes=count)
    return network if classes is None else with_norm(network, "frozen")


def load_imagenet(
    network: MaskRCNN, backbone: str, *, offline: bool, announce: Callable[[str], None]
) -> None:
    """Fills the body with torchvision's ImageNet weights of the classifier; norms are frozen ones.

    See `models.pretrained` for where they come from. CheckpointError when they cannot be had.
    """
    classifier = get_model(backbone, weights=None)
    state = torchvision_state(_imagenet(backbone), offline=offline, announce=announce)
    load_published(classifier, state, f"ImageNet weights of {backbone}")
    given = with_norm(_flat(classifier, backbone), "frozen").state_dict()
    own = network.backbone.body.state_dict()
    network.backbone.body.load_state_dict({name: given[name] for name in own})


def _imagenet(backbone: str) -> Any:
    return get_model_weights(backbone).IMAGENET1K_V1


def with_norm(network: nn.Module, norm: str) -> nn.Module:
    """The same network, in place, its batch norms replaced by `group` or `frozen` ones.

    Frozen ones keep weights and statistics; group norms are fresh. CheckpointError for another
    name.
    """
    makers: dict[str, Callable[[nn.BatchNorm2d], nn.Module]] = {"group": _group, "frozen": _frozen}
    if norm not in makers:
        message = f"no norm is called {norm!r}; there are {', '.join(makers)}"
        raise CheckpointError(message)
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.BatchNorm2d):
            network.set_submodule(name, makers[norm](module))
    return network


def _group(norm: nn.BatchNorm2d) -> nn.Module:
    return nn.GroupNorm(gcd(_GROUPS, norm.num_features), norm.num_features)


def _frozen(norm: nn.BatchNorm2d) -> nn.Module:
    frozen: nn.Module = FrozenBatchNorm2d(norm.num_features, eps=norm.eps)
    own = frozen.state_dict()
    frozen.load_state_dict({name: norm.state_dict()[name] for name in own})
    return frozen


def _stages(backbone: str) -> nn.Module:
    """The layers of the classifier before its head, one after the other, with fresh weights."""
    if backbone not in list_models(module=classifiers):
        message = f"torchvision has no classifier called {backbone!r}"
        raise CheckpointError(message)
    return _flat(get_model(backbone, weights=None), backbone)


def _flat(classifier: nn.Module, backbone: str) -> nn.Module:
    """Its layers before the head, so that every stage is a child."""
    children = OrderedDict(classifier.named_children())
    if "layer4" in children:
        return nn.Sequential(
            OrderedDict(pair for pair in children.items() if pair[0] not in {"avgpool", "fc"})
        )
    if isinstance(features := children.get("features"), nn.Sequential):
        return features
    if "trunk_output" in children:
        blocks = OrderedDict(children["trunk_output"].named_children())
        return nn.Sequential(OrderedDict(stem=children["stem"], **blocks))
    raise CheckpointError(_unfit(backbone))


def _pyramid(stages: nn.Module, backbone: str) -> tuple[dict[str, str], list[int]]:
    """The last layer of each stride, with the name of its map, and how many channels it has."""
    maps = torch.zeros(1, 3, _PROBE_PX, _PROBE_PX)
    last: dict[int, tuple[str, int]] = {}
    stages.eval()
    for name, layer in stages.named_children():
        maps = _probed(layer, maps, backbone)
        _, channels, height, width = maps.shape
        if height == width and _PROBE_PX % height == 0:
            last[_PROBE_PX // height] = (name, channels)
    stages.train()
    if not set(STRIDES) <= last.keys():
        raise CheckpointError(_unfit(backbone))
    found = [last[stride] for stride in STRIDES]
    return {name: str(number) for number, (name, _) in enumerate(found)}, [n for _, n in found]


@torch.no_grad()
def _probed(layer: nn.Module, maps: Tensor, backbone: str) -> Tensor:
    out: Tensor = layer(maps)
    if out.ndim != 4:
        raise CheckpointError(_unfit(backbone))
    return out


def _unfit(backbone: str) -> str:
    return f"{backbone} has no maps of strides 4, 8, 16 and 32 in a row: no pyramid stands on it"

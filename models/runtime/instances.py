"""Mask R-CNN in four parts; what selects proposals and boxes stays torchvision's own, in torch.

The parts are what takes the time: body and pyramid, the head that proposes, the box head, the mask
head. Each replaces a submodule of the network under the same interface, so whoever calls the
network notices nothing.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.faster_rcnn import TwoMLPHead
from torchvision.models.detection.image_list import ImageList

from models.compact_rcnn import CoarseProposals
from models.runtime.base import Execution, Part, Precision, Runtime
from models.runtime.layout import OF_TORCH, laid_out
from models.runtime.roi import FeatureTable, GatheredRoIAlign

_EXAMPLE = (96, 128)  # px; any size that every stride divides


class _Maps(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.body(pictures).values())


class _Proposing(nn.Module):
    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, *maps: Tensor) -> tuple[Tensor, ...]:
        objectness, deltas = self.head(list(maps))
        return *objectness, *deltas


class _Chain(nn.Module):
    """Regions (N, side, side, C): channels last is how they are made, and how torch is fastest."""

    def __init__(self, head: nn.Module, predictor: nn.Module) -> None:
        super().__init__()
        self.head = head
        self.predictor = predictor

    def forward(self, pooled: Tensor) -> Tensor | tuple[Tensor, ...]:
        found: Tensor | tuple[Tensor, ...] = self.predictor(self.head(pooled.permute(0, 3, 1, 2)))
        return found


class _BoxChain(nn.Module):
    """The same for a head that flattens its regions: its weights are moved, not the regions."""

    weight: Tensor
    bias: Tensor

    def __init__(self, head: TwoMLPHead, predictor: nn.Module, channels: int) -> None:
        super().__init__()
        rows = head.fc6.weight.detach()
        self.register_buffer("weight", rows.unflatten(1, (channels, -1)).mT.flatten(1))
        self.register_buffer("bias", head.fc6.bias.detach())
        self.second = head.fc7
        self.predictor = predictor

    def forward(self, pooled: Tensor) -> Tensor | tuple[Tensor, ...]:
        first = F.relu(F.linear(pooled.flatten(1), self.weight, self.bias))
        found: Tensor | tuple[Tensor, ...] = self.predictor(F.relu(self.second(first)))
        return found


@dataclass(frozen=True, slots=True)
class InstanceParts:
    """The four parts, and the names of the maps."""

    maps: Part
    proposing: Part
    boxes: Part
    masks: Part
    names: tuple[str, ...]

    def each(self) -> tuple[Part, ...]:
        """All of them, in the order in which they run."""
        return self.maps, self.proposing, self.boxes, self.masks


@torch.inference_mode()
def instance_parts(network: MaskRCNN) -> InstanceParts:
    """The parts of a Mask R-CNN in eval mode; they take any picture size and any number."""
    pictures = torch.rand(2, 3, *_EXAMPLE, device=next(network.parameters()).device)
    found = network.backbone(pictures)
    names = tuple(found)
    proposer = _proposer(network)
    used = list(found.values())[1 if proposer is not network.rpn else 0 :]
    heads = network.roi_heads
    channels = used[0].shape[1]
    return InstanceParts(
        maps=_maps_part(network.backbone, pictures, names),
        proposing=_proposing_part(proposer.head, used),
        boxes=_pooled_part(
            "boxes",
            _box_chain(heads.box_head, heads.box_predictor, channels),
            torch.rand(3, *heads.box_roi_pool.output_size, channels),
            ("logits", "deltas"),
        ),
        masks=_pooled_part(
            "masks",
            _Chain(heads.mask_head, heads.mask_predictor),
            torch.rand(3, *heads.mask_roi_pool.output_size, channels),
            ("mask_logits",),
        ),
        names=names,
    )


def _box_chain(head: nn.Module, predictor: nn.Module, channels: int) -> nn.Module:
    if isinstance(head, TwoMLPHead):
        return _BoxChain(head, predictor, channels)
    return _Chain(head, predictor)


def _proposer(network: MaskRCNN) -> Any:
    """Torchvision's region proposal network, wherever it is."""
    rpn: Any = network.rpn
    return rpn.rpn if isinstance(rpn, CoarseProposals) else rpn


def _maps_part(body: nn.Module, pictures: Tensor, names: Sequence[str]) -> Part:
    outputs = tuple(f"map_{name}" for name in names)
    grid = {name: {0: "pictures", 2: f"{name}_high", 3: f"{name}_wide"} for name in outputs}
    return Part(
        name="maps",
        module=_Maps(body),
        inputs=("pictures",),
        outputs=outputs,
        example=(pictures,),
        dynamic={"pictures": {0: "pictures", 2: "high", 3: "wide"}, **grid},
        per_shape=True,
    )


def _proposing_part(head: nn.Module, maps: Sequence[Tensor]) -> Part:
    inputs = tuple(f"level{number}" for number in range(len(maps)))
    outputs = tuple(f"{kind}{n}" for kind in ("objectness", "deltas") for n in range(len(maps)))
    grid = {
        name: {0: "pictures", 2: f"{name}_high", 3: f"{name}_wide"} for name in (*inputs, *outputs)
    }
    return Part("proposing", _Proposing(head), inputs, outputs, tuple(maps), grid, per_shape=True)


def _pooled_part(name: str, module: nn.Module, pooled: Tensor, outputs: tuple[str, ...]) -> Part:
    many = {0: "regions"}
    dynamic = dict.fromkeys(("pooled", *outputs), many)
    return Part(name, module, ("pooled",), outputs, (pooled,), dynamic, per_shape=True)


class _RunMaps(nn.Module):
    def __init__(self, run: Execution, names: Sequence[str]) -> None:
        super().__init__()
        self.run = run
        self.names = names

    def forward(self, pictures: Tensor) -> OrderedDict[str, Tensor]:
        return OrderedDict(zip(self.names, self.run(pictures), strict=True))


class _RunProposing(nn.Module):
    def __init__(self, run: Execution) -> None:
        super().__init__()
        self.run = run

    def forward(self, maps: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        found = self.run(*maps)
        return list(found[: len(maps)]), list(found[len(maps) :])


class _RunPooled(nn.Module):
    """Regions are filled up to few different numbers: a runtime may compile for each."""

    def __init__(self, run: Execution, most: int) -> None:
        super().__init__()
        self.run = run
        self.most = most

    def forward(self, pooled: Tensor) -> Tensor | tuple[Tensor, ...]:
        count = len(pooled)
        filled = filled_up(count, self.most)
        regions = pooled.permute(0, 2, 3, 1)
        if filled > count:
            regions = F.pad(regions, (0, 0, 0, 0, 0, 0, 0, filled - count))
        found = self.run(regions)
        shown = tuple(tensor[:count] for tensor in found)
        return shown if len(shown) > 1 else shown[0]


class _KnownAnchors(nn.Module):
    """Anchors as `generator` makes them, kept for the size of picture that came last."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.made_for: tuple[object, ...] = ()
        self.anchors: list[Tensor] = []

    def forward(self, images: ImageList, maps: list[Tensor]) -> list[Tensor]:
        shapes = (len(images.image_sizes), images.tensors.shape, *(level.shape for level in maps))
        if shapes != self.made_for:
            self.anchors, self.made_for = self.generator(images, maps), shapes
        return self.anchors


def filled_up(count: int, most: int) -> int:
    """The next power of two from 4 on, or `most` when that is less (and `count` is not more)."""
    power = 4
    while power < count:
        power *= 2
    return power if count > most else min(power, most)


def run_instances(network: MaskRCNN, runtime: Runtime, precision: Precision) -> MaskRCNN:
    """A Mask R-CNN like `network`, whose four parts a runtime executes; `network` is unchanged.

    On a GPU the eager runtime in float32 returns the network itself.
    """
    network = network.eval()
    on_cpu = next(network.parameters()).device.type == "cpu"
    if runtime.name == "eager" and precision == "float32" and not on_cpu:
        return network
    _see_a_picture(network)
    parts = instance_parts(network)
    each = parts.each()
    if runtime.name in OF_TORCH and on_cpu:
        each = tuple(map(laid_out, each))
    maps, proposing, boxes, masks = (runtime.prepare(part, precision) for part in each)
    running = _without_parts(network)
    running.backbone = _RunMaps(maps, parts.names)
    proposer = _proposer(running)
    proposer.head = _RunProposing(proposing)
    proposer.anchor_generator = _KnownAnchors(proposer.anchor_generator)
    heads = running.roi_heads
    most = max(_proposer(network)._post_nms_top_n.values())
    heads.box_head, heads.box_predictor = _RunPooled(boxes, most), nn.Identity()
    heads.mask_head = _RunPooled(masks, heads.detections_per_img)
    heads.mask_predictor = nn.Identity()
    if on_cpu:
        table = FeatureTable()
        heads.box_roi_pool = GatheredRoIAlign(heads.box_roi_pool, table)
        heads.mask_roi_pool = GatheredRoIAlign(heads.mask_roi_pool, table)
    return running


def _without_parts(network: MaskRCNN) -> MaskRCNN:
    """A copy that shares the heavy submodules: they are about to be replaced."""
    heads = network.roi_heads
    heavy = (
        network.backbone,
        _proposer(network).head,
        heads.box_head,
        heads.box_predictor,
        heads.mask_head,
        heads.mask_predictor,
    )
    return copy.deepcopy(network, {id(module): module for module in heavy})


@torch.inference_mode()
def _see_a_picture(network: MaskRCNN) -> None:
    """Runs one small picture: only then do torchvision's pools know the strides of their maps."""
    high, wide = _EXAMPLE
    like = next(network.parameters())
    maps = network.backbone(like.new_zeros(1, 3, high, wide))
    box = like.new_tensor([[0.0, 0.0, wide / 2, high / 2]])
    heads: Any = network.roi_heads
    for pool in (heads.box_roi_pool, heads.mask_roi_pool):
        pool(maps, [box], [_EXAMPLE])

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

from models.compact_rcnn import CoarseProposals
from models.runtime.base import Execution, Part, Precision, Runtime
from models.runtime.roi import GatheredRoIAlign

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
    def __init__(self, head: nn.Module, predictor: nn.Module) -> None:
        super().__init__()
        self.head = head
        self.predictor = predictor

    def forward(self, pooled: Tensor) -> Tensor | tuple[Tensor, ...]:
        found: Tensor | tuple[Tensor, ...] = self.predictor(self.head(pooled))
        return found


@dataclass(frozen=True, slots=True)
class InstanceParts:
    """The four parts, and the names of the maps."""

    maps: Part
    proposing: Part
    boxes: Part
    masks: Part
    names: tuple[str, ...]

    def each(self) -> tuple[Part, Part, Part, Part]:
        """All of them, in the order in which they run."""
        return self.maps, self.proposing, self.boxes, self.masks


@torch.inference_mode()
def instance_parts(network: MaskRCNN) -> InstanceParts:
    """The parts of a Mask R-CNN in eval mode; they take any picture size and any number."""
    pictures = torch.rand(2, 3, *_EXAMPLE)
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
            _Chain(heads.box_head, heads.box_predictor),
            torch.rand(3, channels, *heads.box_roi_pool.output_size),
            ("logits", "deltas"),
        ),
        masks=_pooled_part(
            "masks",
            _Chain(heads.mask_head, heads.mask_predictor),
            torch.rand(3, channels, *heads.mask_roi_pool.output_size),
            ("mask_logits",),
        ),
        names=names,
    )


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
        found = self.run(F.pad(pooled, (0, 0, 0, 0, 0, 0, 0, filled - count)))
        shown = tuple(tensor[:count] for tensor in found)
        return shown if len(shown) > 1 else shown[0]


def filled_up(count: int, most: int) -> int:
    """The next power of two from 4 on, or `most` when that is less (and `count` is not more)."""
    power = 4
    while power < count:
        power *= 2
    return power if count > most else min(power, most)


def run_instances(network: MaskRCNN, runtime: Runtime, precision: Precision) -> MaskRCNN:
    """A Mask R-CNN like `network`, whose four parts a runtime executes; `network` is unchanged.

    The eager runtime in float32 returns the network itself: it is the reference.
    """
    network = network.eval()
    if runtime.name == "eager" and precision == "float32":
        return network
    _see_a_picture(network)
    parts = instance_parts(network)
    maps, proposing, boxes, masks = (runtime.prepare(part, precision) for part in parts.each())
    running = _without_parts(network)
    running.backbone = _RunMaps(maps, parts.names)
    _proposer(running).head = _RunProposing(proposing)
    heads = running.roi_heads
    most = max(_proposer(network)._post_nms_top_n.values())
    heads.box_roi_pool = GatheredRoIAlign(heads.box_roi_pool)
    heads.box_head, heads.box_predictor = _RunPooled(boxes, most), nn.Identity()
    heads.mask_roi_pool = GatheredRoIAlign(heads.mask_roi_pool)
    heads.mask_head = _RunPooled(masks, heads.detections_per_img)
    heads.mask_predictor = nn.Identity()
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
    maps = network.backbone(torch.zeros(1, 3, high, wide))
    box = torch.tensor([[0.0, 0.0, wide / 2, high / 2]])
    heads: Any = network.roi_heads
    for pool in (heads.box_roi_pool, heads.mask_roi_pool):
        pool(maps, [box], [_EXAMPLE])

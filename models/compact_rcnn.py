"""A compact Mask R-CNN that trains from scratch on one scene in minutes and runs on a CPU.

Residual body and feature pyramid of few channels, group norms (over one frame, so nothing leaks
between frames or depends on the batch), small heads. Regions are proposed on strides 8 to 32 only,
and cut out of stride 4 too, where thin things still have shape.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign

Targets = list[dict[str, Tensor]]

_FINEST = "0"


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(max(1, channels // 8), channels)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al., CVPR 2016), with group norms."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            _norm(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            _norm(outputs),
        )
        plain = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if plain else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / stride, W / stride)."""
        out: Tensor = nn.functional.relu(self.layers(maps) + self.shortcut(maps), inplace=True)
        return out


class CompactBody(nn.Module):
    """Feature maps of strides 4, 8, 16 and 32, named "0" to "3", of `out_channels` each."""

    def __init__(self, channels: Sequence[int], out_channels: int) -> None:
        super().__init__()
        stem, *widths = channels
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 5, 2, 2, bias=False), _norm(stem), nn.ReLU(inplace=True)
        )
        inputs = [stem, *widths[:-1]]
        self.stages = nn.ModuleList(
            ResidualBlock(before, after, stride=2)
            for before, after in zip(inputs, widths, strict=True)
        )
        self.pyramid = FeaturePyramidNetwork(widths, out_channels)
        self.out_channels = out_channels

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """(B, 3, H, W) normalised, H and W multiples of 32 -> maps by name, finest first."""
        maps = self.stem(pictures)
        levels: OrderedDict[str, Tensor] = OrderedDict()
        for number, stage in enumerate(self.stages):
            maps = stage(maps)
            levels[str(number)] = maps
        out: dict[str, Tensor] = self.pyramid(levels)
        return out


class CoarseProposals(nn.Module):
    """A region proposal network that does not look at the finest map, which costs most."""

    def __init__(self, rpn: nn.Module) -> None:
        super().__init__()
        self.rpn = rpn

    def forward(
        self, images: ImageList, features: dict[str, Tensor], targets: Targets | None = None
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Proposals (N, 4) of each picture, and the losses while training."""
        coarse = OrderedDict((name, maps) for name, maps in features.items() if name != _FINEST)
        out: tuple[list[Tensor], dict[str, Tensor]] = self.rpn(images, coarse, targets)
        return out


def build_compact(
    *,
    classes: int,
    channels: Sequence[int],
    out_channels: int,
    hidden: int,
    anchor_sizes: Sequence[Sequence[float]],
    anchor_ratios: Sequence[float],
    mask_samples: int = 2,
) -> MaskRCNN:
    """A compact Mask R-CNN with fresh weights.

    `classes` counts without the background; `channels` are those of the stem and of the four
    stages; `hidden` is the width of the box head. `anchor_sizes` are square roots of areas in px
    for strides 8, 16 and 32, `anchor_ratios` are heights over widths. `mask_samples` by as
    many points make a cell of the 14 x 14 that a mask is told from; one is the cheapest to learn.
    """
    anchors = AnchorGenerator(
        tuple(tuple(sizes) for sizes in anchor_sizes), (tuple(anchor_ratios),) * len(anchor_sizes)
    )
    network = MaskRCNN(
        CompactBody(channels, out_channels),
        rpn_anchor_generator=anchors,
        rpn_head=RPNHead(out_channels, anchors.num_anchors_per_location()[0]),
        rpn_pre_nms_top_n_train=300,
        rpn_pre_nms_top_n_test=200,
        rpn_post_nms_top_n_train=150,
        rpn_post_nms_top_n_test=60,
        rpn_batch_size_per_image=96,
        box_roi_pool=MultiScaleRoIAlign(["0", "1", "2"], output_size=7, sampling_ratio=2),
        box_head=TwoMLPHead(out_channels * 7 * 7, hidden),
        box_predictor=FastRCNNPredictor(hidden, classes + 1),
        box_batch_size_per_image=32,
        box_positive_fraction=0.35,
        box_detections_per_img=50,
        mask_roi_pool=MultiScaleRoIAlign(["0", "1", "2"], 14, mask_samples),
        mask_head=MaskRCNNHeads(out_channels, (out_channels,) * 3, 1),
        mask_predictor=MaskRCNNPredictor(out_channels, out_channels, classes + 1),
    )
    network.rpn = CoarseProposals(network.rpn)
    return network

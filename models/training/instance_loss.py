"""What a Mask R-CNN learns from in a batch of crops."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.image_list import ImageList

from models.mask_rcnn import Segmenter
from models.runtime.base import Precision
from models.training.augmenter import Batch


class LossOf:
    """The sum of a Mask R-CNN's five losses, in float32; the body runs in `precision`."""

    def __init__(self, segmenter: Segmenter, precision: Precision = "float32") -> None:
        self._prepared, self._half = segmenter.prepared, precision == "bfloat16"

    def __call__(self, student: nn.Module, batch: Batch) -> Tensor:
        """The loss of pictures (B, H, W, 3) and their targets, a scalar."""
        assert isinstance(student, MaskRCNN)
        pictures, targets = batch
        images = self._prepared(pictures).contiguous()
        shown = ImageList(images, [pictures.shape[1:3]] * len(pictures))
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self._half):
            maps = student.backbone(images)
        # The heads have no half precision on a CPU, and boxes would lose theirs.
        maps = {level: one.float() for level, one in maps.items()}
        proposals, of_rpn = student.rpn(shown, maps, targets)
        _, of_heads = student.roi_heads(maps, proposals, shown.image_sizes, targets)
        return torch.stack([*of_rpn.values(), *of_heads.values()]).sum()

"""Masks as COCO run lengths: encode, decode, area, overlap; pycocotools does the counting."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from pipeline.records import Rle


def encode(mask: NDArray[np.bool_]) -> Rle:
    """The run lengths of an (H, W) mask."""
    coded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return Rle(mask.shape[0], mask.shape[1], coded["counts"].decode("ascii"))


def decode(rle: Rle) -> NDArray[np.bool_]:
    """The (H, W) mask of some run lengths."""
    mask: NDArray[np.bool_] = coco_mask.decode(_coco(rle)).astype(bool)
    return mask


def area(rle: Rle) -> int:
    """How many pixels the mask covers."""
    return int(coco_mask.area(_coco(rle)))


def iou(one: Rle, other: Rle) -> float:
    """Intersection over union of two masks of one size, 0..1; 0 when both are empty."""
    if (one.height, one.width) != (other.height, other.width):
        message = (
            f"masks of different sizes do not overlap: {one.height}x{one.width} "
            f"and {other.height}x{other.width}"
        )
        raise ValueError(message)
    return float(coco_mask.iou([_coco(one)], [_coco(other)], [False])[0][0])


def _coco(rle: Rle) -> dict[str, Any]:
    return {"size": [rle.height, rle.width], "counts": rle.counts.encode("ascii")}

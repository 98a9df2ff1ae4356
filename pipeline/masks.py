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


def cut(rle: Rle) -> tuple[int, int, NDArray[np.bool_]]:
    """The left and top edge of what the mask covers, and the mask cut to that; may be empty.

    Costs what the covered part is worth, not what the picture is.
    """
    ends = np.cumsum(_runs(rle.counts))
    starts, stops = ends[: len(ends) // 2 * 2 : 2], ends[1::2]
    starts, stops = starts[starts < stops], stops[starts < stops]
    if not len(starts):
        return 0, 0, np.zeros((0, 0), bool)
    left, right = int(starts[0]) // rle.height, (int(stops[-1]) - 1) // rle.height
    steps = np.zeros((right - left + 1) * rle.height + 1, np.int8)
    steps[starts - left * rle.height] += 1
    steps[stops - left * rle.height] -= 1
    columns = np.cumsum(steps[:-1], dtype=np.int8).view(bool).reshape(-1, rle.height)
    covered = np.flatnonzero(columns.any(axis=0))
    top = int(covered[0])
    return left, top, np.ascontiguousarray(columns[:, top : covered[-1] + 1].T)


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


def _runs(counts: str) -> NDArray[np.int64]:
    """The run lengths: 5 bits a character, signed, from the fourth on relative to the last but one.

    See rleFrString of the COCO API.
    """
    raw = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    lasts = np.flatnonzero(raw & 32 == 0)
    sizes = np.diff(lasts, prepend=-1)
    firsts = lasts - sizes + 1
    places = np.arange(len(raw)) - np.repeat(firsts, sizes)
    runs = np.zeros(len(lasts), np.int64)
    if len(lasts):
        runs += np.add.reduceat((raw & 31) << (5 * places), firsts)
    runs -= (raw[lasts] >> 4 & 1) << (5 * sizes)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


def _coco(rle: Rle) -> dict[str, Any]:
    return {"size": [rle.height, rle.width], "counts": rle.counts.encode("ascii")}

"""Whether the masks of COCO labels can be what they claim: checked before any is drawn.

pycocotools draws what it is given: polygons of another picture are cut to nothing, and run lengths
that do not add up are read past their end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pycocotools import mask as coco_mask

Annotation = dict[str, Any]

EDGE_PX = 2.0
"""How far a polygon may reach outside its picture: annotation tools round."""


def flaw_of(annotation: Annotation, size: tuple[int, int]) -> str | None:
    """What is wrong with the mask of a label, None when nothing is; `size` is (width, height)."""
    segmentation = annotation.get("segmentation")
    if not segmentation:
        return "has no mask; masks are what is learnt"
    if isinstance(segmentation, list):
        flaw = _flaw_of_polygons(segmentation, size)
    elif isinstance(segmentation, dict):
        flaw = _flaw_of_runs(segmentation, size)
    else:
        flaw = "has a mask that is neither polygons nor run lengths"
    if flaw is None and not _area(segmentation, size):
        flaw = "has an empty mask: it covers no pixel"
    return flaw


def _flaw_of_polygons(polygons: Sequence[Any], size: tuple[int, int]) -> str | None:
    width, height = size
    for polygon in polygons:
        if not isinstance(polygon, list) or not all(_is_number(value) for value in polygon):
            return "has a polygon that is not a list of numbers x, y, x, y, ..."
        if len(polygon) < 6 or len(polygon) % 2:
            return f"has a polygon of {len(polygon)} numbers; at least three points x, y are needed"
        for x, y in zip(polygon[::2], polygon[1::2], strict=True):
            if not (-EDGE_PX <= x <= width + EDGE_PX and -EDGE_PX <= y <= height + EDGE_PX):
                return f"reaches outside its picture: ({x:g}, {y:g}) in {width}x{height}"
    return None


def _flaw_of_runs(coded: dict[str, Any], size: tuple[int, int]) -> str | None:
    width, height = size
    found, counts = coded.get("size"), coded.get("counts")
    if found is None or list(found) != [height, width]:
        told = "of no size" if found is None else f"{found[-1]}x{found[0]}"
        return f"has a mask that is {told}; the image is {width}x{height}"
    runs = _unpacked(counts) if isinstance(counts, str | bytes) else counts
    if not isinstance(runs, list) or not all(isinstance(run, int) and run >= 0 for run in runs):
        return "has run lengths that cannot be read"
    if sum(runs) != width * height:
        return f"has run lengths of {sum(runs)} pixels; the image has {width * height}"
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _area(segmentation: Any, size: tuple[int, int]) -> int:
    """The pixels of a mask whose form is good."""
    width, height = size
    if isinstance(segmentation, list):
        segmentation = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        segmentation = coco_mask.frPyObjects(segmentation, height, width)
    return int(coco_mask.area(segmentation))


def _unpacked(counts: str | bytes) -> list[int] | None:
    """The run lengths of COCO's compressed form; None when they are cut off or out of range.

    Each is a signed number in groups of five bits, lowest first, a sixth bit says that more
    follow; from the fourth on it is the difference to the one before the last.
    """
    coded = counts.encode() if isinstance(counts, str) else counts
    runs: list[int] = []
    value = shift = 0
    for byte in coded:
        group = byte - 48
        if not 0 <= group < 64:
            return None
        value |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return None if shift else runs

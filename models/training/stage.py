"""A stage for made-up scenes: the empty background of a fixed camera, and people cut out of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]

_SIDEWAYS = 0.02  # heights per frame: below, a track does not tell which way its person faces
_CUTOUT_HEIGHT_PX = 64  # a scene draws nobody much taller than this


@dataclass(frozen=True, slots=True)
class Cutout:
    """One person in one frame: premultiplied RGBA in 0..1, foot at the bottom centre."""

    rgba: Floats  # h, w, 4


@dataclass(frozen=True, slots=True)
class Walker:
    """Consecutive cut-outs of one person, and the way they faced: -1 left, 1 right, 0 neither."""

    cutouts: tuple[Cutout, ...]
    facing: int


@dataclass(frozen=True, slots=True)
class Stage:
    """What scenes are made of: one empty background, its people, where they can stand.

    Heights and feet are in pixels of the background; `height = slope * foot_y + offset`.
    `frame_rate_hz` is that of the cut-outs.
    """

    background: Picture
    walkers: tuple[Walker, ...]
    slope: float
    offset: float
    top: float
    bottom: float
    frame_rate_hz: float

    def height_at(self, foot_y: NDArray[np.floating]) -> NDArray[np.float64]:
        """How tall people appear whose feet are at `foot_y`."""
        heights: NDArray[np.float64] = np.maximum(self.slope * foot_y + self.offset, 8.0)
        return heights


def make_stage(
    frames: Iterable[tuple[int, Picture]],
    coco: dict[str, Any],
    background: Picture,
    *,
    frame_rate_hz: float = 10.0,
    shortest: int = 15,
) -> Stage:
    """The stage of a labelled stream; ValueError when no person can be cut out of it.

    `coco` holds boxes and RLE masks with a `track_id`, image ids being frame indices. Cut-outs that
    touch the border, are wider than a person or unlike the others in height are left out, and so
    are runs of fewer than `shortest` frames in a row.
    """
    height, width = background.shape[:2]
    boxes = np.array([a["bbox"] for a in coco["annotations"]], dtype=np.float64).reshape(-1, 4)
    inside = _inside(boxes, width, height)
    if inside.sum() < shortest:
        message = f"only {int(inside.sum())} people are wholly in view; no scene can be made"
        raise ValueError(message)
    bottoms = boxes[:, 1] + boxes[:, 3]
    slope, offset = _line(bottoms[inside], boxes[inside, 3])
    expected = np.maximum(slope * bottoms + offset, 8.0)
    usable = inside & (boxes[:, 3] > 0.8 * expected) & (boxes[:, 3] < 1.25 * expected)
    usable &= boxes[:, 2] < 0.62 * boxes[:, 3]
    kept = [a for a, good in zip(coco["annotations"], usable, strict=True) if good]
    walkers = tuple(_walkers(dict(_cut(frames, kept)), kept, shortest))
    if not walkers:
        message = f"no person is followed for {shortest} frames in a row; no scene can be made"
        raise ValueError(message)
    top = np.percentile(bottoms[inside], 8)  # what is farther away is seldom a person
    measures = (slope, offset, float(top), float(height))  # below, they walk out
    return Stage(background, walkers, *measures, frame_rate_hz)


def _line(bottoms: NDArray[np.float64], heights: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and offset of height over foot; level when all stand equally far away."""
    if np.ptp(bottoms) < 1:
        return 0.0, float(heights.mean())
    slope, offset = np.polyfit(bottoms, heights, 1)
    return float(slope), float(offset)


def _inside(boxes: NDArray[np.float64], width: int, height: int) -> NDArray[np.bool_]:
    left, top, wide, high = boxes.T
    inside: NDArray[np.bool_] = (
        (left > 1) & (top > 1) & (left + wide < width - 1) & (top + high < height - 1)
    )
    return inside


def _cut(
    frames: Iterable[tuple[int, Picture]], annotations: Sequence[dict[str, Any]]
) -> Iterator[tuple[int, Cutout]]:
    """The cut-out of every annotation, by its id."""
    by_frame = defaultdict(list)
    for annotation in annotations:
        by_frame[annotation["image_id"]].append(annotation)
    for index, frame in frames:
        for annotation in by_frame.get(index, ()):
            mask = coco_mask.decode(annotation["segmentation"])
            rows, columns = np.nonzero(mask)
            part = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            alpha = mask[part].astype(np.float32)[..., None]
            rgba: Floats = np.concatenate([frame[part].astype(np.float32) / 255 * alpha, alpha], -1)
            scale = min(1.0, _CUTOUT_HEIGHT_PX / rgba.shape[0])
            size = (max(2, round(rgba.shape[1] * scale)), max(4, round(rgba.shape[0] * scale)))
            small = cv2.resize(rgba, size, interpolation=cv2.INTER_AREA).astype(np.float32)
            yield annotation["id"], Cutout(small)


def _walkers(
    cutouts: dict[int, Cutout], annotations: Sequence[dict[str, Any]], shortest: int
) -> Iterator[Walker]:
    """Runs of cut-outs of one track in consecutive frames."""
    tracks: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in sorted(annotations, key=lambda a: int(a["image_id"])):
        if annotation.get("track_id") is not None:
            tracks[annotation["track_id"]].append(annotation)
    for track in tracks.values():
        run: list[dict[str, Any]] = []
        for annotation in [*track, {}]:  # the empty one ends the last run
            if annotation and (not run or annotation["image_id"] - run[-1]["image_id"] == 1):
                run.append(annotation)
                continue
            if len(run) >= shortest:
                moved = (run[-1]["bbox"][0] - run[0]["bbox"][0]) / run[0]["bbox"][3] / len(run)
                facing = int(np.sign(moved)) if abs(moved) > _SIDEWAYS else 0
                yield Walker(tuple(cutouts[a["id"]] for a in run), facing)
            run = [annotation] if annotation else []

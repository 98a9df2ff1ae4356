"""How good an instances network is: COCO's average precision, and plain recall and precision."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from models.mask_rcnn import Segmenter
from models.training.instance_data import Picture, scaled_size

Detection = dict[str, Any]

SAME_IOU = 0.5
IGNORED_SHARE = (
    0.3  # of a detection that lies in a crowd region: then it is neither right nor wrong
)


@dataclass(frozen=True, slots=True)
class Matches:
    """Detections held against labels at box IoU 0.5; `mask_iou` is the mean of the matched."""

    labelled: int
    found: int
    false: int
    mask_iou: float | None

    @property
    def recall(self) -> float:
        """The share of what is labelled that was found, 0..1."""
        return self.found / max(1, self.labelled)

    @property
    def precision(self) -> float:
        """The share of detections that are labelled, 0..1."""
        return self.found / max(1, self.found + self.false)

    @property
    def f1(self) -> float:
        """The harmonic mean of recall and precision, 0..1."""
        return 2 * self.found / max(1, self.labelled + self.found + self.false)

    def to_json(self) -> dict[str, Any]:
        """The counts and the rates, rounded for a card."""
        rates = {"recall": round(self.recall, 4), "precision": round(self.precision, 4)}
        told = {**asdict(self), **rates}
        if self.mask_iou is not None:
            told["mask_iou"] = round(self.mask_iou, 4)
        return told


def detect(
    segmenter: Segmenter,
    frames: Iterable[tuple[int, Picture]],
    categories: Sequence[dict[str, Any]],
    group: int = 4,
) -> list[Detection]:
    """COCO results of every frame, scaled as the lane scales it; boxes x, y, width, height.

    `categories` are those of the labels, whose names the network learnt.
    """
    numbers = {category["name"]: category["id"] for category in categories}
    out: list[Detection] = []
    held: list[tuple[int, Picture, tuple[int, int]]] = []

    def run() -> None:
        found = segmenter.segment([p for _, p, _ in held], [size for _, _, size in held])
        for (index, _, _), things in zip(held, found, strict=True):
            for thing in things:
                x1, y1, x2, y2 = thing.box
                (height, width), counts = thing.rle
                out.append(
                    {
                        "image_id": index,
                        "category_id": numbers[thing.label],
                        "bbox": [x1, y1, x2 - x1, y2 - y1],
                        "score": thing.score,
                        "segmentation": {"size": [height, width], "counts": counts},
                    }
                )
        held.clear()

    for index, frame in frames:
        size = (frame.shape[1], frame.shape[0])
        small = cv2.resize(
            frame, scaled_size(*size, segmenter.min_size), interpolation=cv2.INTER_AREA
        )
        held.append((index, small.astype(np.uint8), size))
        if len(held) == group:
            run()
    if held:
        run()
    return out


def average_precision(coco: dict[str, Any], detections: Sequence[Detection]) -> dict[str, float]:
    """COCO's AP (IoU .50 to .95) and AP50 for boxes and masks, 0..1, by pycocotools."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {**coco, "info": coco.get("info", {})}
        truth.createIndex()
        results = truth.loadRes(list(detections)) if detections else None
        figures: dict[str, float] = {}
        for kind, name in (("bbox", "box"), ("segm", "mask")):
            if results is None:
                figures |= {f"{name}_AP": 0.0, f"{name}_AP50": 0.0}
                continue
            evaluation = COCOeval(truth, results, kind)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
            figures[f"{name}_AP"] = round(float(evaluation.stats[0]), 4)
            figures[f"{name}_AP50"] = round(float(evaluation.stats[1]), 4)
    return figures


def matches(coco: dict[str, Any], detections: Sequence[Detection], min_score: float) -> Matches:
    """Detections of at least `min_score` against the labels of the frames that `coco` has.

    Best pairs first, each label once. What lies in a crowd region is left out of the count.
    """
    labelled = found = false = 0
    overlaps: list[float] = []
    for image in coco["images"]:
        here = [a for a in coco["annotations"] if a["image_id"] == image["id"]]
        things = [a for a in here if not a.get("iscrowd")]
        crowds = [a["bbox"] for a in here if a.get("iscrowd")]
        seen = [d for d in detections if d["image_id"] == image["id"] and d["score"] >= min_score]
        pairs = _pairs(seen, things)
        labelled += len(things)
        found += len(pairs)
        overlaps += [
            float(coco_mask.iou([seen[a]["segmentation"]], [things[b]["segmentation"]], [0])[0][0])
            for a, b in pairs.items()
            if things[b].get("segmentation")
        ]
        free = [d["bbox"] for number, d in enumerate(seen) if number not in pairs]
        in_crowd = _ious(free, crowds, crowd=True).max(axis=1, initial=0.0)
        false += int((in_crowd <= IGNORED_SHARE).sum())
    return Matches(labelled, found, false, float(np.mean(overlaps)) if overlaps else None)


def best_threshold(coco: dict[str, Any], detections: Sequence[Detection]) -> float:
    """The lowest score in 0.30 .. 0.90 whose F1 is within 0.01 of the best one's.

    The lowest, because a network is surer of frames like those it was taught with than of others.
    """
    steps = [round(0.3 + 0.05 * number, 2) for number in range(13)]
    f1 = {score: matches(coco, detections, score).f1 for score in steps}
    return min(score for score in steps if f1[score] >= max(f1.values()) - 0.01)


def _pairs(seen: Sequence[Detection], things: Sequence[dict[str, Any]]) -> dict[int, int]:
    """Detection -> label, best overlaps first, each at most once, at IoU 0.5 or more."""
    ious = _ious([d["bbox"] for d in seen], [a["bbox"] for a in things], crowd=False)
    kinds = [a["category_id"] for a in things]
    for row, detection in zip(ious, seen, strict=True):
        row[np.not_equal(kinds, detection["category_id"])] = 0
    order = np.argsort(-ious, axis=None, kind="stable")
    pairs: dict[int, int] = {}
    for flat in order:
        one, other = (int(v) for v in np.unravel_index(flat, ious.shape))
        if ious[one, other] < SAME_IOU:
            break
        if one not in pairs and other not in pairs.values():
            pairs[one] = other
    return pairs


def _ious(
    ones: Sequence[Sequence[float]], others: Sequence[Sequence[float]], *, crowd: bool
) -> NDArray[np.float64]:
    if not ones or not others:
        return np.zeros((len(ones), len(others)))
    flags = [crowd] * len(others)
    overlap: NDArray[np.float64] = coco_mask.iou(
        np.array(ones, float), np.array(others, float), flags
    )
    return overlap

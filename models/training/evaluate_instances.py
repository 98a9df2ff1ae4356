"""How good an instances network is: COCO's average precision, and plain recall and precision."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Mapping, Sequence
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

    `categories` are those of the labels; what the network finds of other ones is left out. Frames
    may differ in size.
    """
    numbers = {category["name"]: category["id"] for category in categories}
    out: list[Detection] = []
    held: list[tuple[int, Picture, tuple[int, int]]] = []

    def run() -> None:
        found = segmenter.segment([p for _, p, _ in held], [size for _, _, size in held])
        for (index, _, _), things in zip(held, found, strict=True):
            for thing in things:
                if thing.label not in numbers:
                    continue
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
        if held and (len(held) == group or held[0][1].shape != small.shape):
            run()
        held.append((index, small.astype(np.uint8), size))
    if held:
        run()
    return out


def average_precision(coco: dict[str, Any], detections: Sequence[Detection]) -> dict[str, float]:
    """COCO's AP (IoU .50 to .95) and AP50 for boxes and masks, 0..1, by pycocotools."""
    return _figures(_precisions(coco, detections))


def per_class(
    coco: dict[str, Any], detections: Sequence[Detection]
) -> dict[str, dict[str, float | None]]:
    """The same for each category by name, with `labels`, how many it has; None where it has none.

    A crowd is no label.
    """
    precisions = _precisions(coco, detections)
    rows: dict[str, dict[str, float | None]] = {}
    for number, category in enumerate(sorted(coco["categories"], key=lambda one: one["id"])):
        labels = sum(
            one["category_id"] == category["id"] and not one.get("iscrowd")
            for one in coco["annotations"]
        )
        figures = _figures({kind: of[:, :, [number]] for kind, of in precisions.items()})
        rows[category["name"]] = {
            "labels": labels,
            **(figures if labels else dict.fromkeys(figures)),
        }
    return rows


def _precisions(
    coco: dict[str, Any], detections: Sequence[Detection]
) -> dict[str, NDArray[np.float64]]:
    """The precision of `box` and `mask` by pycocotools: (IoU, recall, category), -1 unlabelled.

    IoU is .50 to .95; sizes are all, and detections at most 100 a picture.
    """
    found: dict[str, NDArray[np.float64]] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {**coco, "info": coco.get("info", {})}
        truth.createIndex()
        # loadRes refuses an empty list.
        results = truth.loadRes(list(detections)) if detections else COCO()
        for kind, name in (("bbox", "box"), ("segm", "mask")):
            evaluation = COCOeval(truth, results, kind)
            evaluation.evaluate()
            evaluation.accumulate()
            found[name] = evaluation.eval["precision"][:, :, :, 0, -1]
    return found


def _figures(precisions: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, of in precisions.items():
        figures[f"{name}_AP"] = _mean(of)
        figures[f"{name}_AP50"] = _mean(of[:1])
    return figures


def _mean(precisions: NDArray[np.float64]) -> float:
    """The mean where there are labels, to 4 decimals; 0 where there are none at all."""
    known = precisions[precisions > -1]
    return round(float(known.mean()), 4) if known.size else 0.0


@dataclass(frozen=True, slots=True)
class Compared:
    """One image's labels and detections at box IoU 0.5.

    `found` are (label, detection, mask IoU; None without a mask), `missed` are labels, `false`
    detections that are neither found nor in a crowd.
    """

    image: dict[str, Any]
    found: tuple[tuple[dict[str, Any], Detection, float | None], ...]
    missed: tuple[dict[str, Any], ...]
    false: tuple[Detection, ...]


def compared(
    coco: dict[str, Any], detections: Sequence[Detection], min_score: float
) -> list[Compared]:
    """Every image with its labels against the detections of at least `min_score`.

    Best pairs first, each label once. What lies in a crowd region is left out.
    """
    labels = _by_image(coco["annotations"])
    seen_by_image = _by_image(one for one in detections if one["score"] >= min_score)
    images: list[Compared] = []
    for image in coco["images"]:
        here, seen = labels.get(image["id"], []), seen_by_image.get(image["id"], [])
        things = [one for one in here if not one.get("iscrowd")]
        crowds = [one["bbox"] for one in here if one.get("iscrowd")]
        pairs = _pairs(seen, things)
        free = [one for number, one in enumerate(seen) if number not in pairs]
        in_crowd = _ious([one["bbox"] for one in free], crowds, crowd=True).max(axis=1, initial=0.0)
        images.append(
            Compared(
                image,
                tuple(
                    (things[b], seen[a], _mask_iou(things[b], seen[a])) for a, b in pairs.items()
                ),
                tuple(one for b, one in enumerate(things) if b not in pairs.values()),
                tuple(
                    one for one, share in zip(free, in_crowd, strict=True) if share <= IGNORED_SHARE
                ),
            )
        )
    return images


def matches(coco: dict[str, Any], detections: Sequence[Detection], min_score: float) -> Matches:
    """Detections of at least `min_score` against the labels of the frames that `coco` has."""
    images = compared(coco, detections, min_score)
    pairs = [pair for image in images for pair in image.found]
    overlaps = [overlap for _, _, overlap in pairs if overlap is not None]
    return Matches(
        labelled=len(pairs) + sum(len(image.missed) for image in images),
        found=len(pairs),
        false=sum(len(image.false) for image in images),
        mask_iou=float(np.mean(overlaps)) if overlaps else None,
    )


def _by_image(things: Iterable[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for one in things:
        found.setdefault(one["image_id"], []).append(one)
    return found


def _mask_iou(label: dict[str, Any], detection: Detection) -> float | None:
    if not label.get("segmentation"):
        return None
    masks = [detection["segmentation"]], [label["segmentation"]]
    return float(coco_mask.iou(*masks, [0])[0][0])


def best_threshold(coco: dict[str, Any], detections: Sequence[Detection]) -> float:
    """The middle one of the scores in 0.30 .. 0.90 whose F1 is within 0.01 of the best one's.

    The middle, because other frames shift the curve a little, and nobody knows to which side.
    """
    steps = [round(0.3 + 0.05 * number, 2) for number in range(13)]
    f1 = {score: matches(coco, detections, score).f1 for score in steps}
    good = [score for score in steps if f1[score] >= max(f1.values()) - 0.01]
    return good[(len(good) - 1) // 2]


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

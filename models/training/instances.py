"""The recipe of the instances network: labelled frames in, a checkpoint and its card out.

`train_instances` takes anybody's COCO JSON and frames. `train_street_people` is the recipe of the
checkpoint that ships: a street camera labels its own people on the first part of its recording,
and the network is judged on the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.image_list import ImageList

from models.card import Card
from models.checkpoint import save
from models.mask_rcnn import Segmenter, build
from models.training.evaluate_instances import (
    average_precision,
    best_threshold,
    detect,
    matches,
)
from models.training.instance_data import (
    Augmenter,
    Batch,
    Labelled,
    Picture,
    completed,
    labelled_frames,
)
from models.training.label import label_scene
from models.training.loop import TrainingLog, fit, seed_everything
from models.training.scene import median_background
from models.training.street import SPLIT, STREET, StreetPart, street

STEPS, BATCH = 1600, 4
EVERY = 2  # neighbouring frames hardly differ: every second one teaches
LEARNING_RATE, WEIGHT_DECAY, EMA = 1e-3, 0.02, 0.995
MIN_SIZE = 384

DATA = Path(__file__).parent / "data"
LIMITS = [
    "Knows one street from one camera at one hour; on any other scene it is to be trained anew, "
    "which takes no manual label (witness label, witness train instances).",
    "Learnt from automatic labels, whose outlines nobody checked; people who overlap for long, or "
    "who stand behind the post, are its weak side.",
    "Finds people and nothing else.",
]

Frames = Callable[[], Iterable[tuple[int, Picture]]]


def architecture_for(data: Sequence[Labelled], classes: int) -> dict[str, Any]:
    """The arguments of the compact network, its anchors fitted to the labels' sizes and shapes.

    ValueError when there are no labels.
    """
    things = [one for labelled in data for one in labelled.instances if one.label]
    if not things:
        message = "no frame has a label that is large enough: nothing can be learnt"
        raise ValueError(message)
    shapes = np.array([one.mask.shape for one in things], np.float64)
    sides = np.sqrt(shapes.prod(1))
    small, middle, large = np.quantile(sides, (0.1, 0.5, 0.9))
    ratios = np.quantile(shapes[:, 0] / shapes[:, 1], (0.2, 0.8))
    sizes = ((small, middle), (large, 1.4 * large), (2 * large, 2.8 * large))
    return {
        "body": "compact",
        "classes": classes,
        "channels": [24, 48, 64, 96, 128],
        "out_channels": 64,
        "hidden": 128,
        "anchor_sizes": [[round(float(size), 1) for size in level] for level in sizes],
        "anchor_ratios": [round(float(ratio), 2) for ratio in ratios],
    }


def fit_network(
    data: Sequence[Labelled],
    card: Card,
    *,
    steps: int,
    seed: int,
    background: Picture | None = None,
) -> tuple[MaskRCNN, TrainingLog]:
    """A network of the card's architecture trained on the pictures, in eval mode."""
    seed_everything(seed)
    network = build(card.architecture)
    segmenter = Segmenter(network, card)

    def loss(_trained: nn.Module, batch: Batch) -> Tensor:
        pictures, targets = batch
        images = segmenter.prepared(pictures).contiguous()
        shown = ImageList(images, [pictures.shape[1:3]] * len(pictures))
        features = network.backbone(images)
        proposals, of_rpn = network.rpn(shown, features, targets)
        _, of_heads = network.roi_heads(features, proposals, shown.image_sizes, targets)
        return torch.stack([*of_rpn.values(), *of_heads.values()]).sum()

    log = fit(
        network,
        Augmenter(data, seed, background).batches(BATCH),
        loss,
        steps=steps,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        seed=seed,
        ema=EMA,
        clip=5.0,
        title=f"instances, seed {seed}",
    )
    return network, log


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
        _part_of(coco, lambda index: index < border),
        _part_of(coco, lambda index: index >= border),
    )
    network, card = _taught(teach, read, name, steps=steps, seed=seed)
    segmenter = Segmenter(network, card, score_threshold=0.05)
    detections = detect(segmenter, _frames_of(read, judge), coco["categories"])
    min_score = float(card.postprocessing["min_score"])
    figures = {
        **average_precision(judge, detections),
        f"at_score_{min_score}": matches(judge, detections, min_score).to_json(),
    }
    split = f"by time: labelled frames before {border} teach, the rest judge"
    return _saved(out, network, replace(card, heldout=figures, split=split))


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
    network, card = _taught(
        labels, teaching, "street-people", steps=steps, seed=seed, background=background.rgb
    )
    return _saved(out, network, street_card(network, card, judging))


def street_card(network: MaskRCNN, card: Card, judging: StreetPart) -> Card:
    """The card with the figures of the part of the street that the network has never seen."""
    background = median_background(judging)
    coco = label_scene(judging, background=background)
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
                checked, coco["annotations"], 0.0
            ).to_json(),
            "detections_on_the_empty_background": len(empty),
        },
        limits=LIMITS,
    )


def _taught(
    coco: dict[str, Any],
    read: Frames,
    name: str,
    *,
    steps: int,
    seed: int,
    background: Picture | None = None,
) -> tuple[MaskRCNN, Card]:
    """A trained network and its card; the threshold is the best on what it was taught with."""
    every = (pair for number, pair in enumerate(_frames_of(read, coco)) if number % EVERY == 0)
    data = list(labelled_frames(every, coco, MIN_SIZE))
    labels = tuple(category["name"] for category in coco["categories"])
    if background is not None:
        height, width = data[0].picture.shape[:2]
        small = cv2.resize(background, (width, height), interpolation=cv2.INTER_AREA)
        background = small.astype(np.uint8)
    card = Card(
        name=name,
        network="mask_rcnn",
        labels=labels,
        architecture=architecture_for(data, len(labels)),
        preprocessing={"min_size": MIN_SIZE, "colour": "RGB"},
        postprocessing={"min_score": 0.5},
    )
    network, log = fit_network(data, card, steps=steps, seed=seed, background=background)
    card = replace(
        card,
        training={
            "steps": steps,
            "batch": BATCH,
            "seed": seed,
            "frames": len(data),
            "seconds": round(log.seconds),
            "threads": torch.get_num_threads(),
        },
    )
    return network, with_threshold(network, card, coco, read)


def with_threshold(network: MaskRCNN, card: Card, coco: dict[str, Any], read: Frames) -> Card:
    """The card with the score that suits a tenth of the frames that the network was taught with."""
    tenth = set(sorted(image["id"] for image in coco["images"])[1::10])
    some = _part_of(coco, lambda index: index in tenth)
    segmenter = Segmenter(network, card, score_threshold=0.05)
    found = detect(segmenter, _frames_of(read, some), coco["categories"])
    return replace(card, postprocessing={"min_score": best_threshold(some, found)})


def _part_of(coco: dict[str, Any], wanted: Callable[[int], bool]) -> dict[str, Any]:
    return {
        **coco,
        "images": [image for image in coco["images"] if wanted(image["id"])],
        "annotations": [one for one in coco["annotations"] if wanted(one["image_id"])],
    }


def _frames_of(read: Frames, coco: dict[str, Any]) -> Iterator[tuple[int, Picture]]:
    wanted = {image["id"] for image in coco["images"]}
    return ((index, frame) for index, frame in read() if index in wanted)


def _saved(out: Path, network: MaskRCNN, card: Card) -> Card:
    """Half precision on disk: it costs nothing that shows in the figures and halves the file."""
    return save(out, {name: value.half() for name, value in network.state_dict().items()}, card)

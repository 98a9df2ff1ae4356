"""The recipe of the instances network: labelled frames in, a checkpoint and its card out.

own_scene.py takes anybody's COCO JSON and frames; street_people.py is the recipe of the checkpoint
that ships, which trains with the same parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torchvision.models.detection import MaskRCNN

from models.card import Card
from models.checkpoint import save
from models.mask_rcnn import Segmenter, build
from models.training.augmenter import Augmenter
from models.training.evaluate_instances import (
    best_threshold,
    detect,
)
from models.training.instance_data import (
    Labelled,
    Picture,
    labelled_frames,
)
from models.training.instance_loss import LossOf
from models.training.instance_recipes import architecture_for
from models.training.loop import TrainingLog, fit, seed_everything

STEPS, BATCH = 1300, 4
EVERY = 2  # neighbouring frames hardly differ: every second one teaches
LEARNING_RATE, WEIGHT_DECAY, EMA = 1.5e-3, 0.02, 0.995
MIN_SIZE = 384

Frames = Callable[[], Iterable[tuple[int, Picture]]]


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
    log = fit(
        network,
        Augmenter(data, seed, background).batches(BATCH),
        LossOf(Segmenter(network, card)),
        steps=steps,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        seed=seed,
        ema=EMA,
        clip=5.0,
        title=f"instances, seed {seed}",
    )
    return network, log


def taught(
    coco: dict[str, Any],
    read: Frames,
    name: str,
    *,
    steps: int,
    seed: int,
    background: Picture | None = None,
) -> tuple[MaskRCNN, Card]:
    """A trained network and its card; the threshold is the best on what it was taught with."""
    every = (pair for number, pair in enumerate(frames_of(read, coco)) if number % EVERY == 0)
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
    some = part_of(coco, lambda index: index in tenth)
    segmenter = Segmenter(network, card, score_threshold=0.05)
    found = detect(segmenter, frames_of(read, some), coco["categories"])
    return replace(card, postprocessing={"min_score": best_threshold(some, found)})


def part_of(coco: dict[str, Any], wanted: Callable[[int], bool]) -> dict[str, Any]:
    """The labels of the images whose ids are wanted."""
    return {
        **coco,
        "images": [image for image in coco["images"] if wanted(image["id"])],
        "annotations": [one for one in coco["annotations"] if wanted(one["image_id"])],
    }


def frames_of(read: Frames, coco: dict[str, Any]) -> Iterator[tuple[int, Picture]]:
    """The frames that `coco` has images for."""
    wanted = {image["id"] for image in coco["images"]}
    return ((index, frame) for index, frame in read() if index in wanted)


def saved(out: Path, network: MaskRCNN, card: Card) -> Card:
    """Half precision on disk: it costs nothing that shows in the figures and halves the file."""
    return save(out, {name: value.half() for name, value in network.state_dict().items()}, card)

"""The recipe for pictures of one's own with COCO labels: a Mask R-CNN, trained, judged, looked at.

Masks go through every step of the augmentation with their pictures. Pictures with rare kinds of
things are shown more often (`repeat_factors`); the weights and the score from which on detections
count are chosen on pictures that neither teach nor judge.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision.models.detection import MaskRCNN

from models.card import Card
from models.checkpoint import save
from models.mask_rcnn import Segmenter, build
from models.training.augmenter import Augmenter, Batch
from models.training.coco_dataset import CocoDataset
from models.training.coco_split import CocoParts
from models.training.evaluate_instances import (
    average_precision,
    best_threshold,
    detect,
)
from models.training.instance_data import Labelled, labelled_frames
from models.training.instance_loss import LossOf
from models.training.instance_recipes import InstanceRecipe
from models.training.instance_start import begin_with
from models.training.judge_instances import LOWEST_SCORE, Frames, Judged, judge
from models.training.loop import TrainingLog
from models.training.own_instances_card import about_run, own_card
from models.training.repeat_factors import repeat_factors, repeated
from models.training.settings import Rounds, Workplace, fit_own

ROUND = 50
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainedInstances:
    """The card of a written checkpoint, how its training went, and how it does on the test."""

    card: Card
    log: TrainingLog
    test: Judged


def train_own_instances(
    parts: CocoParts,
    frames: Frames,
    recipe: InstanceRecipe,
    place: Workplace,
    about: Mapping[str, Any],
    name: str,
) -> TrainedInstances:
    """Trains, judges and writes `name` into the workplace.

    Labels are whole (`CocoDataset.whole`); `frames` reads the pictures of a part, RGB. `about`
    says of the data what belongs on the card. ValueError when no label is large enough to learn.
    """
    data = _learnable(parts["train"], frames, recipe)
    categories = parts["train"].coco["categories"]
    card = own_card(name, categories, recipe, recipe.architecture(data, len(categories)), about)
    torch.manual_seed(recipe.settings.seed)
    network = build(card.architecture)
    if recipe.start is not None:
        begin_with(network, card.architecture, recipe.start)
    log = _fit(network, card, data, parts["validation"], frames, recipe, place)
    if recipe.halved:
        # What is judged is what is written.
        network.load_state_dict({key: one.half() for key, one in network.state_dict().items()})
    segmenter = Segmenter(network, card, score_threshold=LOWEST_SCORE)
    tuned = parts["validation"].coco
    found = detect(segmenter, frames(parts["validation"]), tuned["categories"])
    min_score = best_threshold(tuned, found)
    test = judge(segmenter, parts["test"], frames, min_score)
    card = replace(
        card,
        heldout=test.figures,
        training=about_run(recipe, log, parts),
        postprocessing={"min_score": min_score},
    )
    state = network.state_dict()
    if recipe.halved:
        state = {key: one.half() for key, one in state.items()}
    return TrainedInstances(save(place.out / f"{name}.safetensors", state, card), log, test)


def _learnable(part: CocoDataset, frames: Frames, recipe: InstanceRecipe) -> list[Labelled]:
    """The pictures of the train split at the network's size, after too small labels were told."""
    data = list(labelled_frames(frames(part), part.coco, recipe.short_px))
    lost = len(part.coco["annotations"]) - sum(len(one.instances) for one in data)
    if lost:
        _LOGGER.info(
            "%d labels of the train split are too small to learn from at a short side of %d px",
            lost,
            recipe.short_px,
        )
    return data


def _fit(
    network: MaskRCNN,
    card: Card,
    data: Sequence[Labelled],
    validation: CocoDataset,
    frames: Frames,
    recipe: InstanceRecipe,
    place: Workplace,
) -> TrainingLog:
    """Trains the network; scored by mask AP on the validation split."""
    settings = recipe.settings

    def score(judged: nn.Module) -> float:
        segmenter = Segmenter(judged, card, score_threshold=LOWEST_SCORE)
        found = detect(segmenter, frames(validation), validation.coco["categories"])
        return average_precision(validation.coco, found)["mask_AP"]

    loss = LossOf(Segmenter(network, card), recipe.precision)
    rounds = Rounds(lambda number: _batches(data, recipe, number), ROUND)
    told = {**asdict(recipe), "architecture": card.architecture, "data": card.data}
    return fit_own(network, rounds, loss, score, settings, place, told, "own pictures")


def _batches(data: Sequence[Labelled], recipe: InstanceRecipe, number: int) -> Iterator[Batch]:
    """The batches of one round, without end, made from its number alone."""
    settings = recipe.settings
    shown = data
    if settings.class_weights:
        kinds = [{one.label for one in picture.instances if one.label} for picture in data]
        rng = np.random.default_rng((settings.seed, number, 1))
        shown = repeated(data, repeat_factors(kinds), rng)
    augmenter = Augmenter(shown, (settings.seed, number), crop_px=recipe.crop_px, zoom=recipe.zoom)
    return augmenter.batches(settings.batch)

"""The recipe for clips and pictures of one's own: a frame CNN and a head, trained as one.

A stream goes from one label to the next without a sign, so the clips that teach are joined, and
the first frames after each joint teach nothing. A picture is a clip of one frame; a network for
pictures is the same network with a head that takes every frame alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.action import ActionNetwork, build
from models.card import Card
from models.checkpoint import save
from models.training.clip_recipes import ClipRecipe
from models.training.clip_scores import decided, score_clips, score_stream
from models.training.clip_sequences import IGNORED, Clips, Frames, joined, varied
from models.training.dataset_split import Parts
from models.training.loop import TrainingLog
from models.training.settings import (
    Rounds,
    Settings,
    Trained,
    Workplace,
    about_training,
    balancing_weights,
    fit_own,
    labels_of,
)

Batch = tuple[Tensor, Tensor]
Numbered = Sequence[tuple[Frames, int]]

ROUND = 50
LIMITS = (
    "Trained on its owner's files alone; how well it does on streams was not measured.",
    "Every frame gets one of the labels: a class called background is what makes no event.",
)


def train_own_clips(
    parts: Parts,
    clips: Clips,
    recipe: ClipRecipe,
    settings: Settings,
    place: Workplace,
    about: Mapping[str, Any],
    name: str,
) -> Trained:
    """Trains, judges and writes `name` into the workplace.

    `about` says of the data what belongs on the card (`name`, `sha256`).
    """
    labels = labels_of(parts["train"])
    architecture = {"cnn": recipe.cnn, "head": recipe.head, "classes": len(labels)}
    torch.manual_seed(settings.seed)
    network = build(architecture)
    log = _fit(network, parts, clips, recipe, settings, place, {**about, **architecture})
    test = score_clips(network, labels, parts["test"], clips)
    wanted = {"width": recipe.cnn["width"], "height": recipe.cnn["height"]}
    card = Card(
        name=name,
        network="action",
        labels=labels,
        architecture=architecture,
        preprocessing={**wanted, "rate_hz": recipe.rate_hz, "colour": "RGB"},
        summary="Names what its owner's clips or pictures show.",
        licence="not stated",
        data=[{key: str(value) for key, value in about.items()}],
        split="by file content, or as the data says",
        heldout=test.to_json(),
        limits=list(LIMITS),
        training=about_training(settings, log, parts),
    )
    path = place.out / f"{name}.safetensors"
    return Trained(save(path, network.state_dict(), card), path, log, test)


def _fit(
    network: ActionNetwork,
    parts: Parts,
    clips: Clips,
    recipe: ClipRecipe,
    settings: Settings,
    place: Workplace,
    identity: Mapping[str, Any],
) -> TrainingLog:
    """Trains the network on the train split; scored by the validation split."""
    labels = labels_of(parts["train"])
    weights = balancing_weights(labels, parts, settings)
    teach, validation = (
        [(clips.frames[one], labels.index(one.label)) for one in parts[split]]
        for split in ("train", "validation")
    )

    def loss(student: nn.Module, batch: Batch) -> Tensor:
        assert isinstance(student, ActionNetwork)
        pictures, targets = batch
        features = student.cnn(pictures.flatten(0, 1))
        features = F.dropout(features, settings.dropout, student.training)
        return F.cross_entropy(
            decided(student, features.reshape(*targets.shape, -1)).flatten(0, 1),
            targets.flatten(),
            weights,
            ignore_index=IGNORED,
            label_smoothing=settings.label_smoothing,
        )

    def score(judged: nn.Module) -> float:
        assert isinstance(judged, ActionNetwork)
        return score_stream(judged, labels, validation, recipe).balanced_accuracy

    rounds = Rounds(lambda number: _batches(teach, recipe, settings, number), ROUND)
    return fit_own(network, rounds, loss, score, settings, place, identity, "own clips")


def _batches(
    teach: Numbered, recipe: ClipRecipe, settings: Settings, number: int
) -> Iterator[Batch]:
    """The batches of one round, without end: pictures (B, T, 3, H, W) and labels (B, T)."""
    rng = np.random.default_rng((settings.seed, number))
    while True:
        pictures, targets = joined(teach, settings.batch, recipe.length, recipe.settle, rng)
        yield varied(pictures, rng), targets

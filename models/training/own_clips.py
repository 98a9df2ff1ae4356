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

from models.action import ActionNetwork, build
from models.checkpoint import save
from models.training.clip_card import clip_card
from models.training.clip_recipes import ClipRecipe
from models.training.clip_scores import decided, score_clips, score_stream
from models.training.clip_sequences import IGNORED, Clips, Frames, joined, varied
from models.training.clip_teacher import ask_of, compared_clips
from models.training.dataset_split import Parts
from models.training.distil import Teacher
from models.training.joint import WholeMask
from models.training.label_loss import LabelLoss
from models.training.loop import TrainingLog
from models.training.parallel import Division
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


def train_own_clips(
    parts: Parts,
    clips: Clips,
    recipe: ClipRecipe,
    settings: Settings,
    place: Workplace,
    about: Mapping[str, Any],
    name: str,
    teacher: Teacher | None = None,
) -> Trained:
    """Trains, judges and writes `name` into the workplace.

    `about` says of the data what belongs on the card (`name`, `sha256`). TrainingError when the
    teacher has other labels.
    """
    labels = labels_of(parts["train"])
    architecture = {"cnn": recipe.cnn, "head": recipe.head, "classes": len(labels)}
    torch.manual_seed(settings.seed)
    network = build(architecture)
    identity = {**about, **architecture}
    log = _fit(network, parts, clips, recipe, settings, place, identity, teacher)
    test = score_clips(network, labels, parts["test"], clips)
    summary = "Names what its owner's clips or pictures show."
    training = about_training(settings, log, parts, teacher)
    card = clip_card(name, labels, architecture, recipe, about, test, training, summary)
    path = place.out / f"{name}.safetensors"
    card = save(path, network.state_dict(), card)
    compared = () if teacher is None else compared_clips(teacher, network, card, parts, clips, test)
    return Trained(card, path, log, test, compared)


def _fit(
    network: ActionNetwork,
    parts: Parts,
    clips: Clips,
    recipe: ClipRecipe,
    settings: Settings,
    place: Workplace,
    identity: Mapping[str, Any],
    teacher: Teacher | None,
) -> TrainingLog:
    """Trains the network on the train split; scored by the validation split."""
    labels = labels_of(parts["train"])
    weights = balancing_weights(labels, parts, settings)
    teach, validation = (
        [(clips.frames[one], labels.index(one.label)) for one in parts[split]]
        for split in ("train", "validation")
    )
    softened = None if teacher is None else teacher.softened
    judge = LabelLoss(len(labels), weights, IGNORED, settings.label_smoothing, softened)
    hide = WholeMask(nn.Dropout(settings.dropout))
    ask = ask_of(teacher, labels)

    def loss(student: nn.Module, batch: Batch) -> Tensor:
        assert isinstance(student, ActionNetwork)
        pictures, targets = batch
        features = hide(student.cnn(pictures.flatten(0, 1))).reshape(*targets.shape, -1)
        return judge(decided(student, features), targets, ask(pictures))

    def score(judged: nn.Module) -> float:
        assert isinstance(judged, ActionNetwork)
        return score_stream(judged, labels, validation, recipe).balanced_accuracy

    if teacher is not None:
        identity = {**identity, "distilled": teacher.about()}
    division: Division[Batch, Batch] = Division(weight=lambda batch: judge.weight(batch[1]))
    rounds = Rounds(lambda number: _batches(teach, recipe, settings, number), ROUND)
    title = "own clips"
    return fit_own(network, rounds, loss, score, settings, place, identity, title, division)


def _batches(
    teach: Numbered, recipe: ClipRecipe, settings: Settings, number: int
) -> Iterator[Batch]:
    """The batches of one round, without end: pictures (B, T, 3, H, W) and labels (B, T)."""
    rng = np.random.default_rng((settings.seed, number))
    while True:
        pictures, targets = joined(teach, settings.batch, recipe.length, recipe.settle, rng)
        yield varied(pictures, rng), targets

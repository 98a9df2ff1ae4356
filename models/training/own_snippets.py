"""The recipe for clips of one's own that a clip CNN sees as a whole, a snippet of frames at a time.

A lesson is a piece of one clip. It is as long as a snippet, so the network learns what it will be
asked: what happens in these few frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.checkpoint import save
from models.clip import ClipNetwork, build_clip
from models.training.clip_card import clip_card
from models.training.clip_recipes import ClipRecipe
from models.training.clip_scores import score_clips
from models.training.clip_sequences import IGNORED, Clips, Frames, varied
from models.training.dataset_split import Parts
from models.training.joint import WholeMask
from models.training.label_loss import LabelLoss
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

ROUND = 50


def train_own_snippets(
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
    architecture = {
        "way": "conv3d",
        "cnn": recipe.cnn,
        "head": recipe.head,
        "classes": len(labels),
    }
    torch.manual_seed(settings.seed)
    network = build_clip(architecture)
    teach = [(clips.frames[one], labels.index(one.label)) for one in parts["train"]]
    weights = balancing_weights(labels, parts, settings)
    judge = LabelLoss(len(labels), weights, IGNORED, settings.label_smoothing)
    hide = WholeMask(nn.Dropout(settings.dropout))

    def loss(student: nn.Module, batch: Batch) -> Tensor:
        assert isinstance(student, ClipNetwork)
        pictures, targets = batch
        return judge(student.decide(hide(student.encode(pictures))), targets)

    def score(judged: nn.Module) -> float:
        assert isinstance(judged, ClipNetwork)
        return score_clips(judged, labels, parts["validation"], clips).balanced_accuracy

    division: Division[Batch, Batch] = Division(weight=lambda batch: judge.weight(batch[1]))
    frames = int(recipe.cnn["frames"])
    rounds = Rounds(lambda number: _batches(teach, frames, settings, number), ROUND)
    identity = {**about, **architecture}
    log = fit_own(network, rounds, loss, score, settings, place, identity, "own clips", division)
    test = score_clips(network, labels, parts["test"], clips)
    summary = f"Names what its owner's clips show, {frames} frames at a time."
    training = about_training(settings, log, parts)
    card = clip_card(name, labels, architecture, recipe, about, test, training, summary)
    path = place.out / f"{name}.safetensors"
    return Trained(save(path, network.state_dict(), card), path, log, test)


def piece(frames: Frames, count: int, rng: np.random.Generator) -> Frames:
    """(count, H, W, 3): some frames in a row; a clip that is shorter is held at its last one."""
    first = int(rng.integers(max(1, len(frames) - count + 1)))
    return frames[np.minimum(np.arange(first, first + count), len(frames) - 1)]


def _batches(
    teach: Sequence[tuple[Frames, int]], frames: int, settings: Settings, number: int
) -> Iterator[Batch]:
    """The batches of one round, without end: pictures (B, T, 3, H, W) and labels (B,)."""
    rng = np.random.default_rng((settings.seed, number))
    while True:
        chosen = [teach[int(rng.integers(len(teach)))] for _ in range(settings.batch)]
        pictures = np.stack([piece(clip, frames, rng) for clip, _ in chosen])
        labels = torch.tensor([label for _, label in chosen])
        yield varied(torch.from_numpy(pictures), rng), labels

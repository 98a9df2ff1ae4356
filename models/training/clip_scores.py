"""How well a network that sees names clips, and frames of clips that follow each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from models.action import ActionNetwork
from models.clip import ClipNetwork
from models.conv3d import ClipCNN
from models.sequence import FeatureVote
from models.training.class_scores import ClassScores, class_scores
from models.training.clip_recipes import ClipRecipe
from models.training.clip_sequences import IGNORED, Clips, Frames, joined
from models.training.dataset import Example


def decided(network: ActionNetwork, features: Tensor) -> Tensor:
    """(B, T, F) -> logits (B, T, classes); a vote learns and judges each frame alone."""
    if isinstance(network.head, FeatureVote):
        return network.head.frame_logits(features)
    logits: Tensor = network.head(features)
    return logits


@torch.inference_mode()
def score_stream(
    network: ActionNetwork,
    labels: Sequence[str],
    clips: Sequence[tuple[Frames, int]],
    recipe: ClipRecipe,
) -> ClassScores:
    """How the network names single frames of clips that follow each other; always the same ones."""
    length = 2 * recipe.length
    rows = max(8, 64 // length)
    pictures, targets = joined(clips, rows, length, recipe.settle, np.random.default_rng(0))
    features = torch.stack([network.features(row) for row in pictures])
    called = decided(network, features).argmax(-1)
    clear = targets != IGNORED
    truth, said = targets[clear].tolist(), called[clear].tolist()
    return class_scores(labels, [labels[n] for n in truth], [labels[n] for n in said])


@torch.inference_mode()
def score_clips(
    network: ActionNetwork | ClipNetwork,
    labels: Sequence[str],
    examples: Sequence[Example],
    clips: Clips,
) -> ClassScores:
    """How the network names whole clips: the label of the highest mean score in them."""
    said = []
    for example in examples:
        scores = _logits(network, torch.from_numpy(clips.frames[example])).softmax(-1)
        said.append(labels[int(scores.mean(0).argmax())])
    return class_scores(labels, [example.label for example in examples], said)


def _logits(network: ActionNetwork | ClipNetwork, frames: Tensor) -> Tensor:
    """(T, H, W, 3) uint8 -> logits of every frame, or of every snippet, (n, classes).

    Frames that do not fill the last snippet are left out; a clip shorter than one snippet is held
    at its last frame.
    """
    if isinstance(network, ActionNetwork):
        features = torch.cat([network.features(part) for part in torch.split(frames, 32)])
        return decided(network, features[None])[0]
    body = network.body
    size = body.frames if isinstance(body, ClipCNN) else 1
    count = max(size, len(frames) - len(frames) % size)
    held = frames[torch.arange(count).clamp_max(len(frames) - 1)]
    pictures = held.permute(0, 3, 1, 2).float() / 255
    logits: Tensor = network.head(network.encode(pictures[None]))[0]
    return logits

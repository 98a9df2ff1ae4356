"""A network for pictures that teaches a narrow one: what it answers, and how both do in the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.action import ActionNetwork
from models.card import Card
from models.training.class_scores import ClassScores
from models.training.clip_scores import decided, score_clips
from models.training.clip_sequences import Clips
from models.training.dataset import Example
from models.training.dataset_split import Parts
from models.training.distil import Measured, Teacher, frame_ms, parameters


def ask_of(teacher: Teacher | None, labels: Sequence[str]) -> Callable[[Tensor], Tensor | None]:
    """Pictures (B, T, 3, H, W) -> the teacher's logits in the order of the labels, or None.

    Pictures are scaled to the size that the teacher takes.
    """
    if teacher is None:
        return lambda pictures: None
    columns, expert = teacher.columns(labels), teacher.network
    assert isinstance(expert, ActionNetwork)
    size = (expert.cnn.height, expert.cnn.width)

    def ask(pictures: Tensor) -> Tensor:
        with torch.no_grad():
            seen = pictures.flatten(0, 1)
            if seen.shape[-2:] != size:
                seen = F.interpolate(seen, size, mode="bilinear", antialias=True)
            features = expert.cnn(seen).reshape(*pictures.shape[:2], -1)
            return decided(expert, features)[..., columns]

    return ask


def compared_clips(
    teacher: Teacher,
    student: ActionNetwork,
    card: Card,
    parts: Parts,
    clips: Clips,
    scores: ClassScores,
) -> tuple[Measured, ...]:
    """The teacher and its student on the same test files."""
    expert = teacher.network
    assert isinstance(expert, ActionNetwork)
    by_teacher = _score_scaled(expert, teacher.card.labels, parts["test"], clips)
    return (
        _measured(f"{teacher.card.name} (teacher)", expert, by_teacher),
        _measured(card.name, student, scores),
    )


def _measured(name: str, network: ActionNetwork, scores: ClassScores) -> Measured:
    return Measured(name, scores, parameters(network), frame_ms(network), "frame")


def _score_scaled(
    network: ActionNetwork, labels: Sequence[str], examples: Sequence[Example], clips: Clips
) -> ClassScores:
    """How a network names clips that were read at another network's size."""
    size = (network.cnn.width, network.cnn.height)
    scaled = {
        one: np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])
        for one, frames in clips.frames.items()
        if one in examples
    }
    return score_clips(network, labels, examples, Clips(scaled))

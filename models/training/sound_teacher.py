"""A sound network that teaches a narrow one: what it answers, and how both do in the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor

from models.card import Card
from models.training.class_scores import ClassScores
from models.training.distil import Measured, Teacher, check_hops, hop_ms, parameters
from models.training.recordings import Ints
from models.training.sound_data import Sound
from models.training.sound_score import score_sounds
from models.wavenet import WaveNet


def ask_of(
    teacher: Teacher | None, labels: Sequence[str], student: WaveNet
) -> Callable[[Tensor], Tensor | None]:
    """Samples -> the teacher's logits in the order of the labels; None without a teacher.

    TrainingError when the teacher has other labels, or hears at another rate.
    """
    if teacher is None:
        return lambda samples: None
    check_hops(teacher, student)
    columns, expert = teacher.columns(labels), teacher.network

    def ask(samples: Tensor) -> Tensor:
        with torch.no_grad():
            return cast("Tensor", expert(samples)[..., columns])

    return ask


def compared_sounds(
    teacher: Teacher,
    student: WaveNet,
    card: Card,
    sounds: Mapping[Sound, Ints],
    scores: ClassScores,
) -> tuple[Measured, ...]:
    """The teacher and its student on the same test files."""
    expert = teacher.network
    assert isinstance(expert, WaveNet)
    by_teacher = score_sounds(expert, teacher.card.labels, sounds)
    return tuple(
        Measured(name, found, parameters(one), hop_ms(one), "hop")
        for name, found, one in (
            (f"{teacher.card.name} (teacher)", by_teacher, expert),
            (card.name, scores, student),
        )
    )

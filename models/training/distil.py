"""Distilling: a network that is too dear to run teaches a narrow one, and what both then cost."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.action import ActionNetwork, load_action
from models.card import Card
from models.sequence import FeatureVote
from models.training.class_scores import ClassScores
from models.training.errors import TrainingError
from models.training.label_loss import Softened
from models.wavenet import WaveNet, load_sound

TIMED = 30


@dataclass(frozen=True, slots=True)
class Teacher:
    """A trained network, its card, and how its answers count; it learns nothing."""

    network: nn.Module
    card: Card
    softened: Softened

    def columns(self, labels: Sequence[str]) -> list[int]:
        """Where the teacher has each of these labels; TrainingError unless both know the same."""
        known = self.card.labels
        if strange := sorted(set(known) ^ set(labels)):
            message = (
                f"the teacher {self.card.name} has other labels than the data: "
                f"{', '.join(strange)}: only one of them knows that; it knows {', '.join(known)}"
            )
            raise TrainingError(message)
        return [known.index(label) for label in labels]

    def about(self) -> dict[str, Any]:
        """What a card says of it."""
        return {
            "teacher": self.card.name,
            "sha256": self.card.sha256,
            "weight": self.softened.weight,
            "temperature": self.softened.temperature,
        }


@dataclass(frozen=True, slots=True)
class Measured:
    """What a network reaches on the test files, and what it costs on this machine.

    `ms` is the median time of one `unit` of one stream.
    """

    name: str
    scores: ClassScores
    parameters: int
    ms: float
    unit: str


def sound_teacher(weights: str | Path, softened: Softened) -> Teacher:
    """The teacher in a checkpoint of a sound network; CheckpointError when it holds none."""
    card, network = load_sound(weights)
    return Teacher(network.requires_grad_(False), card, softened)


def frame_teacher(weights: str | Path, softened: Softened) -> Teacher:
    """The teacher in a checkpoint of a network for frames; CheckpointError when it holds none.

    TrainingError when it judges frames by those before them.
    """
    card, network = load_action(weights)
    if not isinstance(network.head, FeatureVote):
        message = (
            f"{weights}: it judges sequences ({card.architecture['head']['name']}); a teacher for "
            "`frames` judges every frame alone"
        )
        raise TrainingError(message)
    return Teacher(network.requires_grad_(False), card, softened)


def check_hops(teacher: Teacher, student: WaveNet) -> None:
    """TrainingError unless both hear the same samples and answer at the same times."""
    network = teacher.network
    assert isinstance(network, WaveNet)
    if (network.sample_rate, network.hop) != (student.sample_rate, student.hop):
        message = (
            f"the teacher {teacher.card.name} hears {network.sample_rate} Hz in hops of "
            f"{network.hop}, the recipe {student.sample_rate} Hz in hops of {student.hop}: "
            "choose a recipe for the rate of the teacher"
        )
        raise TrainingError(message)


def frame_ms(network: ActionNetwork) -> float:
    """Milliseconds for one frame of one stream: the frame CNN and a step of the head."""
    network.eval()
    frame = torch.zeros(1, network.cnn.height, network.cnn.width, 3, dtype=torch.uint8)
    state = network.initial_state(1)
    return _median_ms(lambda: network.step(network.features(frame), state))


def hop_ms(network: WaveNet) -> float:
    """Milliseconds for one hop of one stream, with cached state."""
    network.eval()
    hop = torch.zeros(1, 1, network.hop).uniform_(-0.1, 0.1)
    state = network.initial_state(1)
    return _median_ms(lambda: network.stream(hop, state))


def parameters(network: nn.Module) -> int:
    """How many numbers a network has learnt."""
    return sum(one.numel() for one in network.parameters())


@torch.inference_mode()
def _median_ms(run: Callable[[], tuple[Tensor, Any]]) -> float:
    run()
    taken = []
    for _ in range(TIMED):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return 1000 * statistics.median(taken)

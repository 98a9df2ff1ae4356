"""What the sound network is taught to tell apart: two tasks, and what a run of one gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.training.loop import TrainingLog
from models.training.sound_data import Sound
from models.training.sound_sources import SIX, STREET
from models.wavenet import WaveNet

BATCH, WINDOW_HOPS = 32, 24

TaskName = Literal["street", "six"]


@dataclass(frozen=True, slots=True)
class Task:
    """What is told apart, and at which rate; the hop is a tenth of a second."""

    name: TaskName
    labels: tuple[str, ...]
    sample_rate: int

    @property
    def architecture(self) -> dict[str, Any]:
        """The network's size; its times are the same for both tasks."""
        return {
            "classes": len(self.labels),
            "sample_rate": self.sample_rate,
            "hop": self.sample_rate // 10,
            "stride": self.sample_rate // 80,
            "taps": self.sample_rate // 40,
            "patch": 4,
            "channels": 80,
            "skips": 112,
        }


TASKS = {"street": Task("street", STREET, 16_000), "six": Task("six", SIX, 8_000)}


@dataclass(frozen=True, slots=True)
class Run:
    """One seed: its network and its figures on validation and test excerpts."""

    seed: int
    network: WaveNet
    log: TrainingLog
    validation: dict[str, Any]
    test: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parts:
    """The samples of a task by split."""

    train: dict[Sound, NDArray[np.int16]]
    validation: dict[Sound, NDArray[np.int16]]
    test: dict[Sound, NDArray[np.int16]]

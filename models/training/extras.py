"""What a training may have beyond the plain loop: schedules, a score, patience, a kept state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from torch import nn

from models.training.errors import TrainingError

if TYPE_CHECKING:
    from models.training.parallel import Workers
    from models.training.resume import RunFile

Given = TypeVar("Given", covariant=True)

WARM_UP = 0.1
STEPS_DOWN = (2 / 3, 8 / 9)


def one_cycle(step: int, steps: int) -> float:
    """The share of the full learning rate at `step` (from 0): linear up to 1, cosine down to 0."""
    warm = max(1, round(steps * WARM_UP))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def cosine(step: int, steps: int) -> float:
    """The share of the full learning rate at `step`: half a cosine from 1 down to 0."""
    return 0.5 * (1 + math.cos(math.pi * step / max(1, steps)))


def linear(step: int, steps: int) -> float:
    """The share of the full learning rate at `step`: a straight line from 1 down to 0."""
    return 1 - step / max(1, steps)


def stepped(step: int, steps: int) -> float:
    """The share of the full learning rate at `step`: linear up to 1, a tenth, a hundredth.

    It falls after two thirds and eight ninths of the steps, as detectors are trained on COCO.
    """
    warm = max(1, round(steps * WARM_UP))
    if step < warm:
        return (step + 1) / warm
    return float(0.1 ** sum(step >= round(share * steps) for share in STEPS_DOWN))


def constant(step: int, steps: int) -> float:
    """Always the full learning rate."""
    del step, steps
    return 1.0


SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "one_cycle": one_cycle,
    "cosine": cosine,
    "linear": linear,
    "step": stepped,
    "constant": constant,
}


@dataclass(frozen=True, slots=True)
class Extras:
    """What a run may have beyond the plain loop; all of it is off by default.

    `score` judges the network (its running average, if there is one) after every `every` steps, in
    eval mode; more is better, and the run ends with the weights of the best score, the last of
    equals. It must draw no random numbers of torch's. After `patience` scores in a row without a
    better one the run ends. `keep` gets the state at the same steps, and the run goes on from what
    it holds. `watch` gets every loss, learning rate and score: a name, the number of steps done,
    the number. `workers` do the run elsewhere, together; its numbers and weights come back.
    """

    schedule: str = "one_cycle"
    score: Callable[[nn.Module], float] | None = None
    every: int = 50
    patience: int | None = None
    keep: RunFile | None = None
    watch: Callable[[str, int, float], None] | None = None
    workers: Workers | None = None

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            names = ", ".join(SCHEDULES)
            message = f"no schedule is called {self.schedule!r}; there are {names}"
            raise TrainingError(message)
        if self.every < 1 or (self.patience is not None and self.patience < 1):
            message = "scores are taken after at least 1 step, and patience is at least 1 score"
            raise TrainingError(message)
        if self.patience is not None and self.score is None:
            message = "patience needs a score: without one nobody knows when it gets no better"
            raise TrainingError(message)


PLAIN = Extras()


@runtime_checkable
class Seekable(Protocol[Given]):
    """Batches that can begin anywhere, so that a resumed run need not make all those before."""

    def from_step(self, step: int) -> Iterator[Given]:
        """The batches of this step (from 0) and of those after it, without end."""

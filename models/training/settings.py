"""How a training on one's own data goes: every number of it, and what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from models.card import Card
from models.training.class_scores import ClassScores
from models.training.dataset import Example, Split
from models.training.dataset_split import Parts, counts
from models.training.distil import Measured, Teacher
from models.training.extras import Extras
from models.training.loop import TrainingLog, fit
from models.training.parallel import BY_ROWS, Division, Workers
from models.training.resume import RunFile

T = TypeVar("T")
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Settings:
    """The numbers of a run; the same ones on the same data give the same weights.

    `check_every` steps the network is scored on the validation split and the state is kept; the
    weights of the best score are those that the run ends with. `patience` scores without a better
    one end it early. `class_weights` makes rare labels count more.
    """

    steps: int
    batch: int
    learning_rate: float
    weight_decay: float = 0.02
    ema: float | None = None
    dropout: float = 0.1
    label_smoothing: float = 0.0
    schedule: str = "one_cycle"
    class_weights: bool = True
    check_every: int = 100
    patience: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a run writes, whether it goes on from what is there, and who watches its numbers.

    `workers` are the processes that share the work; without them it is done in this one.
    """

    out: Path
    resume: bool = False
    watch: Callable[[str, int, float], None] | None = None
    workers: Workers | None = None

    @property
    def state_path(self) -> Path:
        """Where the state of the run is kept until its checkpoint is written."""
        return self.out / "run.safetensors"

    def state(self, what: Mapping[str, Any]) -> RunFile:
        """The file that keeps the run that `what` describes; an old one goes unless resumed."""
        told = json.dumps(what, sort_keys=True, default=str)
        # Absolute: whoever writes it may run in another folder.
        file = RunFile(self.state_path.absolute(), hashlib.sha256(told.encode()).hexdigest()[:16])
        if not self.resume:
            file.remove()
        return file


@dataclass(frozen=True, slots=True)
class Trained:
    """A written checkpoint, how its training went, and its scores on the test split.

    `compared` are its teacher and itself, where it had one.
    """

    card: Card
    path: Path
    log: TrainingLog
    test: ClassScores
    compared: tuple[Measured, ...] = ()


class Rounds(Generic[T]):
    """Batches in rounds of `length`, each made from its number alone: a run can begin anywhere."""

    def __init__(self, make: Callable[[int], Iterator[T]], length: int) -> None:
        self._make, self._length = make, length

    def from_step(self, step: int) -> Iterator[T]:
        """The batches of this step (from 0) and of those after it, without end."""
        first, skipped = divmod(step, self._length)
        number = first
        while True:
            made = self._make(number)
            for at in range(self._length):
                batch = next(made)
                if number > first or at >= skipped:
                    yield batch
            number += 1


def fit_own(
    network: nn.Module,
    batches: Rounds[T],
    loss: Callable[[nn.Module, P], Tensor],
    score: Callable[[nn.Module], float],
    settings: Settings,
    place: Workplace,
    identity: Mapping[str, Any],
    title: str,
    division: Division[T, P] = BY_ROWS,
) -> TrainingLog:
    """The log of a run as `settings` say; `identity` is what else tells it from other runs.

    How many workers share it is not told: a run may go on with another number of them.
    """
    torch.set_flush_denormal(True)
    state = place.state({**identity, "settings": asdict(settings)})
    extras = Extras(
        schedule=settings.schedule,
        score=score,
        every=min(settings.check_every, settings.steps),
        patience=settings.patience,
        keep=state,
        watch=place.watch,
        workers=place.workers,
    )
    return fit(
        network,
        batches,
        loss,
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        seed=settings.seed,
        ema=settings.ema,
        title=title,
        extras=extras,
        division=division,
    )


def balancing_weights(labels: Sequence[str], parts: Parts, settings: Settings) -> Tensor | None:
    """(classes,): what undoes how often each label is shown, 1 on average; None when not asked."""
    if not settings.class_weights:
        return None
    seen = counts(parts)
    sizes = torch.tensor([float(seen[label]["train"]) for label in labels])
    weights = 1 / sizes
    return weights / weights.mean()


def labels_of(examples: Sequence[Example]) -> tuple[str, ...]:
    """The labels that occur, `background` first: it is the one that makes no event."""
    found = sorted({example.label for example in examples})
    return tuple(sorted(found, key=lambda label: (label != "background", label)))


def about_training(
    settings: Settings, log: TrainingLog, parts: Parts, teacher: Teacher | None = None
) -> dict[str, Any]:
    """What a card says of the run."""
    best = max(log.scores, key=lambda pair: pair[1]) if log.scores else None
    files: dict[str, dict[Split, int]] = counts(parts)
    return {
        **asdict(settings),
        "steps_done": log.steps,
        "final_loss": round(log.final_loss, 4),
        "best_validation": None if best is None else {"step": best[0], "score": round(best[1], 4)},
        "examples": files,
        **({} if teacher is None else {"distilled": teacher.about()}),
    }

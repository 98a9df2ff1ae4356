"""The one training loop that every recipe shares: a fixed number of steps, seeded, one cycle.

A recipe brings the network, an iterable of batches and a loss; the loop brings the optimiser
(AdamW), the learning-rate cycle, gradient clipping, an optional running average of the weights
(EMA) and a log. The length is a number of steps and never a time, so that a run can be repeated.
`Extras` add another schedule, a score by which the best weights are kept and a run may end early,
and a file from which a killed run goes on.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from models.training.errors import TrainingError
from models.training.extras import PLAIN, SCHEDULES, Extras, Seekable
from models.training.resume import (
    RunFile,
    load_optimizer,
    optimizer_tensors,
    packed,
    unpacked,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """What a run did: one loss per step, in order, and how long it took on this machine.

    `scores` are (steps done, score), where the run had a score; `seconds` are those since it was
    last resumed.
    """

    steps: int
    seconds: float
    losses: tuple[float, ...] = field(repr=False)
    scores: tuple[tuple[int, float], ...] = field(default=(), repr=False)

    @property
    def final_loss(self) -> float:
        """The mean loss of the last tenth of the steps (of at least one)."""
        tail = self.losses[-max(1, len(self.losses) // 10) :]
        return sum(tail) / len(tail)


def seed_everything(seed: int) -> None:
    """Seeds torch's generators; recipes seed their own NumPy generators from the same number."""
    torch.manual_seed(seed)


def _forever(batches: Iterable[T]) -> Iterator[T]:
    """The batches over and over; ValueError when there are none, or no more of an iterator."""
    while True:
        empty = True
        for batch in batches:
            empty = False
            yield batch
        if empty:
            message = (
                "the batches ran out before the last step: pass an iterable that can be "
                "repeated (a list, a DataLoader) or an iterator that is long enough"
            )
            raise ValueError(message)


def _parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weights with decay; biases, norms and other vectors without."""
    trained = [p for p in network.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Moves `average` towards `network`: weights by `1 - decay`, buffers all the way."""
    for mean, now in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(now, 1 - decay)
    for kept, buffer in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(buffer)


def fit(
    network: nn.Module,
    batches: Iterable[T] | Seekable[T],
    loss: Callable[[nn.Module, T], Tensor],
    *,
    steps: int,
    learning_rate: float,
    weight_decay: float,
    seed: int,
    ema: float | None = None,
    clip: float = 1.0,
    on_step: Callable[[int, float], None] | None = None,
    title: str = "training",
    extras: Extras = PLAIN,
) -> TrainingLog:
    """The log of `steps` steps of AdamW; trains `network` in place and leaves it in eval mode.

    `batches` is repeated until the steps are done. `loss` takes the network, in the training mode
    that its own `train()` sets, and a batch, and returns a scalar. With `ema` (0.99 to 0.9999) the
    network ends with the running average of its weights instead of the last ones; the average
    warms up, so that short runs are not held at their random start. `on_step` gets the number of
    steps done and the loss. TrainingError when the loss is no longer a number.
    """
    seed_everything(seed)
    network.train()
    run = _Run(network, steps, learning_rate, weight_decay, ema, extras)
    first = run.resume()
    began = time.perf_counter()
    source = _from_step(batches, first)
    with _progress() as progress:
        task = progress.add_task(title, total=steps, completed=first, loss=math.nan)
        for step in range(first, steps):
            run.optimizer.zero_grad(set_to_none=True)
            value = loss(network, next(source))
            value.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), clip)
            number = _checked(value, step, title)
            run.stepped(number)
            progress.update(task, advance=1, loss=number)
            if on_step is not None:
                on_step(step + 1, number)
            if run.looked_at():
                break
    run.finish()
    return TrainingLog(
        len(run.losses), time.perf_counter() - began, tuple(run.losses), tuple(run.scores)
    )


class _Run:
    """A run under way: the optimiser, the averages, what was best, and how it is kept."""

    def __init__(
        self,
        network: nn.Module,
        steps: int,
        learning_rate: float,
        weight_decay: float,
        ema: float | None,
        extras: Extras,
    ) -> None:
        self.network, self.steps, self.extras, self.ema = network, steps, extras, ema
        shape = SCHEDULES[extras.schedule]
        groups = _parameter_groups(network, weight_decay)
        self.optimizer = torch.optim.AdamW(groups, lr=learning_rate)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: shape(step, steps)
        )
        self.average = deepcopy(network) if ema is not None else None
        self.losses: list[float] = []
        self.scores: list[tuple[int, float]] = []
        self.best: dict[str, Tensor] | None = None

    def stepped(self, loss: float) -> None:
        """Moves the weights by their gradients, and all that follows them."""
        self.optimizer.step()
        self._watch("learning rate", float(self.schedule.get_last_lr()[0]))
        self.schedule.step()
        if self.average is not None and self.ema is not None:
            warm = (1 + len(self.losses)) / (10 + len(self.losses))
            _follow(self.average, self.network, min(self.ema, warm))
        self.losses.append(loss)
        self._watch("loss", loss)

    def looked_at(self) -> bool:
        """Scores and keeps the run where it is due; True when it is time to end early."""
        done, extras = len(self.losses), self.extras
        if done % extras.every and done != self.steps:
            return False
        if extras.score is not None:
            judged = self.average or self.network
            judged.eval()
            with torch.inference_mode():
                score = extras.score(judged)
            self.network.train()
            # Of equal scores the later one: it has learnt for longer.
            if score >= max((score for _, score in self.scores), default=score):
                self.best = {name: one.clone() for name, one in judged.state_dict().items()}
            self.scores.append((done, score))
            self._watch("score", score)
        if extras.keep is not None:
            self._keep(extras.keep)
        return self._over()

    def _over(self) -> bool:
        """Whether `patience` scores in a row were no better than one before."""
        if self.extras.patience is None or not self.scores:
            return False
        values = [score for _, score in self.scores]
        return len(values) - 1 - values.index(max(values)) >= self.extras.patience

    def finish(self) -> None:
        """Gives the network the weights that the run ends with, in eval mode."""
        if self.best is not None:
            self.network.load_state_dict(self.best)
        elif self.average is not None:
            self.network.load_state_dict(self.average.state_dict())
        self.network.eval()

    def _watch(self, name: str, value: float) -> None:
        if self.extras.watch is not None:
            self.extras.watch(name, len(self.losses), value)

    def _keep(self, file: RunFile) -> None:
        tensors = packed("network", self.network.state_dict())
        tensors |= packed("optimizer", optimizer_tensors(self.optimizer))
        tensors["random"] = torch.get_rng_state()
        if self.average is not None:
            tensors |= packed("average", self.average.state_dict())
        if self.best is not None:
            tensors |= packed("best", self.best)
        file.write(tensors, {"losses": self.losses, "scores": self.scores})

    def resume(self) -> int:
        """The number of steps that are done already: 0, or those of the state that is kept."""
        found = None if self.extras.keep is None else self.extras.keep.read()
        if found is None:
            return 0
        tensors, numbers = found
        self.network.load_state_dict(unpacked("network", tensors))
        load_optimizer(self.optimizer, unpacked("optimizer", tensors))
        if self.average is not None:
            self.average.load_state_dict(unpacked("average", tensors))
        self.best = unpacked("best", tensors) or None
        self.losses = list(numbers["losses"])
        self.scores = [(step, score) for step, score in numbers["scores"]]
        self.schedule.last_epoch = len(self.losses)
        share = self.schedule.lr_lambdas[0](len(self.losses))
        for group, full in zip(self.optimizer.param_groups, self.schedule.base_lrs, strict=True):
            group["lr"] = full * share
        torch.set_rng_state(tensors["random"])
        return self.steps if self._over() else len(self.losses)


def _from_step(batches: Iterable[T] | Seekable[T], step: int) -> Iterator[T]:
    """The batches from this step on; those before it are made and dropped where they must be."""
    if isinstance(batches, Seekable):
        return batches.from_step(step)
    return itertools.islice(_forever(batches), step, None)


def _checked(value: Tensor, step: int, title: str) -> float:
    """The loss as a float; TrainingError when it is not finite."""
    number = float(value.detach())
    if not math.isfinite(number):
        message = f"{title}: the loss is {number} at step {step}; lower the learning rate"
        raise TrainingError(message)
    return number


def _progress() -> Progress:
    """A progress bar on standard error, where it does not mix with what a command prints."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )

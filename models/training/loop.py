"""The one training loop that every recipe shares: a fixed number of steps, seeded, one cycle.

A recipe brings the network, an iterable of batches and a loss; the loop brings the optimiser
(AdamW), the learning-rate cycle, gradient clipping, an optional running average of the weights
(EMA) and a log. The length is a number of steps and never a time, so that a run can be repeated.
`Extras` add another schedule, a score by which the best weights are kept and a run may end early,
a file from which a killed run goes on, and processes that share the work.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from models.training.errors import TrainingError
from models.training.extras import PLAIN, Extras, Seekable
from models.training.parallel import BY_ROWS, Division, Team, Tell, Workers
from models.training.run import Run

T = TypeVar("T")
P = TypeVar("P")


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


def fit(
    network: nn.Module,
    batches: Iterable[T] | Seekable[T],
    loss: Callable[[nn.Module, P], Tensor],
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
    division: Division[T, P] = BY_ROWS,
) -> TrainingLog:
    """The log of `steps` steps of AdamW; trains `network` in place and leaves it in eval mode.

    `batches` is repeated until the steps are done. `loss` takes the network, in the training mode
    that its own `train()` sets, and a batch, and returns a scalar. With `ema` (0.99 to 0.9999) the
    network ends with the running average of its weights instead of the last ones; the average
    warms up, so that short runs are not held at their random start. `on_step` gets the number of
    steps done and the loss. TrainingError when the loss is no longer a number.

    In a team (`models.training.parallel`) every process calls this with the same arguments, and
    `division` says how they share a batch. With `extras.workers` this process has that done.
    """
    seed_everything(seed)
    network.train()
    if extras.workers is not None:
        numbers = {"steps": steps, "learning_rate": learning_rate, "weight_decay": weight_decay}
        again: dict[str, Any] = {**numbers, "seed": seed, "ema": ema, "clip": clip, "title": title}
        # What watches stays here: a file that is being written cannot be copied elsewhere.
        there = replace(extras, workers=None, watch=None)
        body = partial(_in_team, network, batches, loss, there, division=division, **again)
        return _on_workers(network, extras.workers, body, extras, steps, title, on_step)
    team = Team.here()
    with team.joined(network), _progress(shown=team.size == 1) as progress:
        run = Run(network, steps, learning_rate, weight_decay, ema, extras, team)
        first = run.resume()
        began = time.perf_counter()
        source = _from_step(batches, first)
        task = progress.add_task(title, total=steps, completed=first, loss=math.nan)
        for step in range(first, steps):
            run.optimizer.zero_grad(set_to_none=True)
            number = _checked(team.learn(network, next(source), loss, division), step, title)
            nn.utils.clip_grad_norm_(network.parameters(), clip)
            run.stepped(number)
            progress.update(task, advance=1, loss=number)
            if on_step is not None:
                on_step(step + 1, number)
            if run.looked_at():
                break
        run.finish()
        team.check_agreement(network)
    return TrainingLog(
        len(run.losses), time.perf_counter() - began, tuple(run.losses), tuple(run.scores)
    )


def _on_workers(
    network: nn.Module,
    workers: Workers,
    body: Callable[[Tell], tuple[dict[str, Tensor], TrainingLog]],
    extras: Extras,
    steps: int,
    title: str,
    on_step: Callable[[int, float], None] | None,
) -> TrainingLog:
    """The log of a run on other processes, whose weights `network` then has, in eval mode."""
    with _progress() as progress:
        task = progress.add_task(title, total=steps, loss=math.nan)

        def tell(name: str, step: int, value: float) -> None:
            if name == "loss":
                progress.update(task, completed=step, loss=value)
                if on_step is not None:
                    on_step(step, value)
            if extras.watch is not None:
                extras.watch(name, step, value)

        state, log = workers(body, tell)
    network.load_state_dict(state)
    network.eval()
    return log


def _in_team(
    network: nn.Module,
    batches: Iterable[T] | Seekable[T],
    loss: Callable[[nn.Module, P], Tensor],
    extras: Extras,
    tell: Tell,
    **options: Any,
) -> tuple[dict[str, Tensor], TrainingLog]:
    """The weights and the log of a run, as one worker of the team has them at the end."""
    torch.set_flush_denormal(True)
    log = fit(network, batches, loss, extras=replace(extras, watch=tell), **options)
    return network.state_dict(), log


def _from_step(batches: Iterable[T] | Seekable[T], step: int) -> Iterator[T]:
    """The batches from this step on; those before it are made and dropped where they must be."""
    if isinstance(batches, Seekable):
        return batches.from_step(step)
    return itertools.islice(_forever(batches), step, None)


def _checked(number: float, step: int, title: str) -> float:
    """The loss; TrainingError when it is not finite."""
    if not math.isfinite(number):
        message = f"{title}: the loss is {number} at step {step}; lower the learning rate"
        raise TrainingError(message)
    return number


def _progress(*, shown: bool = True) -> Progress:
    """A progress bar on standard error, where it does not mix with what a command prints."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not shown,
    )

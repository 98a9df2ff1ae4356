"""The one training loop that every recipe shares: a fixed number of steps, seeded, one cycle.

A recipe brings the network, an iterable of batches and a loss; the loop brings the optimiser
(AdamW), the learning-rate cycle, gradient clipping, an optional running average of the weights
(EMA) and a log. The length is a number of steps and never a time, so that a run can be repeated.
"""

from __future__ import annotations

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

T = TypeVar("T")

WARM_UP = 0.1


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """What a run did: one loss per step, in order, and how long it took on this machine."""

    steps: int
    seconds: float
    losses: tuple[float, ...] = field(repr=False)

    @property
    def final_loss(self) -> float:
        """The mean loss of the last tenth of the steps (of at least one)."""
        tail = self.losses[-max(1, len(self.losses) // 10) :]
        return sum(tail) / len(tail)


def one_cycle(step: int, steps: int) -> float:
    """The share of the full learning rate at `step` (from 0): linear up to 1, cosine down to 0."""
    warm = max(1, round(steps * WARM_UP))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


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
    batches: Iterable[T],
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
) -> TrainingLog:
    """The log of `steps` steps of AdamW; trains `network` in place and leaves it in eval mode.

    `batches` is repeated until the steps are done. `loss` takes the network, in the training mode
    that its own `train()` sets, and a batch, and returns a scalar. With `ema` (0.99 to 0.9999) the
    network ends with the running average of its weights instead of the last ones; the average
    warms up, so that short runs are not held at their random start. `on_step` gets the number of
    steps done and the loss. ValueError when the loss is no longer a number.
    """
    seed_everything(seed)
    network.train()
    groups = _parameter_groups(network, weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: one_cycle(step, steps))
    average = deepcopy(network) if ema is not None else None
    losses: list[float] = []
    began = time.perf_counter()
    source = _forever(batches)
    with _progress() as progress:
        task = progress.add_task(title, total=steps, loss=math.nan)
        for step in range(steps):
            optimizer.zero_grad(set_to_none=True)
            value = loss(network, next(source))
            value.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), clip)
            optimizer.step()
            schedule.step()
            losses.append(_checked(value, step, title))
            if average is not None and ema is not None:
                _follow(average, network, min(ema, (1 + step) / (10 + step)))
            progress.update(task, advance=1, loss=losses[-1])
            if on_step is not None:
                on_step(step + 1, losses[-1])
    if average is not None:
        network.load_state_dict(average.state_dict())
    network.eval()
    return TrainingLog(steps, time.perf_counter() - began, tuple(losses))


def _checked(value: Tensor, step: int, title: str) -> float:
    """The loss as a float; ValueError when it is not finite."""
    number = float(value.detach())
    if not math.isfinite(number):
        message = f"{title}: the loss is {number} at step {step}; lower the learning rate"
        raise ValueError(message)
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

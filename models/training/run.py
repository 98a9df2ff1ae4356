"""A training under way: the optimiser, the averages, what was best, and how all of it is kept."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch
from torch import Tensor, nn

from models.training.extras import SCHEDULES, Extras
from models.training.parallel import Team
from models.training.resume import (
    RunFile,
    load_optimizer,
    optimizer_tensors,
    packed,
    unpacked,
)


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


class Run:
    """A run under way in one process, alone or in a team; the first one judges and keeps it."""

    def __init__(
        self,
        network: nn.Module,
        steps: int,
        learning_rate: float,
        weight_decay: float,
        ema: float | None,
        extras: Extras,
        team: Team,
    ) -> None:
        self.network, self.steps, self.extras, self.ema = network, steps, extras, ema
        self.team = team
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
            score = self.team.from_first(partial(_judged, judged, extras.score))
            self.network.train()
            # Of equal scores the later one: it has learnt for longer.
            if score >= max((score for _, score in self.scores), default=score):
                self.best = {name: one.clone() for name, one in judged.state_dict().items()}
            self.scores.append((done, score))
            self._watch("score", score)
        if extras.keep is not None and self.team.leads:
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
        if self.extras.watch is not None and self.team.leads:
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
        keep = self.extras.keep
        found = None if keep is None else self.team.from_first(keep.read)
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


def _judged(network: nn.Module, score: Callable[[nn.Module], float]) -> float:
    network.eval()
    with torch.inference_mode():
        return score(network)

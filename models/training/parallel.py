"""Data-parallel training: every worker learns from its share of the same batch.

A team is whatever `torch.distributed` has joined; without it a process is a team of one. The loss
of a batch is the same mean however many share it: each worker's part counts by what its own mean
was divided by (`Division.weight`), gradients are summed, normalisation and random masks are those
of the whole batch (`models.training.joint`). So the weights of all workers stay the same, and are
those of one worker but for the order in which numbers are added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from models.training.errors import TrainingError
from models.training.joint import Share, joined_modules, present

R = TypeVar("R")

Tell = Callable[[str, int, float], None]
"""Takes a number of a run: its name, the steps done, the number."""


class Workers(Protocol):
    """Runs the same function in every process of a new team."""

    def __call__(self, body: Callable[[Tell], R], tell: Tell) -> R:
        """What `body` returns in the first process; what it tells there reaches `tell` here.

        Everything that `body` holds is copied to the processes, which may be elsewhere.
        """


Batch = TypeVar("Batch")
Part = TypeVar("Part")


def _rows(batch: Any) -> int:
    return len(batch[0])


def _part(batch: Any, rows: slice) -> Any:
    return tuple(one[rows] for one in batch)


def _itself(batch: Any) -> Any:
    return batch


@dataclass(frozen=True, slots=True)
class Division(Generic[Batch, Part]):
    """How a batch is divided among workers; by default it is a tuple of things of equal length.

    `rows` counts the examples, `part` takes some of them, `whole` all of them for a worker alone
    (a batch may be a promise of which a worker only makes its part). `weight` is what the loss of
    a part is divided by to be a mean: the number of examples, unless they count differently.
    """

    rows: Callable[[Batch], int] = _rows
    part: Callable[[Batch, slice], Part] = _part
    whole: Callable[[Batch], Part] = _itself
    weight: Callable[[Part], float] | None = None


BY_ROWS: Division[Any, Any] = Division()


@dataclass(frozen=True, slots=True)
class Team:
    """The processes that train together, and which of them this is."""

    rank: int = 0
    size: int = 1

    @classmethod
    def here(cls) -> Team:
        """The team that `torch.distributed` has joined, or this process alone."""
        if not (dist.is_available() and dist.is_initialized()):
            return cls()
        return cls(dist.get_rank(), dist.get_world_size())

    @property
    def leads(self) -> bool:
        """Whether this is the process that judges, keeps and tells."""
        return self.rank == 0

    def from_first(self, make: Callable[[], R]) -> R:
        """What `make` gives in the first process, in all of them."""
        if self.size == 1:
            return make()
        made: list[Any] = [make() if self.leads else None]
        dist.broadcast_object_list(made, src=0)
        return cast("R", made[0])

    @contextmanager
    def joined(self, network: nn.Module) -> Iterator[None]:
        """While the block runs, the network of every worker is as that of the first one.

        Its norms and masks are those of the whole batch; afterwards they are its own again.
        """
        if self.size == 1:
            yield
            return
        with torch.no_grad():
            for tensor in network.state_dict().values():
                dist.broadcast(tensor, src=0)
        with joined_modules(network):
            yield

    def learn(
        self,
        network: nn.Module,
        batch: Batch,
        loss: Callable[[nn.Module, Part], Tensor],
        division: Division[Batch, Part],
    ) -> float:
        """The loss of the whole batch, whose gradients the network's parameters then hold.

        TrainingError when there are fewer examples than workers.
        """
        if self.size == 1:
            value = loss(network, division.whole(batch))
            value.backward()  # type: ignore[no-untyped-call]
            return float(value.detach())
        share = self.share(division.rows(batch))
        part = division.part(batch, slice(share.start, share.stop))
        weigh = division.weight
        weight = float(share.stop - share.start) if weigh is None else weigh(part)
        with present(share):
            value = loss(network, part) * weight
            value.backward()  # type: ignore[no-untyped-call]
        trained = [one for one in network.parameters() if one.requires_grad]
        return _averaged(trained, value.detach(), weight)

    def share(self, rows: int) -> Share:
        """The rows of a batch that are this worker's: neighbours, as many as the others have."""
        if rows < self.size:
            message = f"a batch of {rows} is too small for {self.size} workers"
            raise TrainingError(message)
        return Share(rows * self.rank // self.size, rows * (self.rank + 1) // self.size, rows)

    def check_agreement(self, network: nn.Module) -> None:
        """TrainingError unless the network has the same weights in every process."""
        if self.size == 1:
            return
        digest = hashlib.sha256()
        for tensor in network.state_dict().values():
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, digest.hexdigest())
        if len(set(found)) > 1:
            message = "the workers ended with different weights: nothing of this run can be trusted"
            raise TrainingError(message)


def _averaged(parameters: Sequence[nn.Parameter], loss: Tensor, weight: float) -> float:
    """The mean of all workers' losses, which are sums; gradients become means, in one exchange.

    A parameter that no worker had a use for keeps no gradient, as with one worker.
    """
    used = torch.tensor([float(one.grad is not None) for one in parameters])
    grads = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
    told = torch.stack((loss, loss.new_tensor(weight)))
    flat = torch.cat([*(grad.flatten() for grad in grads), used.to(loss), told])
    dist.all_reduce(flat)
    whole = flat[-1].clamp_min(1e-12)
    sizes = [*(one.numel() for one in parameters), len(parameters), 2]
    *parts, used, told = torch.split(flat, sizes)
    for parameter, part, uses in zip(parameters, parts, used.tolist(), strict=True):
        parameter.grad = (part / whole).view_as(parameter) if uses else None
    return float(told[0] / whole)

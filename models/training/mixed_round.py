"""Mixed batches whose rows are made in groups, so that a worker makes no more than it learns from.

Mixing costs about as much as learning from the mixes. A mixer keeps events for further windows, so
its windows depend on those before; each group of rows has a mixer of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from models.training.sound_mix import Mixer

Batch = tuple[Tensor, Tensor]

GROUPS = 4
"""Into which a batch is divided, however many workers there are: more would mix less variedly."""


class MixedRound:
    """The batches of a round by number: samples (size, 1, hops * hop) and labels (size, hops).

    `mixer` makes the mixer of a group.
    """

    def __init__(self, mixer: Callable[[int], Mixer], size: int, hops: int) -> None:
        self.size = size
        borders = [size * group // GROUPS for group in range(GROUPS + 1)]
        self._groups = [
            _Group(first, last, mixer, group, hops)
            for group, (first, last) in enumerate(pairwise(borders))
            if first < last
        ]

    def batches(self) -> Iterator[MixedBatch]:
        """The batches in order, without end; nothing is mixed before it is wanted."""
        at = 0
        while True:
            yield MixedBatch(self, at)
            at += 1

    def rows(self, at: int, start: int, stop: int) -> Batch:
        """Some rows of the batch of that number; numbers never go back."""
        parts = [
            tuple(one[max(0, start - group.first) : stop - group.first] for one in group.made(at))
            for group in self._groups
            if group.first < stop and start < group.last
        ]
        samples, targets = (torch.cat(kind) for kind in zip(*parts, strict=True))
        return samples, targets


@dataclass(frozen=True, slots=True)
class MixedBatch:
    """A batch that is not made yet, or some of its rows."""

    round: MixedRound
    at: int

    def __len__(self) -> int:
        return self.round.size

    def part(self, rows: slice) -> Batch:
        """Those rows, mixed."""
        start, stop, _ = rows.indices(len(self))
        return self.round.rows(self.at, start, stop)


class _Group:
    """Rows `first` to `last` of every batch of a round."""

    def __init__(
        self, first: int, last: int, mixer: Callable[[int], Mixer], number: int, hops: int
    ) -> None:
        self.first, self.last = first, last
        self._mixer, self._number, self._hops = mixer, number, hops
        self._batches: Iterator[Batch] | None = None
        self._latest: tuple[int, Batch] | None = None

    def made(self, at: int) -> Batch:
        """The group's rows of the batch of that number, after those of all batches before."""
        if self._batches is None:
            size = self.last - self.first
            self._batches = self._mixer(self._number).batches(size, self._hops)
        done = -1 if self._latest is None else self._latest[0]
        for number in range(done + 1, at + 1):
            self._latest = (number, next(self._batches))
        assert self._latest is not None and self._latest[0] == at
        return self._latest[1]

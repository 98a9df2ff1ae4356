"""What packet sizes are usual while nothing moves, and whether a rate is held constant."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

RUNS = (4, 12, 1_000_000)
"""So many pictures of a kind in a row are looked at together, the last being the whole group."""
REMEMBERED = 40
"""So many still groups are the measure for the next one."""
LATELY = 12
"""Where it became stiller lately, so many are enough."""
LEAST_SPREAD = np.array([0.03, 0.02, 0.015])
"""Runs whose means agree better than this (as a logarithm) agree by chance."""
HEADERS_BYTES = 16
"""Of a picture in which nothing changes little more than its headers is left."""
RATE_GROUPS = 60
RATE_TOGETHER = 6
RATE_CONSTANT = 0.3
"""One in a thousand streams whose groups owe each other nothing is below."""

Logs = NDArray[np.float64]


class Level:
    """How many bytes pictures of one kind take in still groups, by their place in the group.

    Encoders spend bytes unevenly over a group, and alike in every group. What a group has above
    that, as a logarithm, is looked at over a few pictures and over many: a thing may be seen for
    a moment, or cost little in each picture.
    """

    def __init__(self, needed: int) -> None:
        self._needed = needed
        self._still: deque[Logs] = deque(maxlen=REMEMBERED)
        self._runs: deque[Logs] = deque(maxlen=REMEMBERED)
        self._usual: Logs = np.zeros(1)
        self._unused = 0

    def learn(self, sizes: Sequence[int]) -> None:
        """Takes a still group's sizes."""
        if not sizes:
            return
        logs = _logs(sizes)
        self._still.append(logs)
        self._runs.append(self._above(logs[None])[0])
        self._unused += 1
        # Medians of places are dear, and hardly change once there are many groups.
        if 8 * self._unused >= len(self._still):
            self._usual, self._unused = _usual(self._still), 0
            self._runs.clear()
            for _, alike in groupby(self._still, key=len):
                self._runs.extend(self._above(np.stack(list(alike))))

    def score(self, sizes: Sequence[int]) -> float | None:
        """So many spreads above stillness; None while that is not known, or without sizes."""
        if not sizes or len(self._still) < self._needed:
            return None
        runs = np.stack(self._runs)
        middle, spread = _middle(runs)
        lately, spread_lately = _middle(runs[-LATELY:])
        least = np.minimum(middle, lately)
        spread = np.minimum(spread, 2 * spread_lately)
        above = (self._above(_logs(sizes)[None])[0] - least) / np.maximum(spread, LEAST_SPREAD)
        return float(above.max())

    def _above(self, logs: Logs) -> Logs:
        """(groups, runs) how far each is above the usual, where it is so most, over each length."""
        count, size = logs.shape
        shared = min(size, self._usual.size)
        sums = np.zeros((count, size + 1))
        np.subtract(logs[:, :shared], self._usual[:shared], out=sums[:, 1 : shared + 1])
        np.subtract(logs[:, shared:], self._usual[-1], out=sums[:, shared + 1 :])
        np.cumsum(sums, axis=1, out=sums)
        lengths = [min(run, size) for run in RUNS]
        return np.stack([(sums[:, n:] - sums[:, :-n]).max(axis=1) / n for n in lengths], axis=1)


def _middle(runs: Logs) -> tuple[Logs, Logs]:
    """The median and the spread (as a standard deviation) of every column, outliers or not."""
    middle = _median(runs)
    return middle, 1.4826 * _median(np.abs(runs - middle))


def _median(rows: Logs) -> Logs:
    """The median of every column; NumPy's own takes ten times as long for so few."""
    ordered, count = np.sort(rows, axis=0), len(rows)
    return np.asarray((ordered[(count - 1) // 2] + ordered[count // 2]) / 2, np.float64)


def _logs(sizes: Sequence[int]) -> Logs:
    return np.log(np.asarray(sizes, np.float64) + HEADERS_BYTES)


def _usual(still: Sequence[Logs]) -> Logs:
    """The median of still groups in every place that half of them have."""
    shared = sorted(logs.size for logs in still)[len(still) // 2]
    long = [logs[:shared] for logs in still if logs.size >= shared]
    return _median(np.stack(long))


class Rate:
    """Whether an encoder pays back what a group took too much in the groups after it.

    Then sums of groups in a row vary less than those of unrelated groups would: the rate is held
    constant, and sizes say more about the rate than about the picture.
    """

    def __init__(self) -> None:
        self._rates: deque[float] = deque(maxlen=RATE_GROUPS)

    def add(self, mean_bytes: float) -> None:
        """Takes the mean size of a group's packets."""
        self._rates.append(mean_bytes)

    @property
    def constant(self) -> bool:
        """True when it is, as far as the last 60 groups tell; False while there are fewer."""
        if len(self._rates) < RATE_GROUPS:
            return False
        rates = np.array(self._rates)
        # One group unlike the others says nothing, and would outweigh them.
        middle = np.median(rates)
        most = 4 * np.median(np.abs(rates - middle))
        rates = np.clip(rates, middle - most, middle + most)
        sums = np.convolve(rates, np.ones(RATE_TOGETHER), "valid")
        return bool(np.var(sums) < RATE_CONSTANT * RATE_TOGETHER * np.var(rates))

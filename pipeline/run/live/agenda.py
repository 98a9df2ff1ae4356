"""Which streams are to be looked at now: what a round costs grows with these alone."""

from __future__ import annotations

import math
from heapq import heappop, heappush


class Agenda:
    """Names of streams of which something came, and of those whose time has come.

    A stream has one time at most, the earliest of those that were said since it was last taken.
    """

    def __init__(self) -> None:
        self._touched: dict[str, None] = {}
        self._times: list[tuple[float, str]] = []
        self._due: dict[str, float] = {}

    def touch(self, name: str) -> None:
        """The stream is to be looked at as soon as possible."""
        self._touched[name] = None

    def at(self, name: str, due: float) -> None:
        """The stream is to be looked at by then, should nothing come of it before."""
        if due < self._due.get(name, math.inf):
            self._due[name] = due
            heappush(self._times, (due, name))

    def take(self, now: float) -> list[str]:
        """Each stream that is to be looked at `now`, once, in the order of their coming."""
        while self._times and self._times[0][0] <= now:
            due, name = heappop(self._times)
            if self._due.get(name) == due:  # else an earlier time was said since
                del self._due[name]
                self._touched[name] = None
        taken, self._touched = list(self._touched), {}
        return taken

    def forget(self, name: str) -> None:
        """Nobody is to look at a stream that is no more."""
        self._touched.pop(name, None)
        self._due.pop(name, None)

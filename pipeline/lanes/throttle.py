"""Fewer pictures when there is too much to do: how many to keep, and which."""

from __future__ import annotations

import math
from fractions import Fraction

MOST_LEVEL = 4
"""One frame in sixteen is kept at the least."""
CALM_S = 4.0
"""Soon: a start, when all streams come at once and networks are cold, is no load that stays."""
MOST_PATIENCE = 32


class Throttle:
    """Keeps the first sampled frame of every 2^level cells of the lane's sampling grid.

    Cells are anchored at media time 0, as the sampler's are, so a higher level keeps a part of
    what a lower one keeps, and a source slower than the rate is thinned out just as evenly.
    """

    def __init__(self, rate_hz: float) -> None:
        if not rate_hz > 0:
            message = f"a sampling rate is above 0 Hz, not {rate_hz}"
            raise ValueError(message)
        self._rate = Fraction(rate_hz).limit_denominator(10_000)
        self._level = 0
        self._kept: int | None = None

    def set_level(self, level: int) -> None:
        """From now on one in 2^`level`; ValueError when it is below 0."""
        if level < 0:
            message = f"a throttle's level is 0 or more, not {level}"
            raise ValueError(message)
        self._level = level

    def wants(self, time: Fraction) -> bool:
        """True for a sampled frame that is kept; times come in order, never two in one cell."""
        cell = math.floor(time * self._rate)
        if self._kept is not None and cell >> self._level == self._kept >> self._level:
            return self._level == 0
        self._kept = cell
        return True


class Governor:
    """Moves a throttle's level by how full the queue behind it is: up quickly, down slowly.

    `fill` is 0 for an empty queue and 1 for a full one. From `high` on the level rises, at most
    once in `rise_s`, and not while the queue gets shorter; after `calm_s` at `low` or below it
    falls by one. A fall that is followed by a rise within that time was too early: the next one
    waits twice as long, up to 32 times `calm_s`, and as long as at first again once all is calm at
    level 0. So a level is left and come back to no more than once in `calm_s`, and a load that
    stays is tested ever more rarely.
    """

    def __init__(
        self,
        *,
        high: float = 0.75,
        low: float = 0.25,
        rise_s: float = 1.0,
        calm_s: float = CALM_S,
        most: int = MOST_LEVEL,
    ) -> None:
        if not 0 <= low < high:
            message = f"a governor needs 0 <= low < high, not low={low}, high={high}"
            raise ValueError(message)
        self.level = 0
        self._high = high
        self._low = low
        self._rise_s = rise_s
        self._calm_s = calm_s
        self._most = most
        self._patience_s = calm_s
        self._asked_at = -math.inf
        self._fill_then = 0.0
        self._fell_at = -math.inf
        self._calm_since: float | None = None

    def update(self, fill: float, now: float) -> int:
        """The level to use, given how full the queue is at `now`, in seconds of a steady clock."""
        if fill > self._low:
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = now
        if fill >= self._high:
            self._rise(fill, now)
        elif self._calm_since is not None and now - self._calm_since >= self._patience_s:
            self._fall(now)
        return self.level

    def _rise(self, fill: float, now: float) -> None:
        if self.level == self._most or now - self._asked_at < self._rise_s:
            return
        drains = fill < self._fill_then
        self._asked_at, self._fill_then = now, fill
        if drains:
            return
        if now - self._fell_at < self._patience_s:
            self._patience_s = min(2 * self._patience_s, MOST_PATIENCE * self._calm_s)
        self.level += 1

    def _fall(self, now: float) -> None:
        self._calm_since = now
        if self.level == 0:
            self._patience_s = self._calm_s
            return
        self.level -= 1
        self._fell_at, self._fill_then = now, 0.0

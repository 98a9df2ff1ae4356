"""When packets arrive, by the clocks of this machine."""

from __future__ import annotations

import time
from fractions import Fraction

CLOCK_SET_S = 0.5
"""Wall and steady clock that part by more were parted by somebody who set the wall clock."""
PAUSE_S = 1.0
MOST_AHEAD_S = 10
"""A source's time goes ahead of its arrival by less than that, and by the pauses lately."""


class Arrivals:
    """Notes when packets come: in wall time, and after which pauses."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()
        self._paused_s, self._paused_until = 0.0, 0.0

    def wall(self) -> tuple[float, float]:
        """The wall time, and by how much somebody set that clock since it was last asked for."""
        now = time.time()
        ahead = now - time.monotonic()
        set_by = ahead - self._ahead
        if abs(set_by) <= CLOCK_SET_S:
            return now, 0.0
        self._ahead = ahead
        return now, set_by

    def longest_jump(self, before: float, at: float) -> Fraction:
        """How far ahead the source's time may jump: no further than there was time for, and some.

        `before` and `at` are when the last two packets came, by the steady clock.
        """
        if at - before > PAUSE_S:
            self._paused_s, self._paused_until = at - before, at
        recent = at - self._paused_until < MOST_AHEAD_S
        return Fraction(MOST_AHEAD_S + (int(self._paused_s) if recent else 0))

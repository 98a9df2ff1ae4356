"""Which frames a lane looks at, decided by time alone, before any pixel is converted."""

from __future__ import annotations

import math
from fractions import Fraction


class RateSampler:
    """Lets through the first frame of every 1 / `rate_hz` seconds of media time.

    The grid is anchored at media time 0, so the choice depends on nothing but the frame's own
    time and holds for variable frame rates. A source slower than the rate is passed whole.
    """

    def __init__(self, rate_hz: float) -> None:
        if not rate_hz > 0:
            message = f"a sampling rate is above 0 Hz, not {rate_hz}"
            raise ValueError(message)
        self._rate = Fraction(rate_hz).limit_denominator(10_000)
        self._cell: int | None = None

    def wants(self, time: Fraction) -> bool:
        """True for the first frame in its cell of the grid; times come in order."""
        cell = math.floor(time * self._rate)
        if cell == self._cell:
            return False
        self._cell = cell
        return True

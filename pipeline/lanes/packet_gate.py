"""Gates that look at no picture: the bytes that pictures take, or the motion that codecs tell."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from pipeline.config.base import Seconds, StrictModel
from pipeline.lane import Gate
from pipeline.records import Frame

REMEMBERED = 600
"""So many sampled frames are the measure: two minutes at 5 Hz."""
CALIBRATING = 40
TOGETHER = 3
"""So many of them in a row are looked at together."""
LEAST_LOG_SPREAD = 0.03
LEAST_AREA_SPREAD = 0.0005
HEADERS_BYTES = 16
# Where 30 % and 5 % of normally distributed values lie, in standard deviations.
AT_30, AT_5 = -0.5244, -1.6449


class PacketGateConfig(StrictModel):
    """Withholds frames while pictures take no more bytes than usual; nothing is looked at.

    Only whole groups can be judged well, and a live frame is judged before its group has ended: so
    it sees less than a scan of files does, and less than `motion`. A frame passes when lately
    pictures took more than usual by `spreads` times what varies anyway, for `hold_s` after that,
    and every `heartbeat_s` in any case; and all of them while there is no measure yet.
    """

    kind: Literal["packets"] = "packets"
    spreads: Annotated[float, Field(gt=0, le=100)] = 4.0
    hold_s: Seconds = 2.0
    heartbeat_s: Annotated[float, Field(gt=0, le=3600)] = 10.0

    def build(self) -> Callable[[], Gate]:
        """Makes a new gate for each stream."""
        return partial(PacketGate, self.spreads, self.hold_s, self.heartbeat_s)


class VectorGateConfig(StrictModel):
    """Withholds frames while no more of the picture moves than usual, as its motion vectors tell.

    H.264, MPEG-4 and MPEG-2 have such vectors; where there are none every frame passes. Otherwise
    as `packets`.
    """

    kind: Literal["vectors"] = "vectors"
    spreads: Annotated[float, Field(gt=0, le=100)] = 4.0
    hold_s: Seconds = 2.0
    heartbeat_s: Annotated[float, Field(gt=0, le=3600)] = 10.0

    def build(self) -> Callable[[], Gate]:
        """Makes a new gate for each stream."""
        return partial(VectorGate, self.spreads, self.hold_s, self.heartbeat_s)


class _UsualGate(ABC):
    """Passes what is above the usual, and holds; the usual is what most quiet frames had.

    It is told from the lower half of the values, so that activity up to half of the time does not
    become the usual.
    """

    def __init__(self, spreads: float, hold_s: float, heartbeat_s: float) -> None:
        self._spreads = spreads
        self._hold = Fraction(hold_s).limit_denominator(1_000_000)
        self._heartbeat = Fraction(heartbeat_s).limit_denominator(1_000_000)
        self._values: deque[float] = deque(maxlen=REMEMBERED)
        self._moved: Fraction | None = None
        self._passed: Fraction | None = None

    def wants(self, frame: Frame) -> bool:
        """True when it is busier than usual, or one before was, or nobody knows, or it is time."""
        now = frame.pts * frame.time_base
        if self._busy(frame):
            self._moved = now
        held = self._moved is not None and now - self._moved <= self._hold
        if held or self._passed is None or now - self._passed >= self._heartbeat:
            self._passed = now
            return True
        return False

    def _above(self, value: float, least_spread: float) -> bool:
        """Takes a value; True when it and those just before it are above the usual."""
        self._values.append(value)
        if len(self._values) < CALIBRATING:
            return True
        values = np.array(self._values)
        low, lowest = np.quantile(values, [0.3, 0.05])
        spread = max((low - lowest) / (AT_30 - AT_5), least_spread)
        usual = low - AT_30 * spread
        lately = values[-TOGETHER:].mean()
        return bool(lately > usual + self._spreads * spread / math.sqrt(TOGETHER))

    @abstractmethod
    def _busy(self, frame: Frame) -> bool:
        """True when the frame is above the usual."""


class PacketGate(_UsualGate):
    """Goes by the mean size of the predicted pictures between one sampled frame and the next."""

    _before: tuple[int, int] | None = None

    def _busy(self, frame: Frame) -> bool:
        before, self._before = self._before, (frame.index, frame.read_bytes)
        if before is None or frame.index <= before[0] or frame.read_bytes <= before[1]:
            return True
        mean = (frame.read_bytes - before[1]) / (frame.index - before[0])
        return self._above(math.log(mean + HEADERS_BYTES), LEAST_LOG_SPREAD)


class VectorGate(_UsualGate):
    """Goes by the share of the picture that moves; a key frame tells nothing of its own."""

    _told = False

    def _busy(self, frame: Frame) -> bool:
        if frame.moving is None:
            return not self._told
        self._told = True
        return self._above(frame.moving, LEAST_AREA_SPREAD)

"""Media time against wall time, for live sources: when things happened, and how late they come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

TIE_STEP_S = 0.05
"""A tie is made anew when wall time has strayed so far from it."""
# Two clocks drift apart by up to 100 millionths: the promptest packet of long ago is no measure.
LEAK = 1e-4
# Times of one medium that step back or ahead by more are of a source whose clock was set.
SET_BACK_S, SET_AHEAD_S = Fraction(1), Fraction(3)
ODD_PACKETS = 25
"""After so many packets at an odd time, that is what the time is."""


@dataclass(frozen=True, slots=True)
class Tie:
    """A media time and the wall time (seconds since 1970) at which it arrived here."""

    media: Fraction
    wall_s: float

    def wall_of(self, media: Fraction) -> float:
        """The wall time of another media time near this one."""
        return self.wall_s + float(media - self.media)


class Lateness:
    """Ties media time to wall time by the promptest packets, and says when to jump to live.

    `epoch_s` is the wall time of media time 0. The promptest packet of a connection counts as not
    late at all; what comes later than that, against its own clock, is late. When that clock is set,
    all is measured anew.
    """

    def __init__(self, epoch_s: float | None = None, max_lag_s: float | None = None) -> None:
        self.epoch_s = epoch_s
        self.late_s = 0.0
        self.tie: Tie | None = None
        self._max_lag_s = max_lag_s
        self._floor: float | None = None
        self._noted_at = 0.0
        self._jumping: set[str] = set()
        self._latest: dict[str, tuple[Fraction, float]] = {}
        self._odd = 0

    def begins(self, now: float, reached: Fraction) -> Fraction:
        """The media time of a connection's first packet, which came at `now`; a new beginning."""
        self._measure_anew()
        if self.epoch_s is None:
            self.epoch_s = now - float(reached)
        return max(reached, Fraction(round((now - self.epoch_s) * 1000), 1000))

    def among(self, times: Iterable[Fraction], now: float, kind: str) -> Fraction | None:
        """The one of these that is a packet's media time, going by the one before it; or None.

        When a source's clock was set, it takes a packet or two until it is known by how much. An
        odd time that stays is believed, and all is measured anew.
        """
        told = list(times)
        before, at = self._latest.get(kind, (None, now))
        for media in told:
            if before is None or -SET_BACK_S <= media - before <= SET_AHEAD_S + int(now - at):
                self._odd = 0
                return media
        self._odd += 1
        if self._odd < ODD_PACKETS:
            return None
        self._measure_anew()
        return told[0]

    def note(self, media: Fraction, now: float, kind: str, *, keyframe: bool) -> bool:
        """Takes a packet's media time and arrival; False when it should not even be decoded.

        Behind by more than `max_lag_s`, packets are jumped over until they are prompt enough
        again and, for pictures, one comes that needs no other.
        """
        self._latest[kind] = (media, now)
        late = now - (self.epoch_s or 0.0) - float(media)
        leaked = LEAK * max(0.0, now - self._noted_at)
        self._floor = late if self._floor is None else min(self._floor + leaked, late)
        self._noted_at = now
        self.late_s = late - self._floor
        wall = now - self.late_s
        if self.tie is None or abs(self.tie.wall_of(media) - wall) > TIE_STEP_S:
            self.tie = Tie(media, wall)
        return self._prompt(kind, keyframe=keyframe)

    def _measure_anew(self) -> None:
        self._floor = None
        self._jumping.clear()
        self._latest.clear()
        self._odd = 0

    def clock_was_set(self, by_s: float) -> None:
        """Takes note that this machine's clock was set ahead, or back, by so much."""
        if self.epoch_s is not None:
            self.epoch_s += by_s
        self._noted_at += by_s
        self._latest = {kind: (media, at + by_s) for kind, (media, at) in self._latest.items()}
        self.tie = None

    def early_s(self, media: Fraction, now: float) -> float:
        """How long to wait until `media` is due, for a file that is played at its own pace."""
        return max(0.0, float(media) - (now - (self.epoch_s if self.epoch_s else now)))

    def _prompt(self, kind: str, *, keyframe: bool) -> bool:
        if self._max_lag_s is None:
            return True
        if self.late_s > self._max_lag_s:
            self._jumping |= {"video", "audio"}
        elif kind in self._jumping and self.late_s < self._max_lag_s / 2 and keyframe:
            self._jumping.discard(kind)
        return kind not in self._jumping

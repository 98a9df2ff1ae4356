"""From a source's own time to media time: one shift for all its media, through resets and wraps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from av.packet import Packet
from av.stream import Stream

from pipeline.records import Gap, Medium, Span

# Up to here a step back is jitter of the muxer; beyond it the source has started anew.
RESET_S = Fraction(1)
# No outage is told apart from nonsense beyond a day: the clock starts anew instead.
LONGEST_JUMP_S = Fraction(24 * 3600)
# A leap ahead beyond this is believed when the next pts confirms it: damaged pts come alone.
DOUBTED_JUMP_S = Fraction(10)
# After a reset the other medium may begin a little before the one that was seen first.
RESET_SLACK_S = Fraction(1, 2)
# MPEG-TS counts pts in 33 bits of 1/90000 s; a wrap is met at most so far from where it is due.
WRAP_S = Fraction(2**33, 90_000)
WRAP_TOLERANCE_S = Fraction(1)


class Anchor:
    """The shift from a source's own time to media time, shared by the clocks of its media.

    `begin` is the media time at which the source begins: 0, but for a live one that came back.
    Times that leap ahead by more than `longest_jump` are of a clock that was set.
    """

    def __init__(self, origin: Fraction | None) -> None:
        self.begin = Fraction(0)
        self.longest_jump = LONGEST_JUMP_S
        self.origin = origin
        self.shifts = [-origin] if origin is not None else []
        self._ends: list[Callable[[], Fraction]] = []

    def begin_at(self, begin: Fraction, source_time: Fraction) -> None:
        """Moves all that comes: `source_time` shall be `begin`. Before anything is placed."""
        self.begin = begin
        self.shifts[:] = [begin - source_time]

    def join(self, end: Callable[[], Fraction]) -> None:
        """Adds a clock; `end` tells how far it has come."""
        self._ends.append(end)

    def restart(self, source_time: Fraction) -> int:
        """The number of a new shift, under which `source_time` follows all that came so far."""
        furthest = max([self.begin, *(end() for end in self._ends)])
        slack = RESET_SLACK_S if len(self._ends) > 1 and self.shifts else Fraction(0)
        self.shifts.append(furthest + slack - source_time)
        return len(self.shifts) - 1


@dataclass(frozen=True, slots=True)
class Placed:
    """A moment in media time, and the gap before it, if there is one."""

    time: Fraction
    gap: Gap | None


class Placer:
    """Puts the source's own times into media time for one medium, resets and wraps included."""

    def __init__(self, medium: Medium, anchor: Anchor, end: Callable[[], Fraction]) -> None:
        anchor.join(end)
        self.doubted = 0
        self.suspect: Fraction | None = None
        self._medium = medium
        self._anchor = anchor
        self._shift = 0
        self._leap = DOUBTED_JUMP_S

    @property
    def shift(self) -> Fraction:
        """What is added to the source's own time now."""
        shifts = self._anchor.shifts
        return shifts[self._shift] if shifts else Fraction(0)

    def place(self, source_time: Fraction, end: Fraction | None) -> Placed:
        """Where `source_time` lies; `end` is where this medium has come so far, None at first.

        The time may lie up to RESET_S before `end`: what to do then differs by medium. A pts that
        leaps far in either direction is taken for damaged, and its item for the next one in
        order, unless the pts after it goes on from there.
        """
        if not self._anchor.shifts:
            self._shift = self._anchor.restart(source_time)
        time = source_time + self._anchor.shifts[self._shift]
        before = self._anchor.begin if end is None else end
        ahead = time - before
        suspect, self.suspect = self.suspect, None
        if -RESET_S <= ahead <= self._leap:
            return Placed(time, None)
        if end is not None and (suspect is None or source_time < suspect):
            self.suspect = source_time
            self.doubted += 1
            return Placed(before, None)
        if self._fits(time, before):
            self._leap = max(self._leap, 2 * ahead)
            return Placed(time, None)
        return self._anew(source_time, time, before)

    def _fits(self, time: Fraction, before: Fraction) -> bool:
        return -RESET_S <= time - before <= self._anchor.longest_jump

    def _anew(self, source_time: Fraction, time: Fraction, before: Fraction) -> Placed:
        shifts, now = self._anchor.shifts, self._anchor.shifts[self._shift]
        jump = float(time - before)
        # The other medium may have met the same reset already: then its shift is right here too.
        for number in range(self._shift + 1, len(shifts)):
            if self._fits(source_time + shifts[number], before):
                self._shift = number
                return self._restarted(source_time, before, jump, abs(shifts[number] - now))
        for wraps in (WRAP_S, -WRAP_S):
            if abs(time + wraps - before) <= WRAP_TOLERANCE_S:
                shifts.append(now + wraps)
                self._shift = len(shifts) - 1
                return self._restarted(source_time, before, jump, WRAP_S)
        self._shift = self._anchor.restart(source_time)
        return self._restarted(source_time, before, jump, Fraction(0))

    def _restarted(
        self, source_time: Fraction, before: Fraction, jump: float, moved: Fraction
    ) -> Placed:
        time = source_time + self._anchor.shifts[self._shift]
        if moved == WRAP_S:
            return Placed(time, None)
        reason = f"the source's clock jumped by {jump:.3f} s and was started anew"
        return Placed(time, Gap(self._medium, Span(before, max(before, time)), reason))


def first_ticks(packet: Packet[Stream]) -> int:
    """When a connection's first packet is shown, in ticks of its stream."""
    if packet.pts is not None:
        return packet.pts
    if packet.dts is not None:
        return packet.dts
    # RTSP often tells no time of it: it lies before the first one that has a time.
    start = packet.stream.start_time
    return 0 if start is None else start - (packet.duration or 0)

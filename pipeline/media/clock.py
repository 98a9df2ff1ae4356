"""Exact media time from what containers write: pts that are missing, jump, wrap or start anew.

Three things are kept for every stream: media time never runs backwards, it never drifts from the
source's own pts, and video and audio are shifted by the same amount when their source starts anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd, lcm

from pipeline.records import Gap, Medium, Span

MAX_GAP_S = Fraction(1)
# Up to here a step back is jitter of the muxer; beyond it the source has started anew.
RESET_S = Fraction(1)
# No outage is told apart from nonsense beyond a day: the clock starts anew instead.
LONGEST_JUMP_S = Fraction(24 * 3600)
# A leap ahead beyond this is believed when the next pts confirms it: damaged pts come alone.
DOUBTED_JUMP_S = Fraction(10)
# How far decoded sound may stray from its pts; containers round pts to a millisecond or two.
AUDIO_TOLERANCE_S = Fraction(1, 20)
# After a reset the other medium may begin a little before the one that was seen first.
RESET_SLACK_S = Fraction(1, 2)
# MPEG-TS counts pts in 33 bits of 1/90000 s.
WRAP_S = Fraction(2**33, 90_000)
FALLBACK_RATE = Fraction(25)


def in_ticks(span: Span, time_base: Fraction) -> tuple[int, int, Fraction]:
    """(pts, duration, time base) of the span; the base is refined where it would not be exact."""
    base = time_base
    for length in (span.start, span.duration):
        if (length / base).denominator != 1:
            denominator = lcm(base.denominator, length.denominator)
            base = Fraction(gcd(int(base * denominator), int(length * denominator)), denominator)
    return int(span.start / base), int(span.duration / base), base


class Anchor:
    """The shift from a source's own time to media time, shared by the clocks of its media."""

    def __init__(self, origin: Fraction | None) -> None:
        self.shifts = [-origin] if origin is not None else []
        self.furthest = Fraction(0)
        self.media = 0

    def join(self) -> None:
        """Tells it of one more clock."""
        self.media += 1

    def reached(self, media_time: Fraction) -> None:
        """Tells it how far one of the clocks has come."""
        self.furthest = max(self.furthest, media_time)

    def restart(self, source_time: Fraction) -> int:
        """The number of a new shift, under which `source_time` follows all that came so far."""
        slack = RESET_SLACK_S if self.media > 1 and self.shifts else Fraction(0)
        self.shifts.append(self.furthest + slack - source_time)
        return len(self.shifts) - 1


@dataclass(frozen=True, slots=True)
class Placed:
    """A moment in media time, and the gap before it, if there is one."""

    time: Fraction
    gap: Gap | None


class Placer:
    """Puts the source's own times into media time for one medium, resets and wraps included."""

    def __init__(self, medium: Medium, anchor: Anchor) -> None:
        anchor.join()
        self.doubted = 0
        self._medium = medium
        self._anchor = anchor
        self._shift = 0
        self._suspect: Fraction | None = None
        self._leap = DOUBTED_JUMP_S

    def place(self, source_time: Fraction, end: Fraction | None) -> Placed:
        """Where `source_time` lies; `end` is where this medium has come so far, None at first.

        The time may lie up to RESET_S before `end`: what to do then differs by medium. A pts that
        leaps far in either direction is taken for damaged, and its item for the next one in
        order, unless the pts after it goes on from there.
        """
        if not self._anchor.shifts:
            self._shift = self._anchor.restart(source_time)
        time = source_time + self._anchor.shifts[self._shift]
        before = Fraction(0) if end is None else end
        ahead = time - before
        suspect, self._suspect = self._suspect, None
        if -RESET_S <= ahead <= self._leap:
            return Placed(time, None)
        if end is not None and (suspect is None or source_time < suspect):
            self._suspect = source_time
            self.doubted += 1
            return Placed(before, None)
        if self._fits(time, before):
            self._leap = max(self._leap, 2 * ahead)
            return Placed(time, None)
        return self._anew(source_time, time, before)

    @staticmethod
    def _fits(time: Fraction, before: Fraction) -> bool:
        return -RESET_S <= time - before <= LONGEST_JUMP_S

    def _anew(self, source_time: Fraction, time: Fraction, before: Fraction) -> Placed:
        shifts, now = self._anchor.shifts, self._anchor.shifts[self._shift]
        jump = float(time - before)
        # The other medium may have met the same reset already: then its shift is right here too.
        for number in range(self._shift + 1, len(shifts)):
            if self._fits(source_time + shifts[number], before):
                self._shift = number
                return self._restarted(source_time, before, jump, abs(shifts[number] - now))
        for wraps in (WRAP_S, -WRAP_S):
            if abs(time + wraps - before) <= MAX_GAP_S:
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


class VideoClock:
    """Exact, gapless times of pictures, each known when the next picture has come.

    A picture is shown until the next one, whatever the container claims of its duration; where
    that would be longer than `max_gap_s` it keeps the claimed duration and a Gap follows it.
    Pictures that a muxer put a little out of order get empty spans.
    """

    def __init__(
        self,
        time_base: Fraction,
        rate: Fraction | None,
        anchor: Anchor,
        *,
        max_gap_s: Fraction = MAX_GAP_S,
    ) -> None:
        self._source_base = time_base
        self._usual = 1 / (rate or FALLBACK_RATE)
        self._placer = Placer("video", anchor)
        self._anchor = anchor
        self._max_gap = max_gap_s
        self._start: Fraction | None = None
        self._claimed = Fraction(0)
        self._end: Fraction | None = None

    @property
    def doubted(self) -> int:
        """How many pts were taken for damaged."""
        return self._placer.doubted

    def push(self, pts: int | None, duration: int | None) -> tuple[Span | None, Gap | None]:
        """When the picture *before* this one was shown (None at first), and the gap after it.

        `pts` and `duration` are in the source's ticks; None or 0 where it does not say.
        """
        claimed = (duration or 0) * self._source_base or self._usual
        expected = None if self._start is None else self._start + self._claimed
        if pts is None:
            time, gap = (Fraction(0) if expected is None else expected), None
        else:
            placed = self._placer.place(pts * self._source_base, expected)
            time, gap = max(placed.time, self._start or Fraction(0)), placed.gap
        shown = None
        if self._start is not None and expected is not None:
            if gap is None and time - self._start > max(self._max_gap, 2 * self._claimed):
                gap = Gap("video", Span(expected, time), "the source's pts jumped ahead")
            end = min(time, expected) if gap else time
            shown = Span(self._start, end)
        self._start, self._claimed = time, claimed
        self._anchor.reached(time + claimed)
        return shown, gap

    def flush(self) -> Span | None:
        """When the last picture was shown, by its claimed duration; None if there was none."""
        if self._start is None:
            return None
        span = Span(self._start, self._start + self._claimed)
        self._start = None
        return span


@dataclass(frozen=True, slots=True)
class Sounded:
    """Where decoded samples lie: in which run, from which of its samples on.

    The first `skip` of them lie before what has sounded already and are not to be used.
    """

    origin: Fraction
    first_sample: int
    skip: int
    gap: Gap | None


class AudioClock:
    """Unbroken runs of sound, in which the samples are counted and the pts only watched.

    Sound that strays from its pts by more than 50 ms starts a new run: with a Gap before it when
    sound is missing; when sound comes twice, what overlaps is skipped.
    """

    def __init__(self, time_base: Fraction, anchor: Anchor) -> None:
        self._source_base = time_base
        self._placer = Placer("audio", anchor)
        self._anchor = anchor
        self._origin: Fraction | None = None
        self._samples = 0
        self._rate = 0
        self._overlapped = 0

    @property
    def doubted(self) -> int:
        """How many pts were taken for damaged."""
        return self._placer.doubted

    @property
    def _end(self) -> Fraction | None:
        if self._origin is None:
            return None
        return self._origin + Fraction(self._samples, self._rate)

    def push(self, pts: int | None, samples: int, rate: int) -> Sounded:
        """Where these samples lie. `pts` in the source's ticks, None where it does not say."""
        end = self._end
        before = Fraction(0) if end is None else end
        placed = Placed(before, None)
        if pts is not None:
            placed = self._placer.place(pts * self._source_base, end)
        ahead, gap, skip = placed.time - before, placed.gap, 0
        if ahead < -AUDIO_TOLERANCE_S:
            skip = min(samples, ceil(-ahead * rate))
            self._overlapped += skip
        elif ahead > AUDIO_TOLERANCE_S and end is not None:
            gap = gap or Gap("audio", Span(before, placed.time), "sound is missing")
        if skip < samples and self._overlapped and gap is None:
            reason = f"{self._overlapped} samples came twice and were left out"
            gap = Gap("audio", Span(before, before), reason)
        if skip < samples:
            self._overlapped = 0
        if end is None or gap is not None or rate != self._rate:
            self._origin, self._samples, self._rate = max(before, placed.time), 0, rate
        first = self._samples
        self._samples += samples - skip
        origin = self._origin or Fraction(0)
        self._anchor.reached(origin + Fraction(self._samples, rate))
        return Sounded(origin, first, skip, gap)

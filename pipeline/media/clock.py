"""Exact media time from what containers write: pts that are missing, jump, wrap or start anew.

Three things are kept for every stream: media time never runs backwards, it never drifts from the
source's own pts, and video and audio are shifted by the same amount when their source starts anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd, lcm

from pipeline.media.anchor import DOUBTED_JUMP_S, RESET_S, Anchor, Placed, Placer
from pipeline.records import Gap, Span

MAX_GAP_S = Fraction(1)
# How far decoded sound may stray from its pts; containers round pts to a millisecond or two.
AUDIO_TOLERANCE_S = Fraction(1, 20)
_SURE_S = 0.049
FALLBACK_RATE = Fraction(25)


def common_tick(*lengths: Fraction) -> Fraction:
    """The longest tick of which each of these is a whole number; zeros are ignored."""
    present = [abs(length) for length in lengths if length]
    denominator = lcm(*(length.denominator for length in present))
    return Fraction(gcd(*(int(length * denominator) for length in present)), denominator)


@dataclass(frozen=True, slots=True)
class Shown:
    """When a picture is shown: `pts` and `duration` count ticks of so many seconds."""

    pts: int
    duration: int
    tick: Fraction


class VideoClock:
    """Exact, gapless times of pictures, each known when the next picture has come.

    A picture is shown until the next one, whatever the container claims of its duration; where
    that would be longer than `max_gap_s` it keeps the claimed duration and a Gap follows it.
    Pictures that a muxer put a little out of order get empty spans. The tick is as fine as the
    source's time base, its rate and media time 0 need it together.
    """

    def __init__(
        self,
        time_base: Fraction,
        rate: Fraction | None,
        anchor: Anchor,
        *,
        max_gap_s: Fraction = MAX_GAP_S,
    ) -> None:
        self._anchor = anchor
        self._placer = Placer("video", anchor, self._end)
        self._placed = False
        self._source_base = time_base
        self._usual_s = 1 / (rate or FALLBACK_RATE)
        self._max_gap_s = max_gap_s
        self._start: int | None = None
        self._claimed = 0
        self._tick = common_tick(time_base, self._usual_s)
        self._use(Fraction(0))

    @property
    def doubted(self) -> int:
        """How many pts were taken for damaged."""
        return self._placer.doubted

    def push(self, pts: int | None, duration: int | None) -> tuple[Shown | None, Gap | None]:
        """When the picture *before* this one was shown (None at first), and the gap after it.

        `pts` and `duration` are in the source's ticks; None or 0 where it does not say.
        """
        time, gap = self._time_of(pts)
        shown = None
        if self._start is not None:
            time = max(time, self._start)
            expected = self._start + self._claimed
            if gap is None and time - self._start > max(self._max_gap, 2 * self._claimed):
                hole = Span(expected * self._tick, time * self._tick)
                gap = Gap("video", hole, "the source's pts jumped ahead")
            end = min(time, expected) if gap else time
            shown = Shown(self._start, end - self._start, self._tick)
        self._start = max(time, 0)
        self._claimed = duration * self._scale if duration else self._usual
        if self._claimed > self._max_gap:  # no longer than there is time for
            self._claimed = min(self._claimed, int(self._anchor.longest_jump / self._tick))
        return shown, gap

    def flush(self) -> Shown | None:
        """When the last picture was shown, by its claimed duration; None if there was none."""
        if self._start is None:
            return None
        shown = Shown(self._start, self._claimed, self._tick)
        self._start = None
        return shown

    def _end(self) -> Fraction:
        return Fraction(0) if self._start is None else (self._start + self._claimed) * self._tick

    def _time_of(self, pts: int | None) -> tuple[int, Gap | None]:
        if pts is None:
            if self._start is None:
                return int(self._anchor.begin / self._tick), None
            return self._start + self._claimed, None
        time = pts * self._scale + self._offset
        if self._placed and self._start is not None:
            ahead = time - self._start - self._claimed
            # Nearly all pictures: whole numbers only, for this is done for each of them.
            if self._calm[0] <= ahead <= self._calm[1]:
                self._placer.suspect = None
                return time, None
        end = None if self._start is None else self._end()
        if end is not None and self._placed and time >= (self._start or 0):
            end = min(end, time * self._tick)  # before a claimed end is not before the picture
        placed = self._placer.place(pts * self._source_base, end)
        self._placed = True
        self._use(self._placer.shift)
        return int(placed.time / self._tick), placed.gap

    def _use(self, shift: Fraction) -> None:
        """Makes the tick fine enough for this shift, and puts all lengths into ticks."""
        tick = common_tick(self._tick, shift)
        finer = int(self._tick / tick)
        if self._start is not None:
            self._start *= finer
        self._claimed *= finer
        self._tick = tick
        self._scale = int(self._source_base / tick)
        self._usual = int(self._usual_s / tick)
        self._offset = int(shift / tick)
        self._max_gap = int(self._max_gap_s / tick)
        self._calm = (-int(RESET_S / tick), int(DOUBTED_JUMP_S / tick))


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
        self._anchor = anchor
        self._placer = Placer("audio", anchor, self._end)
        self._source_base = time_base
        self._origin: Fraction | None = None
        self._samples = 0
        self._rate = 1
        self._overlapped = 0
        self._base_s = float(time_base)
        self._origin_s = 0.0

    @property
    def doubted(self) -> int:
        """How many pts were taken for damaged."""
        return self._placer.doubted

    def push(self, pts: int | None, samples: int, rate: int) -> Sounded:
        """Where these samples lie. `pts` in the source's ticks, None where it does not say."""
        if self._origin is not None and rate == self._rate and self._goes_on(pts):
            first, self._samples = self._samples, self._samples + samples
            self._placer.suspect = None
            return Sounded(self._origin, first, 0, None)
        return self._place(pts, samples, rate)

    def _end(self) -> Fraction:
        origin = self._anchor.begin if self._origin is None else self._origin
        return origin + Fraction(self._samples, self._rate)

    def _goes_on(self, pts: int | None) -> bool:
        # Nearly all sound: floats are good enough to see that it is where it should be.
        if pts is None or self._overlapped:
            return False
        ahead = pts * self._base_s - self._origin_s - self._samples / self._rate
        return abs(ahead) < _SURE_S

    def _place(self, pts: int | None, samples: int, rate: int) -> Sounded:
        began, before = self._origin is not None, self._end()
        placed = Placed(before, None)
        if pts is not None:
            placed = self._placer.place(pts * self._source_base, before if began else None)
        ahead, gap, skip = placed.time - before, placed.gap, 0
        if ahead < -AUDIO_TOLERANCE_S:
            skip = min(samples, ceil(-ahead * rate))
            self._overlapped += skip
        elif ahead > AUDIO_TOLERANCE_S and began:
            gap = gap or Gap("audio", Span(before, placed.time), "sound is missing")
        if skip < samples and self._overlapped:
            reason = f"{self._overlapped} samples came twice and were left out"
            gap = gap or Gap("audio", Span(before, before), reason)
            self._overlapped = 0
        if not began or gap is not None or rate != self._rate:
            self._begin(max(before, placed.time), rate)
        first, self._samples = self._samples, self._samples + samples - skip
        return Sounded(self._origin or Fraction(0), first, skip, gap)

    def _begin(self, origin: Fraction, rate: int) -> None:
        self._origin, self._samples, self._rate = origin, 0, rate
        self._origin_s = float(origin - self._placer.shift)

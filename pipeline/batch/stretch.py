"""A stretch of a long video: read as if all that lies before it had been read, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from pipeline.batch.unit import Part
from pipeline.cut import Cut, Progress, Reader, ReadReport
from pipeline.lane import Lane
from pipeline.records import Item, Window

BEFORE_S = Fraction(2)
"""So much before a stretch is read again: samplers see the frame before, clocks a gap's start."""


class StretchReader(Reader):
    """Gives the windows that begin in one part of a source, and counts what begins in it.

    The windows and sums of all parts of a source together are those of one `Reader`, when its
    lanes are divisible and its container's times are in order. Raises SourceError as that does.
    """

    def __init__(self, source: str, stream: str, lanes: Sequence[Lane], part: Part) -> None:
        mine = [lane for lane in lanes if lane.medium == part.medium]
        begin = max(Fraction(0), part.begin - BEFORE_S)
        self._part = part
        self._before: Progress | None = None
        self._troubles_before: Counter[tuple[str, str]] = Counter()
        super().__init__(source, stream, mine, begin=begin)

    def report(self) -> ReadReport:
        """How reading went, of this part alone."""
        whole = super().report()
        if self._before is None:  # it ends before this part begins
            return ReadReport(whole.progress, {}, (), None)
        before = {f"{medium}_{kind}": n for (medium, kind), n in self._troubles_before.items()}
        gaps = tuple(gap for gap in whole.gaps if self._part.holds(gap.span.start))
        return ReadReport(whole.progress, _less(whole.troubles, before), gaps, whole.error)

    def _items(self) -> Iterator[Item]:
        for item in super()._items():
            start = item.span.start
            if self._before is None and start >= self._part.begin:
                self._before = super()._progress()
                self._troubles_before = Counter(self._decoder.troubles)
            if self._part.end is not None and start >= self._part.end:
                return
            yield item

    def _collect(self, lane: Lane, windows: Iterable[Window]) -> Iterator[Cut]:
        mine = (window for window in windows if self._part.holds(window.mark.span.start))
        return super()._collect(lane, mine)

    def _progress(self) -> Progress:
        now = super()._progress()
        if self._before is None:  # nothing of this part was read yet
            return Progress(now.position, {}, {})
        before = self._before
        return Progress(
            now.position,
            _less(now.decoded, before.decoded),
            _less(now.not_sampled, before.not_sampled),
        )


def _less(all_of: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {name: count - before.get(name, 0) for name, count in all_of.items()}

"""Many lanes, one order: events by exact media time, as soon as no earlier one can still come.

The order is by end (then start, lane, label, track): an event is known when it ends, so this is the
only order in which a stream without end can be written with a bounded delay.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from fractions import Fraction

from pipeline.records import Event

_Key = tuple[float, Fraction, float, Fraction, str, str, int, tuple[float, ...]]


def order(event: Event) -> _Key:
    """The total order of the timeline: the same events sort the same way however they came.

    Each exact time stands behind its float, which is quick to compare and decides nearly always.
    """
    instance = event.instance
    track = -1 if instance is None or instance.track_id is None else instance.track_id
    box = instance.box if instance else ()
    start, end = event.span.start, event.span.end
    return (float(end), end, float(start), start, event.lane, event.label, track, box)


class Timeline:
    """Merges the events of the lanes of one stream by their watermarks.

    `max_wait_s` bounds how far a lane that has fallen silent holds the others back, in media time
    (a live stream whose audio stalls); None waits for ever, which is right for files. What a
    lane says later than that still comes out, at once, and is counted in `late`.
    """

    def __init__(self, lanes: Iterable[str], max_wait_s: float | None = None) -> None:
        self._marks: dict[str, Fraction | None] = dict.fromkeys(lanes)
        self._max_wait = None if max_wait_s is None else Fraction(max_wait_s)
        self._heap: list[tuple[_Key, int, Event]] = []
        self._count = 0
        self._released: Fraction | None = None
        self.late = 0

    def push(self, lane: str, events: Iterable[Event], watermark: Fraction | None) -> list[Event]:
        """The events, of any lane, that are now certain to be next, in order."""
        if lane not in self._marks:
            message = f"the timeline has no open lane {lane!r}, only {sorted(self._marks)}"
            raise ValueError(message)
        for event in events:
            if self._released is not None and event.span.end < self._released:
                self.late += 1
            self._count += 1
            heapq.heappush(self._heap, (order(event), self._count, event))
        self._marks[lane] = watermark
        return self._release()

    def close(self, lane: str) -> list[Event]:
        """What may come out now that `lane` has ended and holds nothing back any more."""
        self._marks.pop(lane, None)
        return self._release()

    def _release(self) -> list[Event]:
        limit = self._limit()
        border = None if limit is None else (float(limit), limit)
        out: list[Event] = []
        while self._heap and (not self._marks or (border and self._heap[0][0][:2] < border)):
            out.append(heapq.heappop(self._heap)[2])
        if limit is not None and (self._released is None or limit > self._released):
            self._released = limit
        return out

    def _limit(self) -> Fraction | None:
        known = [mark for mark in self._marks.values() if mark is not None]
        if not known:
            return None
        everyone = min(known) if len(known) == len(self._marks) else None
        if self._max_wait is None:
            return everyone
        patient = max(known) - self._max_wait
        return patient if everyone is None else max(everyone, patient)

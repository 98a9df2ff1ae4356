"""Predictions -> events -> timeline -> sinks, for one stream: all that a Keeper does.

NumPy and plain Python, no torch.
"""

from __future__ import annotations

import pickle
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.cut import Progress, ReadReport
from pipeline.lane import Aggregator, Lane
from pipeline.ledger import LaneBook, Ledger
from pipeline.records import Event, Failure, Prediction
from pipeline.sinks.base import Sink
from pipeline.timeline import Timeline


class Settler:
    """Settles one stream: restores window order, aggregates, merges the lanes, writes, counts.

    Answers of a lane may come in any order; they are put back in the order of their windows. How
    many wait for that is bounded by the work in flight. `sink_s` is how long the sinks took so far.
    """

    def __init__(
        self,
        stream: str,
        lanes: Sequence[Lane],
        sinks: Sequence[Sink],
        max_wait_s: float | None = None,
    ) -> None:
        self.sink_s = 0.0
        self._sinks = tuple(sinks)
        self._aggregators: dict[str, Aggregator] = {
            lane.name: lane.make_aggregator(stream) for lane in lanes
        }
        self._next = dict.fromkeys(self._aggregators, 0)
        self._waiting: dict[str, dict[int, Prediction | Failure]] = {
            lane.name: {} for lane in lanes
        }
        self._timeline = Timeline(self._aggregators, max_wait_s)
        self.ledger = Ledger(lanes={lane.name: LaneBook(lane.medium) for lane in lanes})

    def settle(self, lane: str, answers: Iterable[Prediction | Failure]) -> list[Event]:
        """The events that these answers made certain, in the timeline's order, now written."""
        waiting = self._waiting[lane]
        for answer in answers:
            waiting[answer.mark.index] = answer
        out: list[Event] = []
        aggregator = self._aggregators[lane]
        while self._next[lane] in waiting:
            answer = waiting.pop(self._next[lane])
            self._next[lane] += 1
            self._book(lane, answer)
            decided = answer.mark.span.end
            events = [replace(event, decided=decided) for event in aggregator.push(answer)]
            out += self._timeline.push(lane, events, aggregator.watermark)
        return self._write(out)

    def read(self, progress: Progress) -> list[Event]:
        """The events that the reader's totals so far made certain, in order, now written.

        The totals go into the books. Where all that was offered to a lane is accounted for, no
        window of it is on its way: a gate that withholds frames holds the other lanes up no more.
        Progress comes before the answers to what was read after it.
        """
        self.ledger.read(progress)
        out: list[Event] = []
        for lane, span in progress.gated_spans.items():
            aggregator = self._aggregators.get(lane)
            if aggregator is not None and self.ledger.lanes[lane].missing == 0:
                aggregator.still(span.end)
                out += self._timeline.push(lane, (), aggregator.watermark)
        return self._write(out)

    def finish(self, report: ReadReport, lost: str | None = None) -> list[Event]:
        """The last events, once all answers are in; takes the reader's side of the books.

        `lost` says why windows may be missing (an interrupt, a reader that died): they are
        counted as dropped for that reason. Without it, whatever is missing stays visible.
        """
        out: list[Event] = []
        for lane, aggregator in self._aggregators.items():
            for index in sorted(self._waiting[lane]):  # only after a loss: nothing fills the hole
                self._book(lane, self._waiting[lane].pop(index))
            out += self._timeline.push(lane, aggregator.flush(), aggregator.watermark)
        for lane in self._aggregators:
            out += self._timeline.close(lane)
        self._balance(report, lost)
        return self._write(out)

    def expects(self, lane: str) -> int:
        """The index of the window whose answer comes next."""
        return self._next[lane]

    def snapshot(self) -> bytes:
        """All that it knows of the stream but its sinks, for a settler that goes on after it."""
        known = (self._aggregators, self._next, self._waiting, self._timeline, self.ledger)
        return pickle.dumps(known, protocol=5)

    def restore(self, snapshot: bytes) -> None:
        """Goes on where another settler of this stream was; the bytes are its own process's."""
        known = pickle.loads(snapshot)
        self._aggregators, self._next, self._waiting, self._timeline, self.ledger = known

    def close(self) -> None:
        """Makes every output complete; OutputError when one cannot be."""
        for sink in self._sinks:
            sink.close()

    def abandon(self) -> None:
        """Leaves no output behind."""
        for sink in self._sinks:
            sink.abandon()

    def _book(self, lane: str, answer: Prediction | Failure) -> None:
        book = self.ledger.lanes[lane]
        if answer.mark.gated is not None:
            book.note_gated(answer.mark.gated)
        if isinstance(answer, Failure):
            book.failed[answer.reason] += answer.mark.units
        else:
            book.analysed += answer.mark.units

    def _balance(self, report: ReadReport, lost: str | None) -> None:
        ledger = self.ledger
        ledger.read(report.progress)
        ledger.troubles = Counter(report.troubles)
        ledger.gaps += [
            {
                "medium": gap.medium,
                "start_s": round(float(gap.span.start), 6),
                "end_s": round(float(gap.span.end), 6),
                "reason": gap.reason,
            }
            for gap in report.gaps
        ]
        for book in ledger.lanes.values():
            if lost and book.missing > 0:
                book.dropped[lost] += book.missing

    def _write(self, events: list[Event]) -> list[Event]:
        if not events or not self._sinks:
            return events
        began = time.perf_counter()
        for event in events:
            for sink in self._sinks:
                sink.write(event)
        self.sink_s += time.perf_counter() - began
        return events

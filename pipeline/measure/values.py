"""The values of the metrics, fed with totals by whoever runs streams or jobs."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline.cut import Progress
from pipeline.ledger import Ledger
from pipeline.measure.build import network, versions
from pipeline.measure.series import EXEMPLAR_CHARACTERS, Series
from pipeline.measure.vitals import Vitals
from pipeline.metrics import (
    DROPPED,
    FAILED,
    OTHER,
    OUTAGES,
    READERS_LOST,
    TROUBLES,
    WORKERS_LOST,
)
from pipeline.records import Digest, Medium

if TYPE_CHECKING:
    from pipeline.batch.tally import Tally
    from pipeline.lane import Lane
    from pipeline.run.backlog import Task

MOST_LABELS = 200
"""So many labels of a lane are told apart: one that reads numbers has no end of them."""
KEPT_SOURCES = 20
"""So many sources that were read to their end stay on the page: it may be looked at rarely."""
EVENT_ID = "event_id"
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class Metrics(Series):
    """What is measured while streams run; counters only ever grow.

    Counts come as totals so far (progress, books) and leave as Prometheus counters, so no frame
    is counted twice however often its total is told.
    """

    def __init__(self) -> None:
        super().__init__()
        self._labels: defaultdict[str, set[str]] = defaultdict(set)
        self._progress: dict[str, Progress] = {}
        self._read_to_end: deque[str] = deque()

    def page(self) -> str:
        """All of it as text, as Prometheus reads it."""
        return str(self.told()[0], "utf-8")

    def runs(self, engine: str, lanes: Iterable[Lane] = ()) -> None:
        """Says what runs here, and with which networks."""
        self.inform("build", versions(engine))
        for lane in lanes:
            self.inform("model", network(lane), lane.name)

    def begin(
        self, stream: str, *, live: bool = False, lanes: Mapping[str, Medium] | None = None
    ) -> None:
        """A stream begins; what can be counted of it is 0 and not unknown from now on.

        Of a live one with these lanes, and the medium of each, also whatever may go wrong, so that
        faults bring no series: what jumps from nothing to 1 is no increase to Prometheus.
        """
        self.begin_stream(stream)
        self._progress[stream] = Progress.nothing()
        self.add("books_not_closed", by=0)
        if not live:
            return
        for gauge in ("stream_up", "sink_waiting_records", "sink_failing"):
            self.put(gauge, 0, stream)
        for counter in ("stream_connections", "stream_outage_seconds", "sink_failures"):
            self.add(counter, stream, by=0)
        for reason in OUTAGES:
            self.add("stream_outages", stream, reason, by=0)
        for reason in READERS_LOST:
            self.add("readers_lost", stream, reason, by=0)
        for lane in lanes or {}:
            for reason in DROPPED:
                self.add("dropped", stream, lane, reason, by=0)
            for reason in FAILED:
                self.add("failed", stream, lane, reason, by=0)
        for medium in sorted({"container", *(lanes or {}).values()}):
            for kind in TROUBLES[medium]:
                self.add("decode_troubles", stream, f"{medium}_{kind}", by=0)

    def forget(self, stream: str) -> None:
        """Removes every series of a stream that is no more, and takes nothing of it any more."""
        super().forget(stream)
        self._progress.pop(stream, None)

    def read_to_end(self, stream: str) -> None:
        """Nothing more comes of a source; its series stay until many others have come to theirs."""
        self._read_to_end.append(stream)
        while len(self._read_to_end) > KEPT_SOURCES:
            self.forget(self._read_to_end.popleft())

    def read(self, stream: str, progress: Progress, from_s: float = 0.0) -> None:
        """Takes a reader's totals so far, which began at that media time."""
        if self.ended(stream):
            return
        for medium, total in progress.decoded.items():
            self.raise_to("decoded", total, stream, medium)
        for medium, seconds in progress.decode_s.items():
            self.raise_to("decode_seconds", seconds, stream, medium)
        for lane, total in progress.not_sampled.items():
            self.raise_to("not_sampled", total, stream, lane)
        for lane, total in progress.gated.items():
            self.raise_to("gated", total, stream, lane)
        for lane, reasons in progress.dropped.items():
            for reason, total in _words(reasons).items():
                self.raise_to("dropped", total, stream, lane, reason)
        self.raise_to("media_seconds", float(progress.position) - from_s, stream)
        self._progress[stream] = progress

    def books(self, stream: str, ledger: Ledger) -> None:
        """Takes a ledger's totals so far; those of the reader come first."""
        for lane, book in ledger.lanes.items():
            self.raise_to("analysed", book.analysed, stream, lane)
            for reason, total in _words(book.dropped).items():
                self.raise_to("dropped", total, stream, lane, reason)
            for reason, total in _words(book.failed).items():
                self.raise_to("failed", total, stream, lane, reason)
        for kind, total in _words(ledger.troubles).items():
            self.raise_to("decode_troubles", total, stream, kind)
        self._open(stream, ledger)

    def closed(self, ledger: Ledger | None) -> None:
        """Takes the books of a stream that has ended; None where nobody could tell them."""
        self.add("books_not_closed", by=ledger is None or bool(ledger.problems()))

    def vitals(self, stream: str, vitals: Vitals) -> None:
        """Takes how a live stream is."""
        self.put("stream_up", vitals.plays, stream)
        self.put("stream_lag_seconds", vitals.late_s, stream)
        self.raise_to("stream_connections", vitals.connections, stream)
        if vitals.newest_at is not None:
            self.put("stream_newest_frame_timestamp_seconds", vitals.newest_at, stream)
        self.put("stream_behind_seconds", vitals.behind_s, stream)
        self.put("stream_rate_level", vitals.level, stream)
        for reason, total in vitals.outages.items():
            self.raise_to("stream_outages", total, stream, reason)
        self.raise_to("stream_outage_seconds", vitals.outage_s, stream)

    def queued(self, lane: str, windows: int) -> None:
        """Windows begin to wait for a pool member; less than 0 no longer do."""
        self.add("queued_windows", lane, by=windows)

    def sent(self, tasks: Iterable[Task]) -> None:
        """Batches are with a pool member, for which they waited until now."""
        now = time.monotonic()
        for task in tasks:
            self.queued(task.step.lane, -len(task.step.marks))
            self.took("queue", task.step.lane, now - task.since)

    def took(self, stage: str, lane: str, seconds: float) -> None:
        """Takes for how long a batch was in a stage."""
        self.observe("stage_seconds", seconds, stage, lane)

    def settled(self, lane: str, settle_s: float, sink_s: float) -> None:
        """Takes how long a keeper took to settle a batch and to write its events, if it had any."""
        self.took("settle", lane, settle_s)
        if sink_s:
            self.took("sink", lane, sink_s)

    def answered(self, lane: str, windows: int, seconds: float) -> None:
        """Takes the cost of one call of a pool member."""
        self.took("predict", lane, seconds)
        self.observe("batch_windows", windows, lane)
        self.add("pool_busy_seconds", by=seconds)

    def pool(self, wanted: int, ready: int, lanes: Iterable[str], lost: Mapping[str, int]) -> None:
        """Takes how many members there are, and how many were lost so far, by why."""
        self.put("pool_members", wanted)
        self.put("pool_members_ready", ready)
        self.add("pool_busy_seconds", by=0)
        for lane in lanes:
            self.put("lane_ready", ready > 0, lane)
            self.queued(lane, 0)
        for reason in WORKERS_LOST:
            self.raise_to("pool_members_lost", lost.get(reason, 0), reason)

    def keepers(self, lost: Mapping[str, int]) -> None:
        """Takes how many keepers were lost so far, by why."""
        for reason in WORKERS_LOST:
            self.raise_to("keepers_lost", lost.get(reason, 0), reason)

    def wrote(self, events: Sequence[Digest]) -> None:
        """Counts events that a keeper has written; of each kind the last is told as an example."""
        last = {(event.stream, event.lane, event.label): event for event in events}
        counts = Counter((event.stream, event.lane, event.label) for event in events)
        for kind, count in counts.items():
            stream, lane, label = kind
            example = {EVENT_ID: last[kind].id[: EXEMPLAR_CHARACTERS - len(EVENT_ID)]}
            self.add("events", stream, lane, self._told(lane, label), by=count, exemplar=example)

    def written(self, stream: str, delays_s: Iterable[float]) -> None:
        """Takes how long after their arrival events were written."""
        for delay in delays_s:
            self.observe("event_delay_seconds", delay, stream)

    def sink(self, stream: str, waiting: int, *, failing: bool, failures: int) -> None:
        """Takes whether results can be written, what waits, and how often that began to fail."""
        self.put("sink_waiting_records", waiting, stream)
        self.put("sink_failing", failing, stream)
        self.raise_to("sink_failures", failures, stream)

    def batch(self, tally: Tally) -> None:
        """Takes how far an offline job is."""
        for state in ("todo", "before", "done", "partial", "failed"):
            self.put("job_videos", getattr(tally, state), state)
        self.raise_to("job_media_seconds", tally.media_s)
        self.raise_to("job_events", tally.events)
        self.raise_to("job_workers_lost", tally.workers_lost)
        self.raise_to("job_audited_groups", tally.audit.audited)
        self.raise_to("job_audit_missed_groups", tally.audit.missed)
        self.put("job_speed_ratio", tally.speed)
        self.put("job_left_seconds", tally.left_s if tally.left_s is not None else float("nan"))
        self.put("job_units_running", len(tally.running))
        self.put("job_progress_timestamp_seconds", tally.came_further_at)

    def _open(self, stream: str, ledger: Ledger) -> None:
        """Says what is neither analysed nor accounted for otherwise: it is under way."""
        progress = self._progress.get(stream) or Progress.nothing()
        for lane, book in ledger.lanes.items():
            dropped = progress.dropped.get(lane, {})
            lost = sum(max(total, book.dropped.get(why, 0)) for why, total in dropped.items())
            lost += sum(total for why, total in book.dropped.items() if why not in dropped)
            left_out = progress.not_sampled.get(lane, 0) + progress.gated.get(lane, 0)
            gone = book.analysed + left_out + lost + sum(book.failed.values())
            self.put("books_open", progress.decoded.get(book.medium, 0) - gone, stream, lane)

    def _told(self, lane: str, label: str) -> str:
        """The label; of a lane that has no end of them only the first many."""
        known = self._labels[lane]
        if label not in known and len(known) < MOST_LABELS:
            known.add(label)
        return label if label in known else OTHER


def _words(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts by words of this code; what else stands there is counted together."""
    if all(map(_WORD.fullmatch, counts)):
        return dict(counts)
    told: Counter[str] = Counter()
    for reason, count in counts.items():
        told[reason if _WORD.fullmatch(reason) else OTHER] += count
    return told

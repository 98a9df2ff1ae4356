"""The values of the metrics, fed with totals by whoever runs streams or jobs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from pipeline.cut import Progress
from pipeline.ledger import Ledger
from pipeline.metrics import BY_NAME, PREFIX, TABLE, Metric
from pipeline.records import Digest

if TYPE_CHECKING:
    from pipeline.batch.tally import Tally
    from pipeline.run.live.tended import StreamStatus

Collector = Counter | Gauge | Histogram | Info


class Metrics:
    """What is measured while streams run; counters only ever grow.

    Counts come as totals so far (progress, books) and leave as Prometheus counters, so no frame
    is counted twice however often its total is told.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._told: dict[tuple[str, ...], float] = {}
        self._made = {metric.name: _make(metric, self.registry) for metric in TABLE}

    def add(self, name: str, *labels: str, by: float = 1.0) -> None:
        """Raises a counter, or moves a gauge, of the table."""
        self._of(name, labels).inc(by)

    def put(self, name: str, value: float, *labels: str) -> None:
        """Sets a gauge of the table."""
        self._of(name, labels).set(value)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Puts a value into a histogram of the table."""
        self._of(name, labels).observe(value)

    def raise_to(self, name: str, total: float, *labels: str) -> None:
        """Raises a counter of the table to a total; less than was told before changes nothing."""
        key = (name, *labels)
        step = total - self._told.get(key, 0.0)
        if step > 0:
            self._of(name, labels).inc(step)
            self._told[key] = total

    def batch(self, tally: Tally) -> None:
        """Takes how far an offline job is."""
        for state in ("todo", "before", "done", "partial", "failed"):
            self.put("job_videos", getattr(tally, state), state)
        self.raise_to("job_media_seconds", tally.media_s)
        self.raise_to("job_events", tally.events)
        self.raise_to("job_workers_lost", tally.workers_lost)
        self.put("job_speed_ratio", tally.speed)
        self.put("job_left_seconds", tally.left_s if tally.left_s is not None else float("nan"))
        self.put("job_units_running", len(tally.running))

    def read(self, stream: str, progress: Progress) -> None:
        """Takes a reader's totals so far."""
        for medium, total in progress.decoded.items():
            self.raise_to("decoded", total, stream, medium)
        for lane, total in progress.not_sampled.items():
            self.raise_to("not_sampled", total, stream, lane)
        for lane, total in progress.gated.items():
            self.raise_to("gated", total, stream, lane)
        for lane, reasons in progress.dropped.items():
            for reason, total in reasons.items():
                self.raise_to("dropped", total, stream, lane, reason)
        self.raise_to("media_seconds", float(progress.position), stream)

    def stream(self, status: StreamStatus) -> None:
        """Takes how a live stream is."""
        self.put("stream_up", status.state == "playing", status.name)
        self.put("stream_lag_seconds", status.late_s, status.name)
        self.raise_to("stream_connections", status.connections, status.name)

    def written(self, stream: str, delays_s: Iterable[float]) -> None:
        """Takes how long after their arrival events were written."""
        for delay in delays_s:
            self.observe("event_delay_seconds", delay, stream)

    def answered(self, lane: str, windows: int, seconds: float) -> None:
        """Takes the cost of one call of a pool member."""
        self.observe("stage_seconds", seconds, "predict", lane)
        self.observe("batch_windows", windows, lane)

    def wrote(self, events: Iterable[Digest]) -> None:
        """Counts events that a keeper has written."""
        for event in events:
            self.add("events", event.stream, event.lane, event.label)

    def books(self, stream: str, ledger: Ledger) -> None:
        """Takes a ledger's totals so far."""
        for lane, book in ledger.lanes.items():
            self.raise_to("analysed", book.analysed, stream, lane)
            for reason, total in book.dropped.items():
                self.raise_to("dropped", total, stream, lane, reason)
            for reason, total in book.failed.items():
                self.raise_to("failed", total, stream, lane, reason)
        for kind, total in ledger.troubles.items():
            self.raise_to("decode_troubles", total, stream, kind)

    def forget(self, stream: str) -> None:
        """Removes every series of a stream that is no more."""
        for name, made in self._made.items():
            if "stream" in BY_NAME[name].labels:
                made.remove_by_labels({"stream": stream})
        for key in [key for key in self._told if _stream_of(key) == stream]:
            del self._told[key]

    def _of(self, name: str, labels: tuple[str, ...]) -> Any:
        made = self._made[name]
        return made.labels(*labels) if labels else made


def _stream_of(key: tuple[str, ...]) -> str | None:
    """The stream of a counter's key, where its metric is one of streams."""
    name, *values = key
    labels = BY_NAME[name].labels
    return values[labels.index("stream")] if "stream" in labels else None


def _make(metric: Metric, registry: CollectorRegistry) -> Collector:
    name, labels = f"{PREFIX}{metric.name}", metric.labels
    if metric.kind == "histogram":
        return Histogram(name, metric.told, labels, registry=registry, buckets=metric.buckets)
    kinds = {"counter": Counter, "gauge": Gauge, "info": Info}
    return kinds[metric.kind](name, metric.told, labels, registry=registry)

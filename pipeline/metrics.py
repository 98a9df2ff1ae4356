"""Every metric in one table, and the page that serves them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from pipeline.cut import Progress
from pipeline.ledger import Ledger
from pipeline.records import Digest

if TYPE_CHECKING:
    from pipeline.batch.tally import Tally
    from pipeline.run.live.tended import StreamStatus

M = TypeVar("M", Counter, Gauge, Histogram)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
DELAYS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0)
WINDOWS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """What is measured while streams run; counters only ever grow.

    Counts come as totals so far (progress, books) and leave as Prometheus counters, so no frame
    is counted twice however often its total is told.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._told: dict[tuple[Any, ...], float] = {}
        self._of_streams: list[Counter | Gauge | Histogram] = []
        c, g, h = self._counter, self._gauge, self._histogram
        by_lane = ["stream", "lane"]
        self.decoded = c("decoded", "Frames or samples decoded", ["stream", "medium"])
        self.analysed = c("analysed", "Frames or samples that a lane analysed", by_lane)
        self.not_sampled = c("not_sampled", "Frames or samples a lane passed over", by_lane)
        self.gated = c("gated", "Frames that a gate withheld: nothing changed", by_lane)
        self.dropped = c("dropped", "Frames or samples given up", [*by_lane, "reason"])
        self.failed = c("failed", "Frames or samples that failed", [*by_lane, "reason"])
        self.troubles = c("decode_troubles", "What a decoder could not use", ["stream", "kind"])
        self.events = c("events", "Events written", [*by_lane, "label"])
        self.sources_failed = c("sources_failed", "Sources that failed", ["reason"])
        self.media_seconds = c("media_seconds", "Media time read", ["stream"])
        self.up = g("stream_up", "1 while a live stream plays", ["stream"])
        self.lag = g("stream_lag_seconds", "How late a live stream's packets come", ["stream"])
        self.reconnects = c("stream_connections", "Connections that were made", ["stream"])
        self.readers_lost = c("readers_lost", "Readers that were lost", ["stream", "reason"])
        told = "From the arrival of what decided an event to its writing"
        self.delay = h("event_delay_seconds", told, ["stream"], DELAYS)
        self.speed = g("speed_ratio", "Media seconds analysed per wall second", ["stream"])
        self.queued = g("queued_windows", "Windows waiting for a pool member", ["lane"])
        self.seconds = h("inference_seconds", "Time of one call of a network", ["lane"], SECONDS)
        self.windows = h("batch_windows", "Windows in one call of a network", ["lane"], WINDOWS)
        self.job_videos = g("job_videos", "Videos of an offline job", ["state"])
        self.job_media = c("job_media_seconds", "Media time an offline job went through", [])
        self.job_events = c("job_events", "Events that an offline job has written", [])
        self.job_workers_lost = c("job_workers_lost", "Workers of an offline job that died", [])
        self.job_speed = g("job_speed_ratio", "Media seconds of an offline job per second", [])
        self.job_left = g("job_left_seconds", "How long an offline job will still take", [])
        self.job_units = g("job_units_running", "Units of an offline job under way", [])

    def batch(self, tally: Tally) -> None:
        """Takes how far an offline job is."""
        for state in ("todo", "before", "done", "partial", "failed"):
            self.job_videos.labels(state).set(getattr(tally, state))
        self._raise_to(self.job_media, tally.media_s)
        self._raise_to(self.job_events, tally.events)
        self._raise_to(self.job_workers_lost, tally.workers_lost)
        self.job_speed.set(tally.speed)
        self.job_left.set(tally.left_s if tally.left_s is not None else float("nan"))
        self.job_units.set(len(tally.running))

    def read(self, stream: str, progress: Progress) -> None:
        """Takes a reader's totals so far."""
        for medium, total in progress.decoded.items():
            self._raise_to(self.decoded, total, stream, medium)
        for lane, total in progress.not_sampled.items():
            self._raise_to(self.not_sampled, total, stream, lane)
        for lane, total in progress.gated.items():
            self._raise_to(self.gated, total, stream, lane)
        for lane, reasons in progress.dropped.items():
            for reason, total in reasons.items():
                self._raise_to(self.dropped, total, stream, lane, reason)
        self._raise_to(self.media_seconds, float(progress.position), stream)

    def stream(self, status: StreamStatus) -> None:
        """Takes how a live stream is."""
        self.up.labels(status.name).set(status.state == "playing")
        self.lag.labels(status.name).set(status.late_s)
        self._raise_to(self.reconnects, status.connections, status.name)

    def reader_lost(self, stream: str, reason: str) -> None:
        """Counts a reader that was lost."""
        self.readers_lost.labels(stream, reason).inc()

    def written(self, stream: str, delays_s: Iterable[float]) -> None:
        """Takes how long after their arrival events were written."""
        for delay in delays_s:
            self.delay.labels(stream).observe(delay)

    def forget(self, stream: str) -> None:
        """Removes every series of a stream that is no more."""
        for metric in self._of_streams:
            metric.remove_by_labels({"stream": stream})
        for key in [key for key in self._told if stream in key[1:2]]:
            del self._told[key]

    def answered(self, lane: str, windows: int, seconds: float) -> None:
        """Takes the cost of one call of a pool member."""
        self.seconds.labels(lane).observe(seconds)
        self.windows.labels(lane).observe(windows)

    def wrote(self, events: Iterable[Digest]) -> None:
        """Counts events that a keeper has written."""
        for event in events:
            self.events.labels(event.stream, event.lane, event.label).inc()

    def books(self, stream: str, ledger: Ledger) -> None:
        """Takes a ledger's totals so far."""
        for lane, book in ledger.lanes.items():
            self._raise_to(self.analysed, book.analysed, stream, lane)
            for reason, total in book.dropped.items():
                self._raise_to(self.dropped, total, stream, lane, reason)
            for reason, total in book.failed.items():
                self._raise_to(self.failed, total, stream, lane, reason)
        for kind, total in ledger.troubles.items():
            self._raise_to(self.troubles, total, stream, kind)

    def _raise_to(self, counter: Counter, total: float, *labels: str) -> None:
        key = (counter, *labels)
        step = total - self._told.get(key, 0.0)
        if step > 0:
            (counter.labels(*labels) if labels else counter).inc(step)
            self._told[key] = total

    def _counter(self, name: str, told: str, labels: list[str]) -> Counter:
        counter = Counter(f"witness_{name}", told, labels, registry=self.registry)
        return self._listed(counter, labels)

    def _gauge(self, name: str, told: str, labels: list[str]) -> Gauge:
        return self._listed(Gauge(f"witness_{name}", told, labels, registry=self.registry), labels)

    def _histogram(
        self, name: str, told: str, labels: list[str], buckets: tuple[float, ...]
    ) -> Histogram:
        name = f"witness_{name}"
        histogram = Histogram(name, told, labels, registry=self.registry, buckets=buckets)
        return self._listed(histogram, labels)

    def _listed(self, metric: M, labels: list[str]) -> M:
        if "stream" in labels:
            self._of_streams.append(metric)
        return metric


class MetricsPage:
    """`http://127.0.0.1:port/metrics` while the block runs; None as `port` serves nothing.

    Bound to this machine alone. A port that is taken is replaced by a free one: `url` says which.
    """

    def __init__(self, metrics: Metrics, port: int | None) -> None:
        self._metrics = metrics
        self._port = port
        self.url: str | None = None

    def __enter__(self) -> MetricsPage:
        if self._port is not None:
            self._server, self._thread = self._start(self._port)
            self.url = f"http://127.0.0.1:{self._server.server_port}/metrics"
        return self

    def __exit__(self, *_exc: object) -> None:
        if self.url is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(timeout=5)

    def _start(self, port: int) -> Any:
        with suppress(OSError):
            return start_http_server(port, "127.0.0.1", self._metrics.registry)
        return start_http_server(0, "127.0.0.1", self._metrics.registry)

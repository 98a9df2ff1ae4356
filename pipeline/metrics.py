"""Every metric in one table, and the page that serves them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from pipeline.cut import Progress
from pipeline.ledger import Ledger
from pipeline.records import Digest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
WINDOWS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """What is measured while streams run; counters only ever grow.

    Counts come as totals so far (progress, books) and leave as Prometheus counters, so no frame
    is counted twice however often its total is told.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._told: dict[tuple[Any, ...], float] = {}
        c, g, h = self._counter, self._gauge, self._histogram
        by_lane = ["stream", "lane"]
        self.decoded = c("decoded", "Frames or samples decoded", ["stream", "medium"])
        self.analysed = c("analysed", "Frames or samples that a lane analysed", by_lane)
        self.not_sampled = c("not_sampled", "Frames or samples a lane passed over", by_lane)
        self.dropped = c("dropped", "Frames or samples given up", [*by_lane, "reason"])
        self.failed = c("failed", "Frames or samples that failed", [*by_lane, "reason"])
        self.troubles = c("decode_troubles", "What a decoder could not use", ["stream", "kind"])
        self.events = c("events", "Events written", [*by_lane, "label"])
        self.sources_failed = c("sources_failed", "Sources that failed", ["reason"])
        self.media_seconds = c("media_seconds", "Media time read", ["stream"])
        self.speed = g("speed_ratio", "Media seconds analysed per wall second", ["stream"])
        self.queued = g("queued_windows", "Windows waiting for a pool member", ["lane"])
        self.seconds = h("inference_seconds", "Time of one call of a network", ["lane"], SECONDS)
        self.batch = h("batch_windows", "Windows in one call of a network", ["lane"], WINDOWS)

    def read(self, stream: str, progress: Progress) -> None:
        """Takes a reader's totals so far."""
        for medium, total in progress.decoded.items():
            self._raise_to(self.decoded, total, stream, medium)
        for lane, total in progress.not_sampled.items():
            self._raise_to(self.not_sampled, total, stream, lane)
        self._raise_to(self.media_seconds, float(progress.position), stream)

    def answered(self, lane: str, windows: int, seconds: float) -> None:
        """Takes the cost of one call of a pool member."""
        self.seconds.labels(lane).observe(seconds)
        self.batch.labels(lane).observe(windows)

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
            counter.labels(*labels).inc(step)
            self._told[key] = total

    def _counter(self, name: str, told: str, labels: list[str]) -> Counter:
        return Counter(f"witness_{name}", told, labels, registry=self.registry)

    def _gauge(self, name: str, told: str, labels: list[str]) -> Gauge:
        return Gauge(f"witness_{name}", told, labels, registry=self.registry)

    def _histogram(
        self, name: str, told: str, labels: list[str], buckets: tuple[float, ...]
    ) -> Histogram:
        return Histogram(f"witness_{name}", told, labels, registry=self.registry, buckets=buckets)


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

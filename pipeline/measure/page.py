"""The page that tells Prometheus the metrics."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from prometheus_client import start_http_server

from pipeline.measure.values import Metrics


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

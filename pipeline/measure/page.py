"""The page that tells Prometheus the metrics."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError
from pipeline.measure.access import Access, is_any, own_address
from pipeline.measure.server import Answer, PageServer

if TYPE_CHECKING:
    from pipeline.measure.values import Metrics

HUNG_S = 10.0
GZIP_LEVEL = 1
"""A page of 1,000 streams shrinks to an eleventh; level 9 takes ten times as long."""
PLAIN = {"Content-Type": "text/plain; charset=utf-8"}


class MetricsPage:
    """`http://127.0.0.1:port/metrics` while the block runs; None as `port` serves nothing.

    Bound to this machine alone, unless `access` says otherwise. A port that is taken is replaced by
    a free one where it `moves`, and is a ConfigError otherwise; `url` says which it is.
    `/-/healthy` asks for no password: 200, or 503 once `silent_s` is more than ten seconds.
    """

    def __init__(
        self,
        metrics: Metrics,
        port: int | None,
        access: Access | None = None,
        *,
        moves: bool = True,
        silent_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._metrics = metrics
        self._port = port
        self._access = access or Access()
        self._moves = moves
        self._silent_s = silent_s
        self._server: PageServer | None = None
        self.url: str | None = None

    def __enter__(self) -> MetricsPage:
        if self._port is not None:
            self._access.checked()
            self._server = self._start(self._port)
            self.url = f"{self._access.scheme}://{self.address}/metrics"
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._server is not None:
            self._server.close()

    @property
    def address(self) -> str | None:
        """`host:port` as others reach it; None when nothing is served."""
        if self._server is None:
            return None
        host = own_address() if is_any(self._access.host) else self._access.host
        return f"[{host}]:{self._server.port}" if ":" in host else f"{host}:{self._server.port}"

    def _start(self, port: int) -> PageServer:
        host, secured = self._access.host, self._access.secured()
        try:
            return PageServer(host, port, self._answer, secured)
        except OSError as error:
            if self._moves and port:
                return self._start(0)
            why = f"metrics: nothing can be served at {host}, port {port}: {error.strerror}"
            message = f"{why}; name another port, or -1 for none"
            raise ConfigError(message) from error

    def _answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        if path == "/-/healthy":
            silent_s = self._silent_s()
            if silent_s > HUNG_S:
                return Answer(503, f"nothing was done for {silent_s:.0f} s\n".encode(), PLAIN)
            return Answer(200, b"healthy\n", PLAIN)
        if path != "/metrics":
            return Answer(404, b"there are /metrics and /-/healthy\n", PLAIN)
        try:
            if not self._access.lets_in(headers.get("authorization", "")):
                asks = {"WWW-Authenticate": 'Basic realm="witness", charset="UTF-8"'}
                return Answer(401, b"a user name and a password are asked for\n", PLAIN | asks)
        except ConfigError:  # it may name a file: that is for who runs witness alone
            return Answer(503, b"the password cannot be looked up now\n", PLAIN)
        return self._page(headers)

    def _page(self, headers: Mapping[str, str]) -> Answer:
        """The metrics, in the form and the packing that the visitor likes best."""
        body, kind = self._metrics.told(headers.get("accept", ""))
        told = {"Content-Type": kind}
        packings = headers.get("accept-encoding", "").split(",")
        if any(packing.partition(";")[0].strip() == "gzip" for packing in packings):
            return Answer(
                200, gzip.compress(body, GZIP_LEVEL), {**told, "Content-Encoding": "gzip"}
            )
        return Answer(200, body, told)

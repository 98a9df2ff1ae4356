"""An HTTP server for pages that are read now and then, whose slow visitors hold up nobody."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from socketserver import BaseRequestHandler, TCPServer
from ssl import SSLContext
from threading import Lock, Thread
from typing import Any

MOST_VISITS = 16
ASK_S = 5.0
"""How long a visitor may take to say what it wants, TLS included."""
TAKE_S = 20.0
"""How long it may take to take the answer."""
LOOK_S = 0.2
FULL_S = 0.1


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to a visitor."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Visit:
    """A connection; `line` is a descriptor of its own, by which any thread may hang up."""

    line: socket.socket
    until: float
    asked: bool = False

    def hang_up(self) -> None:
        """Ends whatever its thread waits for."""
        with suppress(OSError):
            self.line.shutdown(socket.SHUT_RDWR)


class PageServer(TCPServer):
    """Answers GET and HEAD with what `answer` makes of a path and its headers, until closed.

    A connection is for one question. Sixteen are served at once, each in a thread: a visitor that
    takes too long to ask, or to take the answer, is hung up on, and at once when a seventeenth
    comes: first who has not asked, the longest there. OSError when nothing can listen at `host` and
    `port`; 0 is a free one. `secured` gives the TLS settings of this moment.
    """

    allow_reuse_address = True
    request_queue_size = 64

    def __init__(
        self,
        host: str,
        port: int,
        answer: Callable[[str, Mapping[str, str]], Answer],
        secured: Callable[[], SSLContext] | None = None,
    ) -> None:
        [found, *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        self.address_family = found[0]
        self.answer = answer
        self._secured = secured
        self._visits: list[Visit] = []
        self._lock = Lock()
        super().__init__(found[4][:2], BaseRequestHandler)  # type: ignore[arg-type]
        self._pool = ThreadPoolExecutor(MOST_VISITS, thread_name_prefix="page")
        self._thread = Thread(target=self.serve_forever, args=(LOOK_S,), name="page", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return int(self.server_address[1])

    def close(self) -> None:
        """Ends every visit and listens no more."""
        self.shutdown()
        self.server_close()
        self._thread.join()
        with self._lock:
            for visit in self._visits:
                visit.hang_up()
        self._pool.shutdown()

    def get_request(self) -> tuple[socket.socket, Any]:
        """A connection; waits a little where there is no room for one."""
        try:
            return super().get_request()
        except OSError:
            time.sleep(FULL_S)  # who has no descriptor left is asked again at once
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Has a thread serve the visitor, in the place of another one if need be."""
        visit = Visit(request.dup(), time.monotonic() + ASK_S)
        with self._lock:
            if len(self._visits) >= MOST_VISITS:
                oldest = min(self._visits, key=lambda other: (other.asked, other.until))
                self._visits.remove(oldest)
                oldest.hang_up()
            self._visits.append(visit)
        self._pool.submit(self._serve, request, client_address, visit)

    def service_actions(self) -> None:
        """Hangs up on who takes too long."""
        now = time.monotonic()
        with self._lock:
            for visit in self._visits:
                if now > visit.until:
                    visit.hang_up()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: the visitor is hung up on, and may come again."""

    def _serve(self, line: socket.socket, address: Any, visit: Visit) -> None:
        try:
            line.settimeout(ASK_S)
            if self._secured is not None:
                line = self._secured().wrap_socket(line, server_side=True)
            _Talk(line, address, self, visit)
            visit.line.shutdown(socket.SHUT_WR)
        except OSError:  # it went away, or speaks no TLS
            pass
        finally:
            line.close()
            with self._lock:
                if visit in self._visits:
                    self._visits.remove(visit)
                visit.line.close()


class _Talk(BaseHTTPRequestHandler):
    """One question and its answer."""

    server: PageServer
    timeout = ASK_S

    def __init__(
        self, request: socket.socket, client_address: Any, server: PageServer, visit: Visit
    ) -> None:
        self._visit = visit
        super().__init__(request, client_address, server)

    def do_GET(self) -> None:
        """Answers."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Answers without the body."""
        self._answer(with_body=False)

    def version_string(self) -> str:
        """What serves, without versions."""
        return "witness"

    def log_message(self, *_args: Any) -> None:
        """Says nothing."""

    def _answer(self, *, with_body: bool) -> None:
        self._visit.asked = True
        self._visit.until = time.monotonic() + TAKE_S
        self.connection.settimeout(TAKE_S)
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            answer = self.server.answer(self.path.partition("?")[0], headers)
        except Exception as error:  # a defect of ours: who asks shall see that there is one
            answer = Answer(500, f"{type(error).__name__}\n".encode())
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)

"""The HTTP server of the control interface: a thread of this process, on this machine alone."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Thread

import uvicorn
from starlette.types import ASGIApp

END_S = 3.0


class ControlServer:
    """Serves while the block runs; a port that is taken is replaced by a free one, see `url`."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._socket = _listening(port)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                loop="asyncio",
                lifespan="off",
                access_log=False,
                log_config=None,
                log_level="critical",
                server_header=False,
                limit_concurrency=32,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=1,
            )
        )
        sockets = [self._socket]
        self._thread = Thread(target=self._server.run, args=(sockets,), name="control", daemon=True)

    def __enter__(self) -> ControlServer:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.should_exit = True
        self._thread.join(END_S)
        self._socket.close()


def _listening(port: int) -> socket.socket:
    """A socket that takes calls from now on: who reads the address need not wait for the thread."""
    with suppress(OSError):
        return socket.create_server(("127.0.0.1", port), backlog=32)
    return socket.create_server(("127.0.0.1", 0), backlog=32)

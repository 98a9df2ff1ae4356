"""A wire between a viewer and a server over TCP that can be made to go wrong, in this process."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

CHUNK = 8192


@dataclass
class Faults:
    """What is wrong with the wire now; the fields may be changed at any moment.

    `rate` limits bytes a second towards the viewer; `flip` is the share of chunks towards the
    viewer in which one byte is turned; `stalled` lets connections stand and nothing through;
    `stall_after` stalls a connection towards the viewer once a request of this name went to the
    server (`DESCRIBE`); `stall_at_connect` accepts and never calls the server; `refuse` closes new
    connections at once.
    """

    rate: float = 0.0
    flip: float = 0.0
    stalled: bool = False
    stall_after: str = ""
    stall_at_connect: bool = False
    refuse: bool = False


@dataclass
class Counted:
    """What has happened on the wire."""

    connections: int = 0
    flipped: int = 0
    passed: int = 0
    opened_at: list[float] = field(default_factory=list)


class Proxy:
    """A TCP address in front of another; `faults` says what is wrong with it.

    Use it as a context manager. RTSP over TCP goes through it whole: put `proxy.port` into the URL.
    """

    def __init__(self, host: str, port: int, *, address: str = "127.0.0.1", seed: int = 0) -> None:
        self.target, self.address = (host, port), address
        self.faults, self.counted = Faults(), Counted()
        self._random = random.Random(seed)
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self._server = socket.create_server((self.address, 0))
        self.port = int(self._server.getsockname()[1])
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        # First the one that accepts: nothing is opened any more after it.
        self._threads[0].join()
        self._server.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    @contextmanager
    def failing(self, **faults: float | bool | str) -> Iterator[None]:
        """These faults inside, and none afterwards."""
        self.faults = Faults(**faults)  # type: ignore[arg-type]
        try:
            yield
        finally:
            self.faults = Faults()

    def cut(self) -> None:
        """All connections are reset."""
        while self._open:
            one = self._open.pop()
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._ended.is_set():
            readable, _, _ = select.select([self._server], [], [], 0.1)
            if not readable:
                continue
            with contextlib.suppress(OSError):
                viewer, _ = self._server.accept()
                self.counted.connections += 1
                self.counted.opened_at.append(time.time())
                self._connect(viewer)

    def _connect(self, viewer: socket.socket) -> None:
        if self.faults.refuse:
            viewer.close()
            return
        self._open.append(viewer)
        if self.faults.stall_at_connect:
            return
        try:
            server = socket.create_connection(self.target, 5.0)
        except OSError:
            viewer.close()
            return
        server.settimeout(None)
        self._open.append(server)
        for one in (viewer, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        silent = threading.Event()
        self._start(self._pump, viewer, server, silent, False)
        self._start(self._pump, server, viewer, silent, True)

    def _pump(
        self, source: socket.socket, target: socket.socket, silent: threading.Event, down: bool
    ) -> None:
        try:
            while chunk := source.recv(CHUNK):
                name = self.faults.stall_after
                if not down and name and name.encode() in chunk:
                    silent.set()
                while not self._ended.is_set() and (
                    self.faults.stalled or (down and silent.is_set())
                ):
                    if source.fileno() < 0:
                        return
                    time.sleep(0.02)
                target.sendall(self._through(chunk) if down else chunk)
        except OSError:
            pass
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _through(self, chunk: bytes) -> bytes:
        """The chunk as it comes out at the viewer's end, when it is time for it."""
        faults = self.faults
        if faults.rate:
            self._ended.wait(len(chunk) / faults.rate)
        self.counted.passed += len(chunk)
        if faults.flip and self._random.random() < faults.flip:
            broken = bytearray(chunk)
            broken[self._random.randrange(len(broken))] ^= self._random.randrange(1, 256)
            self.counted.flipped += 1
            return bytes(broken)
        return chunk

"""Servers of a trial as programs of their own, that can be killed, stopped and started again."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from tests.needs import need_gstreamer

HERE = Path(__file__).parent
READY_WITHIN_S = 15.0


class Program:
    """A program that says `ready WORD` and ends when its standard input does.

    Use it as a context manager: whatever happened to it inside, nothing of it is left outside.
    """

    def __init__(self, command: Sequence[str], prefix: Sequence[str] = ()) -> None:
        self.command = [*prefix, *command]
        self.ready_at = 0.0
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The process that is running."""
        return self._running().pid

    def first_line(self) -> str:
        """What the program reads when it starts."""
        return "{}"

    def start(self) -> str:
        """What it said after `ready`; `ready_at` is when. Raises when it says nothing in time."""
        self.launch()
        self.tell(self.first_line())
        output = self._running().stdout
        assert output is not None
        readable, _, _ = select.select([output], [], [], READY_WITHIN_S)
        line = output.readline() if readable else ""
        self.ready_at = time.time()
        if not line.startswith("ready"):
            self.kill()
            raise RuntimeError(f"not ready after {READY_WITHIN_S:g} s: {self.command}")
        return line.removeprefix("ready").strip()

    def launch(self) -> None:
        """A new process, the old one gone."""
        self.kill()
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def tell(self, line: str) -> None:
        """Writes a line to its standard input."""
        pipe = self._running().stdin
        assert pipe is not None
        pipe.write(line + "\n")
        pipe.flush()

    def kill(self) -> None:
        """SIGKILL, and waits until it is gone; nothing when it is not running."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self.process = None

    def stop(self) -> None:
        """SIGSTOP: alive for the network, and silent."""
        os.kill(self.pid, signal.SIGSTOP)

    def cont(self) -> None:
        """SIGCONT: it goes on with what is due then."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> float:
        """Killed and started again: the time it was ready (Unix seconds)."""
        self.start()
        return self.ready_at

    def _running(self) -> subprocess.Popen[str]:
        if self.process is None:
            raise RuntimeError("the program is not running")
        return self.process


class RtspServer(Program):
    """A camera with these mounts: {path: {"feed": file, "shared": bool, "transports": [...]}}.

    `tls` is a certificate and its key: it then speaks RTSP under TLS alone. Every start keeps the
    port and the clock: after an outage the numbers are where they would have been.
    """

    def __init__(
        self,
        mounts: dict[str, dict[str, Any]],
        *,
        epoch: float | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
        user: str | None = None,
        password: str | None = None,
        tls: tuple[Path, Path] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        super().__init__([need_gstreamer(), str(HERE / "rtsp_server.py")], prefix)
        self.mounts, self.address, self.port = mounts, address, port
        self.epoch = time.time() if epoch is None else epoch
        self.user, self.password = user, password
        self.certificate, self.key = tls or (None, None)

    def first_line(self) -> str:
        """Where to listen, since when, and what to serve."""
        names = ("address", "port", "epoch", "user", "password", "mounts", "certificate", "key")
        return json.dumps({name: getattr(self, name) for name in names}, default=str)

    def start(self) -> str:
        """The port."""
        said = super().start()
        self.port = int(said)
        return said

    def url(self, mount: str, user: str | None = None, password: str | None = None) -> str:
        """The address of a mount, with credentials when they are given."""
        who = f"{user}:{password}@" if user is not None else ""
        scheme = "rtsps" if self.certificate else "rtsp"
        return f"{scheme}://{who}{self.address}:{self.port}{mount}"

    def swap(self, mount: str, feed: Path) -> None:
        """Goes on with another feed inside the sessions that run."""
        self.tell(json.dumps({"mount": mount, "swap": str(feed)}))

    def replace(self, mount: str, feed: Path, **rest: Any) -> None:
        """Drops all clients and serves another feed behind the same address."""
        self.mounts[mount] = {"feed": feed, **rest}
        self.tell(json.dumps({"mount": mount, **self.mounts[mount]}, default=str))

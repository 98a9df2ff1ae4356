"""Senders and relays of a trial: MPEG-TS over UDP and TCP, and RTMP through nginx."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.live.servers import HERE, READY_WITHIN_S, Program
from tests.needs import need_nginx_rtmp


class Sender(Program):
    """Plays a file to an address by PyAV: MPEG-TS over UDP or TCP, RTMP and others.

    `url` and `format` are FFmpeg's; `shifts` are [(seconds since the start, seconds added to the
    true time stamps from then on)], so that jumps and wraps are made to order: with 2**33 / 90000
    - 25 from 0 on, MPEG-TS wraps five seconds after the start.
    """

    def __init__(
        self,
        path: Path,
        url: str,
        format_name: str,
        *,
        epoch: float | None = None,
        seconds: float = 64.0,
        shifts: Sequence[tuple[float, float]] = (),
        options: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        super().__init__([sys.executable, str(HERE / "sender.py")], prefix)
        self.wish = {
            "path": str(path),
            "url": url,
            "format": format_name,
            "epoch": time.time() if epoch is None else epoch,
            "seconds": seconds,
            "shifts": list(shifts),
            "options": options or {},
        }

    def first_line(self) -> str:
        """What to play, and where to."""
        return json.dumps(self.wish)


class RtmpServer(Program):
    """nginx with its RTMP module; a `Sender` publishes to `url`, and any number may watch it."""

    def __init__(
        self, folder: Path, address: str = "127.0.0.1", prefix: Sequence[str] = ()
    ) -> None:
        self.address, self.port = address, free_port(address)
        self.settings = folder / f"nginx_{self.port}.conf"
        module = need_nginx_rtmp()
        self.settings.write_text(
            f"load_module {module};\ndaemon off;\nmaster_process off;\n"
            f"error_log {folder}/nginx.log;\npid {folder}/nginx_{self.port}.pid;\n"
            "events { worker_connections 256; }\n"
            f"rtmp {{ server {{ listen {address}:{self.port}; "
            "application live { live on; wait_key on; interleave on; } } }\n"
        )
        # nginx does not watch its standard input: it has to die with the test some other way.
        command = ["setpriv", "--pdeathsig", "KILL", "nginx", "-c", str(self.settings)]
        super().__init__(command, prefix)

    @property
    def url(self) -> str:
        """Where to publish and to watch."""
        return f"rtmp://{self.address}:{self.port}/live/camera"

    def start(self) -> str:
        """The port, once something answers there."""
        self.launch()
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection((self.address, self.port), 1.0).close()
            except OSError:
                time.sleep(0.01)
            else:
                self.ready_at = time.time()
                return str(self.port)
        self.kill()
        raise RuntimeError(f"nginx does not answer on {self.address}:{self.port}")


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port of this address that nobody has at this moment."""
    with socket.create_server((address, 0)) as probe:
        return int(probe.getsockname()[1])

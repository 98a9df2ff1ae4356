"""Pictures over HTTP: a file as a progressive download, and a camera's endless MJPEG."""

from __future__ import annotations

import base64
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import av

from tests.live.footage import Clip


class Listener(ThreadingHTTPServer):
    """A server in threads of this process; a viewer that goes away is no error."""

    daemon_threads = True

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints what is none of the viewer's doing."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class HttpServer:
    """Serves `/NAME` for every file, with ranges, and `/camera.mjpeg` when `pictures` are given.

    The camera's frame is the clip's by the wall clock since `epoch`. With a user, Basic
    authentication is asked for. `cut()` ends all answers that are under way.
    """

    def __init__(
        self,
        files: dict[str, Path],
        *,
        camera: tuple[Path, Clip] | None = None,
        epoch: float = 0.0,
        address: str = "127.0.0.1",
        user: str | None = None,
        password: str = "",
    ) -> None:
        self.files, self.epoch, self.address = files, epoch, address
        self.pictures = jpegs(camera[0]) if camera else []
        self.rate = camera[1].rate if camera else 0
        word = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.authorization = f"Basic {word}" if user is not None else None
        self.stopped = threading.Event()

    def __enter__(self) -> Self:
        self._server = Listener((self.address, 0), _handler(self)).__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._server.__exit__()

    def url(self, name: str, who: str = "") -> str:
        """The address of a file or the camera; `who` is `user:password@`."""
        return f"http://{who}{self.address}:{self._server.server_address[1]}/{name}"

    def cut(self) -> None:
        """All answers under way end; new ones are whole again."""
        stopped, self.stopped = self.stopped, threading.Event()
        stopped.set()


def jpegs(path: Path) -> list[bytes]:
    """Every frame of a clip whose video is MJPEG."""
    with av.open(path) as container:
        return [bytes(one) for one in container.demux(video=0) if one.size]


def _handler(server: HttpServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            name = self.path.lstrip("/")
            asked = self.headers.get("Authorization")
            if server.authorization is not None and asked != server.authorization:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif name == "camera.mjpeg" and server.pictures:
                self._camera()
            elif name in server.files:
                self._file(server.files[name].read_bytes())
            else:
                self.send_error(404)

        def _file(self, data: bytes) -> None:
            asked = self.headers.get("Range", "")
            first = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
            self.send_response(206 if asked else 200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(data) - first))
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            self._write(data[first:])

        def _camera(self) -> None:
            self.close_connection = True
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
            self.end_headers()
            stopped, pictures, rate = server.stopped, server.pictures, server.rate
            number = int((time.time() - server.epoch) * rate)
            while not stopped.wait(max(0.0, server.epoch + number / rate - time.time())):
                picture = pictures[number % len(pictures)]
                head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}"
                if not self._write(head.encode() + b"\r\n\r\n" + picture + b"\r\n"):
                    return
                number += 1

        def _write(self, data: bytes) -> bool:
            """False when the viewer is gone."""
            try:
                self.wfile.write(data)
            except OSError:
                self.close_connection = True
                return False
            return True

        def log_message(self, *_: Any) -> None:
            pass

    return Handler

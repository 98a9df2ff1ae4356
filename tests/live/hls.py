"""A live HLS origin: segments cut before, released by the wall clock, with faults to switch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self, cast

import av

from tests.live.footage import Clip
from tests.live.http_server import Listener


@dataclass(frozen=True)
class Segments:
    """A clip cut at its key frames; `init` and `key` are empty when there is none."""

    folder: Path
    names: list[str]
    length_s: int
    init: str = ""
    key: str = ""


def cut(
    path: Path,
    clip: Clip,
    folder: Path,
    *,
    length_s: int = 2,
    kind: str = "mpegts",
    aes: bool = False,
) -> Segments:
    """The clip in this folder as segments of `length_s`; `kind` is mpegts or fmp4."""
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "hls_time": str(length_s),
        "hls_list_size": "0",
        "hls_segment_type": kind,
        "hls_segment_filename": str(folder / ("%03d.m4s" if kind == "fmp4" else "%03d.ts")),
    }
    if aes:
        (folder / "key.bin").write_bytes(bytes(range(16)))
        (folder / "key.txt").write_text(f"key.bin\n{folder}/key.bin\n{'00' * 16}\n")
        options["hls_key_info_file"] = str(folder / "key.txt")
    with (
        av.open(path) as source,
        av.open(folder / "cut.m3u8", "w", format="hls", options=options) as target,
    ):
        streams = {one.index: target.add_stream_from_template(one) for one in source.streams}
        for packet in source.demux():
            if (
                packet.pts is None
                or packet.pts * cast("Fraction", packet.time_base) >= clip.seconds
            ):
                continue
            packet.stream = streams[packet.stream_index]
            target.mux_one(packet)
    written = (folder / "cut.m3u8").read_text().splitlines()
    names = [line for line in written if line and not line.startswith("#")]
    init = "init.mp4" if kind == "fmp4" else ""
    return Segments(folder, names, length_s, init, "key.bin" if aes else "")


@dataclass
class Origin:
    """Serves the segments round and round since `epoch`; change its fields to make faults.

    `status` answers every request with this code (404, 503) when it is not 0; `stalled` keeps the
    playlist as it was when it was set; `base` is the segment that is number 0 of the playlist;
    `seams` are the segments before which a discontinuity is announced.
    """

    segments: Segments
    epoch: float
    address: str = "127.0.0.1"
    window: int = 4
    status: int = 0
    stalled: float = 0.0
    base: int = 0
    seams: list[int] = field(default_factory=list)
    asked: list[tuple[float, str, int]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = Listener((self.address, 0), _handler(self)).__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()

    @property
    def url(self) -> str:
        """The playlist."""
        return f"http://{self.address}:{self._server.server_address[1]}/live.m3u8"

    @contextmanager
    def failing(self, status: int) -> Iterator[None]:
        """Every answer is this status inside."""
        self.status = status
        try:
            yield
        finally:
            self.status = 0

    @contextmanager
    def stall(self) -> Iterator[None]:
        """The playlist does not go on inside."""
        self.stalled = time.time()
        try:
            yield
        finally:
            self.stalled = 0.0

    def restart_encoder(self, *, renumber: bool) -> None:
        """The next segment follows a discontinuity, numbered on or, as careless ones do, from 0."""
        following = int((time.time() - self.epoch) // self.segments.length_s) + 1
        self.seams.append(following)
        if renumber:
            self.base = following

    def playlist(self) -> str:
        """The newest segments that are complete now."""
        now = self.stalled or time.time()
        length, names = self.segments.length_s, self.segments.names
        complete = int((now - self.epoch) // length)
        # Until the new encoder has a segment, the old one's list stands.
        base = self.base if complete > self.base else 0
        first = max(base, complete - self.window)
        # Every round of the clip starts its time stamps anew.
        seams = {*self.seams, *range(0, complete, len(names))}
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:7",
            f"#EXT-X-TARGETDURATION:{length}",
            f"#EXT-X-MEDIA-SEQUENCE:{first - base}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{sum(one < first for one in seams)}",
        ]
        if self.segments.key:
            iv = "00" * 16
            lines.append(f'#EXT-X-KEY:METHOD=AES-128,URI="{self.segments.key}",IV=0x{iv}')
        for number in range(first, complete):
            if number in seams:
                lines.append("#EXT-X-DISCONTINUITY")
            if self.segments.init and (number in seams or number == first):
                # A new encoder's header has an address of its own.
                era = sum(one <= number for one in seams)
                lines.append(f'#EXT-X-MAP:URI="{era}_{self.segments.init}"')
            lines += [f"#EXTINF:{length}.0,", f"{number}_{names[number % len(names)]}"]
        return "\n".join(lines) + "\n"

    def answer(self, path: str) -> tuple[int, bytes]:
        """(status, body) of a request."""
        name = path.lstrip("/").split("?")[0]
        if self.status:
            return self.status, b""
        if name == "live.m3u8":
            return 200, self.playlist().encode()
        stem = name.split("_", 1)[-1]
        known = {*self.segments.names, self.segments.init, self.segments.key} - {""}
        return (200, (self.segments.folder / stem).read_bytes()) if stem in known else (404, b"")


def _handler(origin: Origin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = origin.answer(self.path)
            origin.asked.append((time.time(), self.path, status))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler

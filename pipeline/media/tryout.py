"""One try of a source, told in words: what it is and how soon it came, or why it did not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import av

from pipeline.errors import SourceAbsent, SourceError, SourceMissing, SourceUnreadable
from pipeline.media.address import LiveAddress, OpenPlan, plan_of, web_of
from pipeline.media.kinds import PORTS
from pipeline.media.opening import Opened, opened
from pipeline.media.probe import describe
from pipeline.media.web import cannot_reach, connected, secure
from pipeline.records import StreamInfo

MAX_PACKETS = 2000
_FFMPEG_CONNECTS = frozenset({"rtsp", "rtsps", "rtmp", "rtmps", "tcp"})


@dataclass(frozen=True, slots=True)
class Tryout:
    """What came of a try: `info` and the seconds until each came, or `failure`; `notes` beside."""

    info: StreamInfo | None = None
    packet_s: float | None = None
    picture_s: float | None = None
    failure: str = ""
    notes: tuple[str, ...] = ()


def tryout(address: LiveAddress, name: str) -> Tryout:
    """Opens the source, waits for its first picture (or sound, where it has none), and closes it.

    It may hang inside FFmpeg: run it in a process that can be killed.
    """
    notes = tuple(_notes(address))
    started = time.monotonic()
    try:
        plan = plan_of(address, _newest(address.path) if address.kind == "folder" else None)
    except SourceError as error:
        return Tryout(failure=str(error), notes=notes)
    try:
        return _tried(plan, name, started, notes)
    except SourceError as error:
        return Tryout(failure=_deeper(address, error), notes=notes)


def _tried(plan: OpenPlan, name: str, started: float, notes: tuple[str, ...]) -> Tryout:
    with opened(plan) as source:
        notes = (*notes, source.note) if source.note else notes
        packet_s = None
        for has_picture in _decoded(source):
            now = time.monotonic() - started
            packet_s = now if packet_s is None else packet_s
            if has_picture:
                # Now, since before a keyframe no size is known.
                return Tryout(describe(source, plan, name), packet_s, now, notes=notes)
    what = "nothing came of it" if packet_s is None else "nothing in it could be decoded"
    message = f"{plan.shown}: it can be opened, but {what}"
    raise SourceUnreadable(message)


def _decoded(source: Opened) -> Iterator[bool]:
    """For each packet, whether a picture came of it (or sound, where there are no pictures)."""
    wanted = source.video or source.audio
    assert wanted is not None
    for count, packet in enumerate(source.container.demux(wanted)):
        try:
            yield bool(packet.decode())
        except av.error.InvalidDataError:
            yield False
        if count == MAX_PACKETS:
            return


def _notes(address: LiveAddress) -> Iterator[str]:
    if address.credentials is not None and (worry := address.credentials.worry()):
        yield worry
    scheme = urlsplit(address.url).scheme
    if address.credentials is not None and scheme in ("http", "rtmp"):
        yield f"{scheme} shows the password to the network; use {scheme}s if the sender can"
    if scheme in ("https", "rtsps", "rtmps") and not address.tls_verify:
        yield "tls.verify is off: anybody in between can read and replace this stream"


def _newest(folder: Path) -> Path:
    """The file of a folder that was begun last but one, or else the only one."""
    try:
        files = sorted(
            (path for path in folder.iterdir() if path.is_file() and path.stat().st_size),
            key=lambda path: path.stat().st_mtime,
        )
    except OSError:
        message = f"{folder}: no folder that can be read; check the path"
        raise SourceMissing(message) from None
    if not files:
        message = f"{folder}: no file is in it yet; is the recorder running?"
        raise SourceMissing(message)
    return files[-2:][0]


def _deeper(address: LiveAddress, error: SourceError) -> str:
    """The error in words; where FFmpeg connects and does not say why, the connection is tried."""
    parts = urlsplit(address.url)
    vague = type(error) in (SourceUnreadable, SourceAbsent)
    if parts.scheme not in _FFMPEG_CONNECTS or not vague or not parts.hostname:
        return str(error)
    port = parts.port or PORTS.get(parts.scheme, 0)
    web = web_of(address, 0.0, None)
    try:
        with connected(parts.hostname, port, web) as link:
            if parts.scheme in ("rtsps", "rtmps"):
                secure(link, parts.hostname, web).close()
    except SourceError as deeper:
        return str(deeper)
    except OSError as deeper:
        return str(cannot_reach(address.shown, deeper))
    said = str(error).removeprefix(f"{address.shown}: ")
    return (
        f"{address.shown}: something listens at port {port}, but no stream came of it ({said});"
        f" check that it speaks {parts.scheme}, and the path"
    )

"""The one door through which media is opened: what may be opened, and errors a person can use.

FFmpeg opens far more than files: `concat:`, `subfile,`, `lavfi` devices, playlists that name
other files. Here a local path is opened as a file and nothing else, and an address on the network
may not reach into the local disk.
"""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from pipeline.errors import (
    SourceAbsent,
    SourceError,
    SourceLost,
    SourceMissing,
    SourceRefused,
    SourceUnreadable,
)
from pipeline.media.accelerate import accelerator
from pipeline.media.address import OpenPlan, typed_plan
from pipeline.media.bucket import LIBRARIES, BucketFile, is_bucket
from pipeline.media.kinds import LOCAL_KINDS
from pipeline.media.parts import PartOpener, Playlist, WebFile, refuse_parts
from pipeline.media.web import WebClient
from pipeline.redaction import redact as redact

NETWORK_SCHEMES = frozenset(
    {"http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "rtmpt", "rtp", "tcp", "udp"}
)
NETWORK_PROTOCOLS = ",".join(
    [*sorted(NETWORK_SCHEMES), "crypto", "ffrtmphttp", "hls", "httpproxy", "tls"]
)
# `tty` takes any text for a picture of a terminal; the others are lists that name other files.
REFUSED_FORMATS = frozenset({"tty", "concat", "lavfi"})
REFUSED_LOCAL_FORMATS = REFUSED_FORMATS | {"hls", "dash", "imf"}
NETWORK_TIMEOUT_S = 10.0
MAX_PIXELS = 64_000_000
MAX_STREAMS = 128
_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]+):")


@dataclass(frozen=True, slots=True)
class Opened:
    """An open container and the streams of it that are read; `note` is what a person may want."""

    container: InputContainer
    video: VideoStream | None
    audio: AudioStream | None
    note: str = ""

    @property
    def origin(self) -> Fraction | None:
        """The source's own time, in exact seconds, that is media time 0; None if it has none."""
        starts = [
            Fraction(stream.start_time) * exact(stream.time_base)
            for stream in (self.video, self.audio)
            if stream is not None and stream.start_time is not None
        ]
        return min(starts, default=None)


def exact(ratio: object) -> Fraction:
    """PyAV's ratio as a `Fraction`: the one place that knows how PyAV writes ratios."""
    numerator = getattr(ratio, "numerator", 0)
    denominator = getattr(ratio, "denominator", 0)
    return Fraction(int(numerator), int(denominator) or 1)


def exact_rate(ratio: object) -> Fraction | None:
    """PyAV's rate as a `Fraction`, or None when the header claims none or nonsense."""
    rate = exact(ratio)
    return rate if rate > 0 else None


def shown(source: str | OpenPlan) -> str:
    """The source's address as it may be told."""
    return source.shown if isinstance(source, OpenPlan) else redact(source)


def local_path(source: str) -> Path | None:
    """Where the source is on this machine's disk, or None when it is elsewhere."""
    if source.startswith("file:"):
        return Path(re.sub(r"^file:(//)?", "", source))
    path = Path(source)
    scheme = _SCHEME.match(source)
    if scheme is None or path.exists():
        return path
    if scheme[1].lower() in NETWORK_SCHEMES or is_bucket(source):
        return None
    known = ", ".join(sorted(NETWORK_SCHEMES.union(LIBRARIES)))
    message = (
        f"{redact(source)}: cannot open {scheme[1]!r} addresses; give a file or one of {known}"
    )
    raise SourceUnreadable(message)


@contextmanager
def opened(
    source: str | OpenPlan,
    *,
    timeout_s: float | None = None,
    options: Mapping[str, str] | None = None,
) -> Iterator[Opened]:
    """The open source with its first video and first audio stream; closed at the end.

    `timeout_s` bounds every read from the network (10 s unless told, or what the plan says).
    Raises SourceMissing, SourceUnreadable or what these have below them; FFmpeg errors that leave
    the block are translated too, as SourceLost.
    """
    plan = source if isinstance(source, OpenPlan) else _plan_for(source, timeout_s)
    failure: SourceError
    with ExitStack() as exit_stack:
        container: InputContainer | None = None
        started = time.monotonic()
        try:
            container, note = _container(plan, options or {}, exit_stack)
            exit_stack.enter_context(container)
        except (av.FFmpegError, OSError, ValueError) as error:
            failure = _cannot_open(plan, error, time.monotonic() - started)
        if container is not None:
            try:
                yield _streams_of(container, plan, note)
            except av.FFmpegError as error:
                message = f"{plan.shown}: broke off: {reason(error)}"
                failure = SourceLost(message)
            else:
                return
    # Outside of the handlers: PyAV's errors hold the address with its password.
    raise failure


def _plan_for(source: str, timeout_s: float | None) -> OpenPlan:
    """The plan for a file, or for an address that somebody gave on the command line."""
    path = local_path(source)
    if path is not None:
        return OpenPlan(str(path), redact(source), "file", None, {}, "file", None)
    if is_bucket(source):
        return OpenPlan(source, redact(source), "http", None, {}, "crypto", None)
    timeout = NETWORK_TIMEOUT_S if timeout_s is None else timeout_s
    if source.startswith(("http:", "https:")):
        return typed_plan(source, timeout)
    protocols, waits = NETWORK_PROTOCOLS, (timeout, timeout)
    return OpenPlan(source, redact(source), "rtsp", None, {}, protocols, waits)


def _container(
    plan: OpenPlan, options: Mapping[str, str], exit_stack: ExitStack
) -> tuple[InputContainer, str]:
    what: str | WebFile | BucketFile = plan.url
    form = plan.format
    io_open: PartOpener | None = None
    if plan.kind in LOCAL_KINDS:
        _check_local(plan)
        what = plan.url if plan.kind == "device" else f"file:{plan.url}"
    elif plan.web is not None:
        client = WebClient(plan.url, plan.web)
        if plan.kind == "hls":
            io_open = Playlist(client, plan.web.patience_s).open
        else:
            what = exit_stack.enter_context(closing(WebFile(client, plan.url)))
            form, io_open = form or what.format, refuse_parts
    elif is_bucket(plan.url):
        what, io_open = exit_stack.enter_context(closing(BucketFile(plan.url))), refuse_parts
    hardware, note = accelerator(plan.hwaccel)
    container = av.open(
        what,
        "r",
        format=form,
        container_options={
            "max_streams": str(MAX_STREAMS + 1),
            **plan.options,
            **options,
            "protocol_whitelist": plan.protocols,
        },
        timeout=plan.timeout_s,
        metadata_errors="replace",
        io_open=io_open,
        hwaccel=hardware,
    )
    return container, note


def reason(error: BaseException) -> str:
    """What FFmpeg said, without the address that it said it of."""
    return str(getattr(error, "strerror", None) or type(error).__name__)


def _check_local(plan: OpenPlan) -> None:
    path = Path(plan.url)
    if plan.kind != "device":
        _check_file(path)
    elif not path.exists():
        message = f"{path}: no such device; is the camera plugged in, and /dev/video* let in here?"
        raise SourceMissing(message)
    elif not path.is_char_device():
        message = f"{path} is no device; name a camera's (/dev/video0), or give another `kind`"
        raise SourceMissing(message)


def _check_file(path: Path) -> None:
    if path.is_dir():
        message = f"{path} is a directory; name a file in it (witness batch takes directories)"
        raise SourceMissing(message)
    if not path.exists():
        message = f"{path}: no such file; check the path"
        raise SourceMissing(message)
    if not path.is_file():
        message = f"{path} is not a regular file; give a media file or a network address"
        raise SourceUnreadable(message)
    if path.stat().st_size == 0:
        message = f"{path} is empty (0 bytes); was it copied or recorded to its end?"
        raise SourceUnreadable(message)


def _cannot_open(plan: OpenPlan, error: Exception, took_s: float) -> SourceError:
    name = plan.shown
    if isinstance(error, SourceError):
        return error
    if isinstance(error, FileNotFoundError | av.error.HTTPNotFoundError):
        return SourceMissing(f"{name}: nothing is there; check the address")
    if isinstance(error, PermissionError):
        return SourceUnreadable(f"{name}: no permission to read it")
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return SourceRefused(f"{name}: refused; check the user name and the password")
    # RTSP takes a sender that says nothing for one that says nonsense.
    waited = plan.timeout_s is not None and took_s >= min(plan.timeout_s)
    if isinstance(error, av.error.ExitError | TimeoutError) or waited:
        return SourceAbsent(f"{name}: no answer in time; is the sender running?")
    if isinstance(error, ConnectionError):
        return SourceAbsent(f"{name}: no connection ({reason(error)}); is the sender running?")
    if plan.url.startswith(("rtsps:", "rtmps:")) and getattr(error, "errno", 0) == errno.EIO:
        return SourceUnreadable(
            f"{name}: no secure connection; is its certificate trusted (tls.ca_file), is it TLS?"
        )
    if plan.kind == "device":
        return SourceUnreadable(
            f"{name}: no camera that can be read ({reason(error)}); v4l2-ctl --list-devices names"
            " the cameras, and only one program may read each"
        )
    if plan.kind not in LOCAL_KINDS:
        return SourceUnreadable(f"{name}: cannot be opened ({reason(error)})")
    return SourceUnreadable(
        f"{name} is not a video or sound file that can be read, or its header is cut off"
        f" ({reason(error)}); try to play it, or convert it with ffmpeg"
    )


def _streams_of(container: InputContainer, plan: OpenPlan, note: str) -> Opened:
    shown = plan.shown
    refused = REFUSED_LOCAL_FORMATS if plan.kind in LOCAL_KINDS else REFUSED_FORMATS
    if container.format.name in refused:
        message = f"{shown} is not a video or sound file, but text or a list of files"
        raise SourceUnreadable(message)
    if len(container.streams) > MAX_STREAMS:
        message = f"{shown} has more than {MAX_STREAMS} streams; that is no camera and no film"
        raise SourceUnreadable(message)
    readable = [stream for stream in container.streams if stream.codec_context is not None]
    video = next(
        (
            stream
            for stream in readable
            if isinstance(stream, VideoStream) and not stream.disposition & Disposition.attached_pic
        ),
        None,
    )
    audio = next((stream for stream in readable if isinstance(stream, AudioStream)), None)
    if video is None and audio is None:
        found = ", ".join(sorted({stream.type for stream in container.streams})) or "none"
        message = (
            f"{shown} has no stream of pictures or sound that can be read (streams in it:"
            f" {found}); if it should have, it is damaged or of an unknown codec"
        )
        raise SourceUnreadable(message)
    if video is not None:
        _refuse_too_large(video, shown)
    return Opened(container, video, audio, note)


def _refuse_too_large(video: VideoStream, shown: str) -> None:
    # Checked before a frame buffer is allocated; the decoder is told too, for sizes that change.
    pixels = video.codec_context.width * video.codec_context.height
    if pixels > MAX_PIXELS:
        size = f"{video.codec_context.width}x{video.codec_context.height}"
        message = f"{shown}: pictures of {size} are above {MAX_PIXELS} pixels; scale it down"
        raise SourceUnreadable(message)
    video.codec_context.options = {"max_pixels": str(MAX_PIXELS)}

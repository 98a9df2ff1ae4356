"""The one door through which media is opened: what may be opened, and errors a person can use.

FFmpeg opens far more than files: `concat:`, `subfile,`, `lavfi` devices, playlists that name
other files. Here a local path is opened as a file and nothing else, and an address on the network
may not reach into the local disk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from pipeline.errors import SourceError, SourceLost, SourceMissing, SourceUnreadable

NETWORK_SCHEMES = frozenset(
    {"http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "rtmpt", "rtp", "tcp", "udp"}
)
NETWORK_PROTOCOLS = ",".join(
    [*sorted(NETWORK_SCHEMES), "crypto", "ffrtmphttp", "hls", "httpproxy", "tls"]
)
# `tty` takes any text for a picture of a terminal; the others are lists that name other files.
REFUSED_FORMATS = frozenset({"tty", "concat", "lavfi"})
NETWORK_TIMEOUT_S = 10.0
MAX_PIXELS = 64_000_000
_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]+):")
_USER_INFO = re.compile(r"(?<=//)[^/?#\s]*@")
_SECRET = re.compile(
    r"(?i)([?&;][^=&;\s]*(?:pass|pwd|token|secret|key|auth|sig)[^=&;\s]*=)[^&;#\s]*"
)


@dataclass(frozen=True, slots=True)
class Opened:
    """An open container and the streams of it that are read."""

    container: InputContainer
    video: VideoStream | None
    audio: AudioStream | None

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


def redact(text: str) -> str:
    """The same text with user names, passwords and tokens of any address in it replaced."""
    return _SECRET.sub(r"\1***", _USER_INFO.sub("***@", text))


def local_path(source: str) -> Path | None:
    """Where the source is on this machine's disk, or None when it is on the network."""
    if source.startswith("file:"):
        return Path(re.sub(r"^file:(//)?", "", source))
    path = Path(source)
    scheme = _SCHEME.match(source)
    if scheme is None or path.exists():
        return path
    if scheme[1].lower() in NETWORK_SCHEMES:
        return None
    known = ", ".join(sorted(NETWORK_SCHEMES))
    message = (
        f"{redact(source)}: cannot open {scheme[1]!r} addresses; give a file or one of {known}"
    )
    raise SourceUnreadable(message)


@contextmanager
def opened(
    source: str, *, timeout_s: float | None = None, options: Mapping[str, str] | None = None
) -> Iterator[Opened]:
    """The open source with its first video and first audio stream; closed at the end.

    `timeout_s` bounds every read from the network (10 s unless told). Raises SourceMissing or
    SourceUnreadable; FFmpeg errors that leave the block are translated too, as SourceLost.
    """
    path = local_path(source)
    if path is None:
        address, protocols = source, NETWORK_PROTOCOLS
        timeout = NETWORK_TIMEOUT_S if timeout_s is None else timeout_s
    else:
        _check_file(path)
        address, protocols, timeout = f"file:{path}", "file", None
    container_options = {**(options or {}), "protocol_whitelist": protocols}
    failure: SourceError
    try:
        container = av.open(
            address,
            container_options=container_options,
            timeout=timeout,
            metadata_errors="replace",
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        failure = _cannot_open(source, error)
    else:
        with container:
            try:
                yield _streams_of(container, source)
            except av.FFmpegError as error:
                message = f"{redact(source)}: broke off: {reason(error)}"
                failure = SourceLost(message)
            else:
                return
    # Outside of the handlers: PyAV's errors hold the address with its password.
    raise failure


def reason(error: BaseException) -> str:
    """What FFmpeg said, without the address that it said it of."""
    return str(getattr(error, "strerror", None) or type(error).__name__)


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


def _cannot_open(source: str, error: Exception) -> SourceError:
    name = redact(source)
    if isinstance(error, FileNotFoundError | av.error.HTTPNotFoundError):
        return SourceMissing(f"{name}: nothing is there; check the address")
    if isinstance(error, PermissionError):
        return SourceUnreadable(f"{name}: no permission to read it")
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return SourceUnreadable(f"{name}: refused; check the user name and the password")
    if isinstance(error, av.error.ExitError | TimeoutError):
        return SourceUnreadable(f"{name}: no answer in time; is the sender running?")
    if isinstance(error, ConnectionError):
        return SourceUnreadable(f"{name}: no connection ({reason(error)}); is the sender running?")
    if local_path(source) is None:
        return SourceUnreadable(f"{name}: cannot be opened ({reason(error)})")
    return SourceUnreadable(
        f"{name} is not a video or sound file that can be read, or its header is cut off"
        f" ({reason(error)}); try to play it, or convert it with ffmpeg"
    )


def _streams_of(container: InputContainer, source: str) -> Opened:
    if container.format.name in REFUSED_FORMATS:
        message = f"{redact(source)} is not a video or sound file, but text or a list of files"
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
            f"{redact(source)} has no stream of pictures or sound that can be read (streams in it:"
            f" {found}); if it should have, it is damaged or of an unknown codec"
        )
        raise SourceUnreadable(message)
    if video is not None:
        _refuse_too_large(video, source)
    return Opened(container, video, audio)


def _refuse_too_large(video: VideoStream, source: str) -> None:
    # Checked before a frame buffer is allocated; the decoder is told too, for sizes that change.
    pixels = video.codec_context.width * video.codec_context.height
    if pixels > MAX_PIXELS:
        size = f"{video.codec_context.width}x{video.codec_context.height}"
        message = (
            f"{redact(source)}: pictures of {size} are above {MAX_PIXELS} pixels; scale it down"
        )
        raise SourceUnreadable(message)
    video.codec_context.options = {"max_pixels": str(MAX_PIXELS)}

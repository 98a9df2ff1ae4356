"""What a source's header claims, without decoding more than a picture of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import PurePath
from urllib.parse import urlsplit

import av

from pipeline.media.address import OpenPlan
from pipeline.media.opening import Opened, exact, exact_rate, local_path, opened, redact, shown
from pipeline.media.pixels import UPRIGHT, Orientation, orientation_of
from pipeline.records import AudioInfo, StreamInfo, VideoInfo

__all__ = ["describe", "probe", "redact", "stream_name"]

# Only these hold a display matrix in their header; FFmpeg shows it first on a decoded frame.
ROTATING_FORMATS = frozenset({"mov", "matroska"})
PACKETS_TO_FIRST_FRAME = 64


def probe(
    source: str | OpenPlan,
    stream: str | None = None,
    *,
    timeout_s: float | None = None,
    options: Mapping[str, str] | None = None,
) -> StreamInfo:
    """What the source's header claims; the source is opened, looked at, and closed.

    `stream` is the name to give it (from the source when None). Raises SourceMissing and
    SourceUnreadable.
    """
    with opened(source, timeout_s=timeout_s, options=options) as source_opened:
        return describe(source_opened, source, stream or stream_name(source))


def stream_name(source: str | OpenPlan) -> str:
    """A name for the stream that is safe in file names: letters, digits, `-`, `_` and `.`."""
    if isinstance(source, OpenPlan):
        source = source.url
    path = local_path(source)
    if path is None:
        parts = urlsplit(source)
        stem = f"{parts.hostname or parts.scheme}{PurePath(parts.path).with_suffix('')}"
    else:
        stem = path.stem
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-.") or "stream"


def describe(source_opened: Opened, source: str | OpenPlan, stream: str) -> StreamInfo:
    """The open source's header in the project's own words; sizes as shown."""
    container = source_opened.container
    duration = container.duration
    return StreamInfo(
        stream=stream,
        source=shown(source),
        container=container.format.name,
        video=_video_info(source_opened, source),
        audio=_audio_info(source_opened),
        duration_from_header=Fraction(duration, av.time_base) if duration else None,
    )


def orientation(source_opened: Opened, source: str | OpenPlan) -> Orientation:
    """How the source's pictures are to be turned, by its first picture; upright if none comes."""
    formats = set(source_opened.container.format.name.split(","))
    if source_opened.video is None or not formats & ROTATING_FORMATS:
        return UPRIGHT
    # A second, short opening: what the first one reads must stay unread for the decoder.
    with opened(source) as again:
        assert again.video is not None
        again.video.codec_context.thread_count = 1
        try:
            for count, packet in enumerate(again.container.demux(again.video)):
                for frame in packet.decode():
                    return orientation_of(frame)
                if count == PACKETS_TO_FIRST_FRAME:
                    break
        except av.FFmpegError:
            return UPRIGHT
    return UPRIGHT


def _video_info(source_opened: Opened, source: str | OpenPlan) -> VideoInfo | None:
    video = source_opened.video
    if video is None:
        return None
    turned = orientation(source_opened, source)
    width, height = turned.shown(video.codec_context.width, video.codec_context.height)
    return VideoInfo(
        codec=video.codec_context.name,
        width=width,
        height=height,
        time_base=exact(video.time_base),
        rate_from_header=exact_rate(video.average_rate or video.guessed_rate),
        rotation_degrees=turned.degrees,
    )


def _audio_info(source_opened: Opened) -> AudioInfo | None:
    audio = source_opened.audio
    if audio is None:
        return None
    return AudioInfo(
        codec=audio.codec_context.name,
        sample_rate=audio.codec_context.sample_rate,
        channels=audio.codec_context.channels,
        layout=audio.codec_context.layout.name,
        time_base=exact(audio.time_base),
    )

"""A second, bounded look at a source, for what draws pictures: frames at times, a waveform."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.errors import SourceUnreadable
from pipeline.media.decode import BAD_READS_IN_A_ROW, Decoder
from pipeline.media.opening import Opened, exact, opened, redact
from pipeline.media.pixels import AvPixels, orientation_of
from pipeline.records import AudioChunk

# Nearer times are reached by decoding on, farther ones by a jump to the keyframe before them.
SEEK_BEYOND_S = Fraction(4)
SEEK_BACK_S = (Fraction(0), Fraction(2), Fraction(10), Fraction(60), Fraction(10**9))
BLOCKS_PER_S = 100


def frames_at(
    source: str, times: Sequence[Fraction], width: int | None = None
) -> Iterator[tuple[Fraction, NDArray[np.uint8]]]:
    """The picture that is shown at each of these media times, in order of time, as (time, RGB).

    Before the first picture it is the first, after the last the last. With `width` the picture is
    scaled to it, keeping its shape. Decodes from keyframe to wanted time only. Raises
    SourceMissing and SourceUnreadable.
    """
    with opened(source) as source_opened:
        if source_opened.video is None:
            message = f"{redact(source)} has no pictures"
            raise SourceUnreadable(message)
        shots = _Shots(source_opened)
        for time in sorted(times):
            frame = shots.at(time)
            if frame is None:
                message = f"{redact(source)}: no picture could be decoded; is the file complete?"
                raise SourceUnreadable(message)
            pixels = AvPixels(frame, orientation_of(frame))
            across = width or pixels.width
            down = max(1, round(pixels.height * across / pixels.width))
            yield time, pixels.rgb(across, down)


def thumbnails(source: str, times: Sequence[Fraction], width: int) -> list[NDArray[np.uint8]]:
    """The pictures shown at these media times, (height, width, 3) RGB, in order of time."""
    return [image for _, image in frames_at(source, times, width)]


def waveform(source: str, bins: int, end: Fraction | None = None) -> NDArray[np.float32]:
    """(bins, 2): lowest and highest sample in equal parts of media time from 0 to `end`.

    `end` is where the sound ends unless told. Channels are averaged; where there is no sound both
    are 0. To 10 ms. Raises SourceMissing, and SourceUnreadable when there is no sound.
    """
    envelope = _envelope(source)
    count = len(envelope) if end is None else max(1, round(end * BLOCKS_PER_S))
    blocks = np.zeros((max(count, 1), 2), np.float32)
    blocks[: min(count, len(envelope))] = envelope[:count]
    edges = np.linspace(0, len(blocks), bins + 1)
    result = np.zeros((bins, 2), np.float32)
    for index in range(bins):
        first = min(int(edges[index]), len(blocks) - 1)
        part = blocks[first : max(first + 1, int(edges[index + 1]))]
        result[index] = part[:, 0].min(), part[:, 1].max()
    return result


def _envelope(source: str) -> NDArray[np.float32]:
    """(blocks, 2): lowest and highest sample of every 10 ms of media time."""
    low: dict[int, float] = {}
    high: dict[int, float] = {}
    with Decoder(source, media={"audio"}) as decoder:
        for item in decoder.items():
            if not isinstance(item, AudioChunk):
                continue
            mono = item.samples.mean(axis=0)
            start = float(item.span.start)
            offsets = np.arange(mono.size) / item.sample_rate
            numbers = ((start + offsets) * BLOCKS_PER_S).astype(np.int64)
            edges = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
            lows = np.minimum.reduceat(mono, edges)
            highs = np.maximum.reduceat(mono, edges)
            for number, least, most in zip(numbers[edges], lows, highs, strict=True):
                low[int(number)] = min(float(least), low.get(int(number), 1.0))
                high[int(number)] = max(float(most), high.get(int(number), -1.0))
    envelope = np.zeros((max(low, default=-1) + 1, 2), np.float32)
    envelope[list(low), 0] = list(low.values())
    envelope[list(high), 1] = list(high.values())
    return envelope


class _Shots:
    """Walks a source's pictures forward, with jumps."""

    def __init__(self, source: Opened) -> None:
        assert source.video is not None
        self._container = source.container
        self._video = source.video
        self._base = exact(source.video.time_base)
        # Raw streams have neither times nor an index: they are walked.
        self._seekable = source.origin is not None
        self._origin = source.origin or Fraction(0)
        self._usual = 1 / (exact(source.video.average_rate) or Fraction(25))
        self._frames = self._decoded()
        self._shown: VideoFrame | None = None
        self._time = Fraction(0)
        self._ahead: tuple[Fraction, VideoFrame] | None = None

    def at(self, time: Fraction) -> VideoFrame | None:
        """The picture shown at `time`, which is not before the one asked for last."""
        reached = self._ahead[0] if self._ahead else self._time
        if self._seekable and time - reached > SEEK_BEYOND_S:
            self._jump(time)
        while True:
            if self._ahead is None:
                frame = next(self._frames, None)
                if frame is None:
                    return self._shown
                self._ahead = (self._time_of(frame), frame)
            if self._shown is not None and self._ahead[0] > time:
                return self._shown
            (self._time, self._shown), self._ahead = self._ahead, None

    def _time_of(self, frame: VideoFrame) -> Fraction:
        if frame.pts is None:
            return self._time + self._usual if self._shown is not None else Fraction(0)
        return frame.pts * self._base - self._origin

    def _jump(self, time: Fraction) -> None:
        # Seeking may land behind the time where keyframes are only guessed at: then from farther.
        for back in SEEK_BACK_S:
            target = max(time - back, Fraction(0))
            ticks = int((target + self._origin) / self._base)
            try:
                self._container.seek(ticks, stream=self._video, backward=True)
            except (av.FFmpegError, OSError):
                # Decoding on gets there too.
                return
            self._frames, self._ahead = self._decoded(), None
            first = next(self._frames, None)
            if first is not None:
                self._ahead = (self._time_of(first), first)
                if self._ahead[0] <= time or not target:
                    return

    def _decoded(self) -> Iterator[VideoFrame]:
        for _ in range(BAD_READS_IN_A_ROW):
            try:
                for packet in self._container.demux(self._video):
                    yield from self._decode(packet)
            except av.error.InvalidDataError:
                continue
            return

    def _decode(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        try:
            return self._video.decode(packet)
        except (av.error.InvalidDataError, av.error.EOFError):
            return []

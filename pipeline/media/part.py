"""One medium of a source: from its packets to frames or chunks of sound with exact times."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, MutableMapping, Sequence
from fractions import Fraction
from time import thread_time
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.media.clock import FALLBACK_RATE, AudioClock, Shown, VideoClock
from pipeline.media.damage import Damage
from pipeline.media.opening import exact, exact_rate
from pipeline.media.pixels import UPRIGHT, AvPixels, Orientation, moving, orientation_of
from pipeline.records import AudioChunk, Frame, Gap, Item, Medium, Skipped, Span

Troubles = Counter[tuple[str, str]]
# FFmpeg's frames have room for so many planes; PyAV looks for the end of the list behind them.
CHANNELS_IN_PLANES = 8
DAMAGED = "packets were lost: pictures are damaged"


class Part(ABC):
    """Decodes one stream of a source; counts what came of it and what was damaged.

    The processor time that this takes is added to `cpu_s`, by medium.
    """

    medium: Medium
    _clock: VideoClock | AudioClock

    def __init__(
        self,
        stream: VideoStream | AudioStream,
        troubles: Troubles,
        cpu_s: MutableMapping[str, float],
    ) -> None:
        self._stream = stream
        self._troubles = troubles
        self._cpu_s = cpu_s
        self.decoded = 0

    def decode(self, packet: Packet[Any]) -> Iterator[Item]:
        """What this packet completes, often nothing; a damaged packet is counted and skipped."""
        if packet.is_corrupt:
            self._troubles[self.medium, "corrupt_packet"] += 1
        try:
            frames = self._taken(packet)
        except av.FFmpegError:
            # Decoders answer damage with all kinds of error numbers, "not permitted" among them.
            self._failed(packet)
            return
        yield from self._placed(frames)

    def _taken(self, packet: Packet[Any] | None) -> list[VideoFrame] | list[AudioFrame]:
        began = thread_time()
        try:
            return self._stream.decode(packet)
        finally:
            self._cpu_s[self.medium] += thread_time() - began

    def drain(self) -> Iterator[Item]:
        """What the decoder still held, at the end of the stream."""
        yield from self._emptied()
        yield from self._last()
        if self._clock.doubted:
            self._troubles[self.medium, "doubted_pts"] += self._clock.doubted

    def _emptied(self) -> Iterator[Item]:
        try:
            frames = self._taken(None)
        except av.error.EOFError:
            frames = []
        except av.FFmpegError:
            self._troubles[self.medium, "corrupt_packet"] += 1
            frames = []
        yield from self._placed(frames)

    def _placed(self, frames: list[VideoFrame] | list[AudioFrame]) -> Iterator[Item]:
        for frame in frames:
            if frame.is_corrupt:
                self._troubles[self.medium, "corrupt_frame"] += 1
            yield from self._place(frame)

    def _failed(self, packet: Packet[Any]) -> None:
        """Counts a packet that could not be decoded, if it is not counted yet."""
        if not packet.is_corrupt:
            self._troubles[self.medium, "corrupt_packet"] += 1

    @abstractmethod
    def _place(self, frame: VideoFrame | AudioFrame) -> Iterator[Item]:
        """What is complete now that this frame has come."""

    def _last(self) -> Iterator[Item]:
        """What waited for a next frame that will not come."""
        return iter(())


class VideoPart(Part):
    """Pictures. Each is given out when the next has come, for only then its end is known.

    Where `damage` judges them, damaged ones are counted and left out, and a Gap stands for them.
    """

    medium: Medium = "video"
    _clock: VideoClock

    def __init__(
        self,
        stream: VideoStream,
        clock: VideoClock,
        troubles: Troubles,
        cpu_s: MutableMapping[str, float],
        damage: Damage | None = None,
    ) -> None:
        super().__init__(stream, troubles, cpu_s)
        self._clock = clock
        self._damage = damage
        self._spoilt = False
        self._spoilt_from: Fraction | None = None
        self._base = exact(stream.time_base)
        self._reorder = self._reorder_ticks(stream)
        self._held: VideoFrame | None = None
        self.skipped = 0
        self._read_bytes = 0
        self._vectors = "flags2" in stream.codec_context.options
        self._fed = self._passing = False
        self._passed: tuple[Shown, Shown] | None = None
        self._passed_frames = 0
        self._rotation = 0
        self._orientation: Orientation | None = None

    def decode(self, packet: Packet[Any]) -> Iterator[Item]:
        """What this packet completes, often nothing; a damaged packet is counted and skipped."""
        self._fed = True
        if not packet.is_keyframe:
            self._read_bytes += packet.size
        return super().decode(packet)

    def pass_over(self, packets: Sequence[Packet[Any]]) -> Iterator[Item]:
        """What the decoder still held, then these pictures as Skipped; a key frame must follow.

        The clock takes them in the order in which they would have been shown.
        """
        if self._fed:
            yield from self._emptied()
            self._stream.codec_context.flush_buffers()
            self._fed = False
        times = [(self._shown_at(packet), packet.duration) for packet in packets]
        for time, duration in sorted(times, key=lambda one: (one[0] is None, one[0] or 0)):
            shown, gap = self._clock.push(time, duration)
            yield from self._given_out(shown)
            if gap is not None:
                yield from self._told()
                yield gap
            self._passing = True
        yield from self._told()

    def _place(self, frame: VideoFrame | AudioFrame) -> Iterator[Item]:
        assert isinstance(frame, VideoFrame)
        spoilt = self._damage is not None and self._damage.spoils(frame)
        # FFmpeg makes up how long one on its way was to be shown, by headers that may be damaged.
        duration = frame.duration if self._damage is None else None
        shown, gap = self._clock.push(self._pts(frame), duration)
        yield from self._given_out(shown)
        yield from self._told()
        if gap is not None:
            yield from self._whole_again(gap.span.start)
            yield gap
        self._held, self._spoilt, self._passing = frame, spoilt, False

    def _failed(self, packet: Packet[Any]) -> None:
        super()._failed(packet)
        if self._damage is not None:
            self._damage.failed(packet)

    def _last(self) -> Iterator[Item]:
        yield from self._given_out(self._clock.flush())
        yield from self._told()

    def _reorder_ticks(self, stream: VideoStream) -> int:
        depth = int(getattr(stream.codec_context, "reorder_depth", 0))
        return round(depth / (exact_rate(stream.average_rate) or FALLBACK_RATE) / self._base)

    def _pts(self, frame: VideoFrame) -> int | None:
        # AVI stores no pts, and those that FFmpeg makes up for it may be late or out of order. A
        # dts counts decoded frames: it is right, less the frames that are held to be reordered.
        invented = self._stream.container.format.name == "avi"
        if frame.pts is not None and not invented:
            return frame.pts
        return None if frame.dts is None else frame.dts - self._reorder

    def _shown_at(self, packet: Packet[Any]) -> int | None:
        invented = self._stream.container.format.name == "avi"
        return packet.dts if invented or packet.pts is None else packet.pts

    def _told(self) -> Iterator[Item]:
        if self._passed is not None:
            first, last = self._passed
            end = (last.pts + last.duration) * last.tick
            yield Skipped(Span(first.pts * first.tick, end), self._passed_frames)
        self._passed, self._passed_frames = None, 0

    def _given_out(self, shown: Shown | None) -> Iterator[Item]:
        if shown is not None and self._passing:
            self._passed = (self._passed[0] if self._passed else shown, shown)
            self._passed_frames += 1
            self.skipped += 1
        if self._held is None or shown is None:
            return
        frame, self._held = self._held, None
        begin = shown.pts * shown.tick
        if self._spoilt:
            self._troubles["video", "damaged_frames"] += 1
            self._spoilt_from = begin if self._spoilt_from is None else self._spoilt_from
        else:
            yield from self._whole_again(begin)
            pixels = AvPixels(frame, self._turned(frame))
            index = self.decoded + self.skipped
            yield Frame(
                index,
                shown.pts,
                shown.duration,
                shown.tick,
                pixels,
                self._read_bytes,
                moving(frame) if self._vectors else None,
            )
        self.decoded += 1

    def _whole_again(self, time: Fraction) -> Iterator[Gap]:
        since, self._spoilt_from = self._spoilt_from, None
        if since is not None:
            yield Gap("video", Span(since, max(since, time)), DAMAGED)

    def _turned(self, frame: VideoFrame) -> Orientation:
        if self._orientation is None or frame.rotation != self._rotation:
            self._rotation = frame.rotation
            self._orientation = orientation_of(frame)
        return self._orientation or UPRIGHT


class AudioPart(Part):
    """Sound, as float32 (channels, samples) in [-1, 1]."""

    medium: Medium = "audio"
    _clock: AudioClock

    def __init__(
        self,
        stream: AudioStream,
        clock: AudioClock,
        troubles: Troubles,
        cpu_s: MutableMapping[str, float],
    ) -> None:
        super().__init__(stream, troubles, cpu_s)
        self._clock = clock

    def _place(self, frame: VideoFrame | AudioFrame) -> Iterator[Item]:
        assert isinstance(frame, AudioFrame)
        if not frame.samples:
            return
        self.decoded += frame.samples
        sounded = self._clock.push(frame.pts, frame.samples, frame.sample_rate)
        if sounded.skip:
            self._troubles["audio", "overlap_samples"] += sounded.skip
        if sounded.gap is not None:
            yield sounded.gap
        if sounded.skip < frame.samples:
            samples = float_samples(frame)[:, sounded.skip :]
            yield AudioChunk(sounded.origin, sounded.first_sample, frame.sample_rate, samples)


def float_samples(frame: AudioFrame) -> NDArray[np.float32]:
    """(channels, samples) in [-1, 1] from any sample format that FFmpeg decodes to."""
    if frame.format.is_planar and frame.layout.nb_channels >= CHANNELS_IN_PLANES:
        # PyAV counts the planes of such frames wrongly and reads past their end.
        packed = av.AudioResampler("flt", frame.layout, frame.sample_rate)
        [frame] = packed.resample(frame)
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype.kind == "f":
        return np.ascontiguousarray(np.clip(samples, -1.0, 1.0), np.float32)
    bits = 8 * samples.dtype.itemsize
    middle = 2 ** (bits - 1) if samples.dtype.kind == "u" else 0
    scaled = (samples.astype(np.float64) - middle) / 2 ** (bits - 1)
    return np.ascontiguousarray(scaled, np.float32)

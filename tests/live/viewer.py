"""A bare viewer: what PyAV hands out of an address, with the time of its arrival."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tests.live import barcode
from tests.live.footage import Clock

# Open after a tenth of the time that FFmpeg takes by default; the first frame tells its size.
QUICK = {"rtsp_transport": "tcp", "analyzeduration": "200000", "fpsprobesize": "0"}


@dataclass
class Seen:
    """What came; `numbers` has None for a frame that cannot be read, `times` are media seconds.

    `realtime` is the Unix time of media second 0, where the sender's RTCP has told it.
    """

    numbers: list[int | None] = field(default_factory=list)
    times: list[float | None] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)
    tones: list[tuple[float, int]] = field(default_factory=list)
    codecs: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    ended: bool = False
    realtime: float | None = None

    def steps(self, around: int = 0) -> set[int]:
        """The differences of successive numbers that could be read, modulo `around` if given."""
        told = [number for number in self.numbers if number is not None]
        steps = {b - a for a, b in itertools.pairwise(told)}
        return {step % around for step in steps} if around else steps

    def lags(self, clock: Clock) -> list[float]:
        """How long after it was due each readable frame was handed out."""
        pairs = zip(self.numbers, self.arrived, strict=True)
        return [
            arrived - clock.time_of(clock.unwrap(number, arrived))
            for number, arrived in pairs
            if number is not None
        ]


def watch(
    url: str,
    seconds: float,
    *,
    options: dict[str, str] | None = None,
    format_name: str | None = None,
    timeout_s: float = 5.0,
) -> Seen:
    """Everything that is handed out within so many seconds of the opening."""
    seen, pieces, start = Seen(), [], None
    with av.open(
        url, format=format_name, options=QUICK if options is None else options, timeout=timeout_s
    ) as container:
        seen.codecs = {one.type: one.codec_context.name for one in container.streams}
        until = time.time() + seconds
        rate = container.streams.audio[0].rate if container.streams.audio else 0
        resampler = av.AudioResampler("flt", "mono", rate) if rate else None
        for packet in container.demux():
            for frame in _decoded(packet, seen):
                if isinstance(frame, av.VideoFrame):
                    seen.numbers.append(barcode.frame_number(frame.to_ndarray(format="gray")))
                    seen.times.append(frame.time)
                    seen.arrived.append(time.time())
                elif resampler is not None and frame.time is not None:
                    start = frame.time if start is None else start
                    pieces += [one.to_ndarray()[0] for one in resampler.resample(frame)]
            if time.time() > until:
                break
        else:
            seen.ended = True
        micros = container.start_time_realtime
        seen.realtime = micros / 1e6 if micros is not None else None
    if pieces and start is not None:
        seen.tones = _tones(np.concatenate(pieces), rate, start)
    return seen


def _tones(samples: NDArray[Any], rate: int, start: float) -> list[tuple[float, int]]:
    return [(start + time, second) for time, second in barcode.tone_onsets(samples, rate)]


def _decoded(packet: Any, seen: Seen) -> list[Any]:
    try:
        return list(packet.decode())
    except av.error.FFmpegError as error:
        seen.errors.append(type(error).__name__)
        return []

"""A source's sound as one unbroken track from media time 0 on, ready to be encoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from typing import Self

import av
import numpy as np
from av.audio.frame import AudioFrame

from pipeline.errors import SourceUnreadable
from pipeline.media.audio import OPTIONS, av_frame
from pipeline.media.decode import Decoder
from pipeline.media.probe import probe
from pipeline.records import AudioChunk

# AAC knows no other rates; FFmpeg's encoder also knows 7350 Hz, players do not.
RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
USUAL_RATE = 48_000
SILENCE_AT_ONCE_S = 1


class Soundtrack:
    """Decodes a source's sound bit by bit, as far as it is wanted; gaps become silence.

    `sample_rate` is 0 when the source has no sound. Mono stays mono, all else becomes stereo.
    """

    def __init__(self, source: str) -> None:
        claimed = probe(source).audio
        self.sample_rate = 0
        self.layout = "mono"
        if claimed is not None:
            self.sample_rate = claimed.sample_rate if claimed.sample_rate in RATES else USUAL_RATE
            self.layout = "mono" if claimed.channels == 1 else "stereo"
        self._source = source
        self._exit = ExitStack()
        self._frames: Iterator[AudioFrame] = iter(())
        self._next: AudioFrame | None = None

    def __enter__(self) -> Self:
        """Opens the source, when it has sound."""
        if self.sample_rate:
            decoder = self._exit.enter_context(Decoder(self._source, media={"audio"}))
            self._frames = self._resampled(decoder)
        return self

    def __exit__(self, *_exc: object) -> None:
        """Closes the source."""
        self._exit.close()

    def until(self, time: Fraction | None) -> Iterator[AudioFrame]:
        """The frames, not given yet, that start before `time` in seconds; None: all the rest.

        Their pts count samples from media time 0.
        """
        while True:
            if self._next is None:
                self._next = next(self._frames, None)
            if self._next is None:
                return
            if time is not None and (self._next.pts or 0) >= time * self.sample_rate:
                return
            frame, self._next = self._next, None
            yield frame

    def _resampled(self, decoder: Decoder) -> Iterator[AudioFrame]:
        position = 0
        for frame in self._converted(decoder):
            frame.pts, frame.time_base = position, Fraction(1, self.sample_rate)
            position += frame.samples
            yield frame

    def _converted(self, decoder: Decoder) -> Iterator[AudioFrame]:
        resampler, shape, taken = None, (0, 0), 0
        for chunk in _unbroken(decoder):
            if resampler is None or shape != (chunk.samples.shape[0], chunk.sample_rate):
                yield from _rest_of(resampler)
                resampler = av.AudioResampler("fltp", self.layout, self.sample_rate, None, OPTIONS)
                shape, taken = (chunk.samples.shape[0], chunk.sample_rate), 0
            frame = av_frame(chunk.samples, chunk.sample_rate, taken)
            taken += frame.samples
            yield from resampler.resample(frame)
        yield from _rest_of(resampler)


def _rest_of(resampler: av.AudioResampler | None) -> list[AudioFrame]:
    """What the resampler still held; one that had nothing to do says None."""
    rest = [] if resampler is None else resampler.resample(None)
    return [frame for frame in rest if frame is not None]


def _unbroken(decoder: Decoder) -> Iterator[AudioChunk]:
    """The chunks, with silence in the places where the source has none."""
    end = Fraction(0)
    try:
        for chunk in decoder.items():
            if not isinstance(chunk, AudioChunk):
                continue
            rate, channels = chunk.sample_rate, chunk.samples.shape[0]
            missing = round((chunk.span.start - end) * rate)
            while missing > 0:
                count = min(missing, rate * SILENCE_AT_ONCE_S)
                silence = np.zeros((channels, count), np.float32)
                yield AudioChunk(end, 0, rate, silence)
                end += Fraction(count, rate)
                missing -= count
            yield chunk
            end = chunk.span.end
    except SourceUnreadable:
        # The header claims sound and there is none: a film without sound is what is left.
        return

"""Sound as the networks hear it: mono float32 at one rate, on the same clock as its source."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import av
import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from pipeline.errors import SourceUnreadable
from pipeline.media.decode import Decoder
from pipeline.media.opening import redact
from pipeline.records import AudioChunk

LAYOUTS = {
    1: "mono",
    2: "stereo",
    3: "2.1",
    4: "quad",
    5: "5.0",
    6: "5.1",
    7: "6.1",
    8: "7.1",
}
# Without it swresample mixes floats down without normalising, and loud stereo leaves [-1, 1].
OPTIONS = {"rematrix_maxval": "1"}


class Resampler:
    """Turns decoded sound into mono at `sample_rate`, exact to the sample over any length.

    Every run keeps its origin: sample k of the output lies at origin + k / sample_rate, and a run
    of n samples at rate r gives ceil(n * sample_rate / r). A chunk of another run, rate or
    number of channels ends the run before it.
    """

    def __init__(self, sample_rate: int) -> None:
        if sample_rate <= 0:
            message = f"a sample rate of {sample_rate} Hz makes no sense; give one above 0"
            raise ValueError(message)
        self.sample_rate = sample_rate
        self._run: _Run | None = None

    def push(self, chunk: AudioChunk) -> list[AudioChunk]:
        """The chunks that are complete now, possibly none."""
        ended: list[AudioChunk] = []
        if self._run is not None and not self._run.goes_on_with(chunk):
            ended = self.flush()
        if self._run is None:
            self._run = _Run(chunk, self.sample_rate)
        return ended + self._run.push(chunk.samples)

    def flush(self) -> list[AudioChunk]:
        """The rest of the run; the resampler is as new afterwards."""
        run, self._run = self._run, None
        return [] if run is None else run.flush()


class _Run:
    """One unbroken run of sound on its way through swresample."""

    def __init__(self, first: AudioChunk, sample_rate: int) -> None:
        self._channels = first.samples.shape[0]
        self._rate_in = first.sample_rate
        self._rate_out = sample_rate
        self._run_in = first.origin
        self._next_in = first.first_sample
        # A run that is met in its middle starts where its first sample lies.
        self._origin = first.origin + Fraction(first.first_sample, first.sample_rate)
        self._taken = 0
        self._given = 0
        self._resampler: av.AudioResampler | None = None
        if self._channels > 1 or self._rate_in != self._rate_out:
            self._resampler = av.AudioResampler("fltp", "mono", sample_rate, options=OPTIONS)

    def goes_on_with(self, chunk: AudioChunk) -> bool:
        return (
            chunk.samples.shape[0] == self._channels
            and chunk.sample_rate == self._rate_in
            and chunk.origin == self._run_in
            and chunk.first_sample == self._next_in
        )

    def push(self, samples: NDArray[np.float32]) -> list[AudioChunk]:
        self._next_in += samples.shape[1]
        if self._resampler is None:
            self._taken += samples.shape[1]
            return self._chunks([samples])
        frame = av_frame(samples, self._rate_in, self._taken)
        self._taken += samples.shape[1]
        return self._chunks([_mono(out) for out in self._resampler.resample(frame)])

    def flush(self) -> list[AudioChunk]:
        rest: list[NDArray[np.float32]] = []
        if self._resampler is not None:
            rest = [_mono(out) for out in self._resampler.resample(None)]
        missing = self._wanted() - self._given - sum(piece.shape[1] for piece in rest)
        if missing > 0:
            # At some ratios swresample ends a sample early: the last one is held.
            last = rest[-1][0, -1] if rest else np.float32(0)
            rest.append(np.full((1, missing), last, np.float32))
        return self._chunks(rest)

    def _wanted(self) -> int:
        return ceil(Fraction(self._taken * self._rate_out, self._rate_in))

    def _chunks(self, pieces: list[NDArray[np.float32]]) -> list[AudioChunk]:
        chunks = []
        for piece in pieces:
            kept = piece[:, : max(0, self._wanted() - self._given)]
            if kept.shape[1]:
                chunks.append(AudioChunk(self._origin, self._given, self._rate_out, kept))
                self._given += kept.shape[1]
        return chunks


def av_frame(samples: NDArray[np.float32], sample_rate: int, pts: int) -> AudioFrame:
    """The samples (channels, n) as PyAV wants them; `pts` counts samples.

    More than 8 channels have no layout that says what to mix how: they are averaged.
    """
    if samples.shape[0] not in LAYOUTS:
        samples = samples.mean(axis=0, keepdims=True, dtype=np.float32)
    layout = LAYOUTS[samples.shape[0]]
    # Packed, for PyAV cannot fill the planes of eight channels.
    packed = np.ascontiguousarray(samples.T).reshape(1, -1)
    frame = AudioFrame.from_ndarray(packed, "flt", layout)
    frame.sample_rate = sample_rate
    frame.time_base, frame.pts = Fraction(1, sample_rate), pts
    return frame


def read_mono(path: str, sample_rate: int) -> NDArray[np.float32]:
    """(n,) in [-1, 1]: all sound of a source; sample i lies at media time i / sample_rate.

    Where there is no sound (it starts late, or has a gap) there are zeros. Raises SourceMissing,
    and SourceUnreadable when there is no sound at all.
    """
    resampler = Resampler(sample_rate)
    pieces: list[AudioChunk] = []
    with Decoder(path, media={"audio"}) as decoder:
        for item in decoder.items():
            if isinstance(item, AudioChunk):
                pieces += resampler.push(item)
        pieces += resampler.flush()
    if not pieces:
        message = f"{redact(path)}: no sound could be decoded"
        raise SourceUnreadable(message)
    signal = np.zeros(max(_place(piece).stop for piece in pieces), np.float32)
    for piece in pieces:
        signal[_place(piece)] = piece.samples[0]
    return signal


def _place(piece: AudioChunk) -> slice:
    start = round(piece.span.start * piece.sample_rate)
    return slice(start, start + piece.samples.shape[1])


def _mono(frame: AudioFrame) -> NDArray[np.float32]:
    samples = np.asarray(frame.to_ndarray(), np.float32).reshape(1, -1)
    return np.clip(samples, -1.0, 1.0)

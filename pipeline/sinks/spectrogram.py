"""A picture of the sound, made in one pass over it with bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from pipeline.records import AudioChunk

RATE_HZ = 16_000
COLUMNS = 2400
BANDS = 112
LOWEST_HZ = 60.0
_WINDOW = 512
_HOP = 160
_RANGE_DB = 66.0


@dataclass(frozen=True, slots=True)
class Spectrogram:
    """Loudness 0..255, (BANDS, columns), high notes first, over `[0, end)` of media time."""

    levels: NDArray[np.uint8]
    end: Fraction
    lowest_hz: float
    highest_hz: float


def spectrogram(chunks: Iterable[AudioChunk], duration: Fraction) -> Spectrogram:
    """The loudest of each column's short spectra, on a logarithmic scale of pitch.

    Chunks are mono at `RATE_HZ`. 255 is the loudest of the whole, 0 is 66 dB below it. Sound
    after `duration` is left out; stretches without sound are 0.
    """
    end = max(duration, Fraction(1, 10))
    painter = _Painter(float(end), min(COLUMNS, max(1, int(end * RATE_HZ / _HOP))))
    expected: tuple[Fraction, int] | None = None
    for chunk in chunks:
        if (chunk.origin, chunk.first_sample) != expected:
            painter.start(chunk.span.start)
        expected = (chunk.origin, chunk.first_sample + chunk.samples.shape[1])
        painter.add(chunk.samples[0])
    painter.paint()
    return Spectrogram(_levels(painter.power), end, LOWEST_HZ, RATE_HZ / 2)


class _Painter:
    """Collects unbroken sound and turns it, a second at a time, into columns of loudness."""

    def __init__(self, end_s: float, columns: int) -> None:
        self.power = np.zeros((columns, BANDS))
        self._columns_per_s = columns / end_s
        self._bands = _bands()
        self._window = np.hanning(_WINDOW)
        self._start_s = 0.0
        self._parts: list[NDArray[np.float32]] = []

    def start(self, time: Fraction) -> None:
        """A new run of sound begins at `time`."""
        self.paint()
        self._parts, self._start_s = [], float(time)

    def add(self, samples: NDArray[np.float32]) -> None:
        """The next samples of the run."""
        self._parts.append(samples)
        if sum(map(len, self._parts)) >= RATE_HZ:
            self.paint()

    def paint(self) -> None:
        """Uses up what was collected, but for less than a window."""
        signal = np.concatenate([np.zeros(0, np.float32), *self._parts])
        count = max(0, (len(signal) - _WINDOW) // _HOP + 1)
        if count:
            frames = np.lib.stride_tricks.sliding_window_view(signal, _WINDOW)[::_HOP][:count]
            loud = np.abs(np.fft.rfft(frames * self._window)) ** 2 @ self._bands
            middles = self._start_s + (np.arange(count) * _HOP + _WINDOW / 2) / RATE_HZ
            at = np.floor(middles * self._columns_per_s).astype(int)
            inside = (at >= 0) & (at < len(self.power))
            np.maximum.at(self.power, at[inside], loud[inside])
        self._parts = [signal[count * _HOP :]]
        self._start_s += count * _HOP / RATE_HZ


def _bands() -> NDArray[np.float64]:
    """(bins, BANDS) weights: triangles on a logarithmic scale of pitch, at least one bin wide."""
    edges = np.geomspace(LOWEST_HZ, RATE_HZ / 2, BANDS + 2)
    bins = np.arange(_WINDOW // 2 + 1)[:, None] * RATE_HZ / _WINDOW
    width = RATE_HZ / _WINDOW
    middle = edges[1:-1]
    reach = np.maximum((edges[2:] - edges[:-2]) / 2, width)
    weights: NDArray[np.float64] = np.clip(1 - np.abs(bins - middle) / reach, 0, 1)
    weights /= weights.sum(axis=0)
    return weights


def _levels(power: NDArray[np.float64]) -> NDArray[np.uint8]:
    loudest = power.max()
    if loudest <= 0:
        return np.zeros(power.T.shape, np.uint8)
    decibels = 10 * np.log10(np.maximum(power / loudest, 1e-12))
    level = np.clip(1 + decibels / _RANGE_DB, 0, 1) ** 1.3
    return np.ascontiguousarray(np.flipud((level * 255).round().astype(np.uint8).T))

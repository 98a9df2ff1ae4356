"""Sounds made by code: beds of noise, hum, rain and gusts; bells, beeps and sirens.

Beds have no end of variety in the world and few recordings in the packages. Alarms are mostly
synthetic in the world too, and the packages hold few of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from models.training.sound_data import Samples

BELL_PARTIALS = (0.5, 1.0, 1.19, 1.5, 2.0, 2.51, 2.66, 3.01, 4.1, 5.43)
"""Partials of a struck bell over its strike note, hum note first."""


def synthetic_bed(length: int, sample_rate: int, rng: np.random.Generator) -> Samples:
    """Coloured noise, with mains hum, rain-like drops or slow gusts now and then."""
    size = next_fast_len(length, real=True)
    white = rfft(rng.standard_normal(size, np.float32))
    hz = np.fft.rfftfreq(size, 1 / sample_rate).astype(np.float32) + 20
    bed: NDArray[np.floating] = unit_rms(irfft(white * hz ** -rng.uniform(0, 1.3), size)[:length])
    time = np.arange(length) / sample_rate
    if rng.random() < 0.3:
        base = rng.choice((50, 60, 100, 120)) * rng.uniform(0.97, 1.03)
        for harmonic in range(1, 6):
            phase = 2 * np.pi * (harmonic * base * time + rng.random())
            bed = bed + rng.uniform(0, 1.2) / harmonic * np.sin(phase)
    if rng.random() < 0.3:
        drops = rng.random(length) < rng.uniform(20, 300) / sample_rate
        decay = np.exp(-np.arange(sample_rate // 100) / (sample_rate / rng.uniform(400, 2000)))
        bed = bed + np.convolve(drops * rng.exponential(2.0, length), decay)[:length]
    if rng.random() < 0.3:
        knots = np.arange(0, time[-1] + 2)
        bed = bed * np.interp(time, knots, rng.uniform(0.3, 1.5, len(knots)))
    return bed.astype(np.float32)


def synthetic_alarm(sample_rate: int, rng: np.random.Generator) -> Samples:
    """A bell, a row of beeps or a siren of 0.8 to 2.5 s, with a peak of 1."""
    time = np.arange(round(rng.uniform(0.8, 2.5) * sample_rate)) / sample_rate
    kind = rng.integers(3)
    made = (_bell, _beeps, _siren)[kind](time, rng)
    return (made / max(float(np.abs(made).max()), 1e-9)).astype(np.float32)


def _bell(time: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A bell that is struck once, or a few times a second."""
    note = np.exp(rng.uniform(np.log(300), np.log(2500)))
    partials = rng.choice(BELL_PARTIALS, rng.integers(2, 8), replace=False)
    pace = rng.uniform(0.08, 0.6) if rng.random() < 0.4 else time[-1] + 1
    since = time % pace
    out = np.zeros_like(time)
    for ratio in partials * rng.uniform(0.98, 1.02, len(partials)):
        decay = rng.uniform(0.15, 1.5) / np.sqrt(ratio)
        ring = np.sin(2 * np.pi * note * ratio * time + rng.uniform(0, 6.28))
        out += rng.uniform(0.2, 1.0) * np.exp(-since / decay) * ring
    return out


def _beeps(time: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """One or two tones in turn, on and off."""
    pitches = np.exp(rng.uniform(np.log(500), np.log(3500), 2))
    period = rng.uniform(0.1, 0.8)
    turn = (time // period).astype(int) % 2
    is_on = (time % period) < period * rng.uniform(0.4, 1.0)
    if rng.random() < 0.5:
        pitches[1] = pitches[0]
    phase = 2 * np.pi * np.cumsum(pitches[turn]) * time[1]
    tone = np.sin(phase) + rng.uniform(0, 0.6) * np.sin(3 * phase)
    return tone * is_on


def _siren(time: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A tone that sweeps up and down."""
    low, width = rng.uniform(300, 1200), rng.uniform(1.3, 2.5)
    swing = 0.5 - 0.5 * np.cos(2 * np.pi * rng.uniform(0.3, 5.0) * time + rng.uniform(0, 6.28))
    phase = 2 * np.pi * np.cumsum(low * width**swing) * time[1]
    out: NDArray[np.float64] = np.sin(phase) + rng.uniform(0, 0.5) * np.sin(2 * phase)
    return out


def unit_rms(samples: Samples) -> Samples:
    """`samples` with an rms of 1 where it sounds; silence stays silence."""
    power = np.square(samples, dtype=np.float32)
    level = power[power >= power.mean() / 4].mean()
    unit: Samples = (samples / np.sqrt(max(level, 1e-12))).astype(np.float32)
    return unit

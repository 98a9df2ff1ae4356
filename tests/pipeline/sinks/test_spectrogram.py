from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.records import AudioChunk
from pipeline.sinks.spectrogram import BANDS, COLUMNS, LOWEST_HZ, RATE_HZ, spectrogram


def tone(hz: float, seconds: float) -> NDArray[np.float32]:
    times = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return np.sin(2 * np.pi * hz * times).astype(np.float32)


def chunk(samples: NDArray[np.float32], origin: Fraction, first: int = 0) -> AudioChunk:
    return AudioChunk(origin, first, RATE_HZ, samples[None])


def test_a_tone_shows_at_its_pitch_and_its_time() -> None:
    picture = spectrogram([chunk(tone(1000, 1), Fraction(2))], Fraction(4)).levels
    rows, columns = np.nonzero(picture > 200)
    seconds = columns / picture.shape[1] * 4
    assert 1.95 < seconds.min() < 2.1 and 2.9 < seconds.max() < 3.05
    pitch = RATE_HZ / 2 * (LOWEST_HZ / (RATE_HZ / 2)) ** ((rows + 0.5) / BANDS)
    assert 900 < np.median(pitch) < 1100


@given(st.lists(st.integers(1, 8000), min_size=1, max_size=12))
@settings(max_examples=25, deadline=None)
def test_any_cut_of_the_sound_gives_the_same_picture(sizes: list[int]) -> None:
    signal = np.random.default_rng(3).standard_normal(sum(sizes)).astype(np.float32)
    ends = np.cumsum(sizes)
    pieces = [
        chunk(signal[end - size : end], Fraction(1, 3), int(end - size))
        for end, size in zip(ends, sizes, strict=True)
    ]
    whole = spectrogram([chunk(signal, Fraction(1, 3))], Fraction(8)).levels
    assert np.array_equal(spectrogram(pieces, Fraction(8)).levels, whole)


def test_an_hour_has_no_more_columns_than_a_minute() -> None:
    late = chunk(tone(500, 1), Fraction(3598))
    picture = spectrogram([late], Fraction(3600)).levels
    assert picture.shape == (BANDS, COLUMNS)
    assert picture[:, -2:].any() and not picture[:, :-3].any()


def test_silence_and_nothing_are_blank() -> None:
    silence = chunk(np.zeros(RATE_HZ, np.float32), Fraction(0))
    assert not spectrogram([silence], Fraction(1)).levels.any()
    assert not spectrogram([], Fraction(0)).levels.any()

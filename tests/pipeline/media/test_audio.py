"""Mono at one rate, to the sample, on the source's clock."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.errors import SourceUnreadable
from pipeline.media.audio import Resampler, read_mono
from pipeline.records import AudioChunk
from tests.clips import Picture, Recipe, Sound, clicks, make

RATES = [8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000]
ORIGIN = Fraction(1, 3)


def tone(rate: int, count: int, channels: int = 1) -> NDArray[np.float32]:
    wave = 0.9 * np.sin(2 * np.pi * 300 * np.arange(count) / rate + 0.7)
    return np.tile(wave.astype(np.float32), (channels, 1))


def resampled(
    samples: NDArray[np.float32], rate: int, wanted: int, splits: list[int] | None = None
) -> list[AudioChunk]:
    resampler, chunks = Resampler(wanted), []
    edges = [0, *sorted(splits or []), samples.shape[1]]
    for first, end in itertools.pairwise(edges):
        if end > first:
            chunks += resampler.push(AudioChunk(ORIGIN, first, rate, samples[:, first:end]))
    return chunks + resampler.flush()


def joined(chunks: list[AudioChunk]) -> NDArray[np.float32]:
    return np.concatenate([chunk.samples[0] for chunk in chunks])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("wanted", [8000, 16_000, 44_100])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_the_same_sound_at_the_same_times(rate: int, wanted: int, channels: int) -> None:
    count = rate // 2 + 337
    chunks = resampled(tone(rate, count, channels), rate, wanted)
    mono = joined(chunks)
    assert mono.size == ceil(Fraction(count * wanted, rate))
    assert {chunk.origin for chunk in chunks} == {ORIGIN}
    # A delay of one sample at 8 kHz would be an error of 0.2.
    middle = slice(60, -60)
    assert np.abs(mono - tone(wanted, mono.size)[0])[middle].max() < 0.002


@settings(deadline=None, max_examples=30)
@given(
    count=st.integers(1, 5000),
    rate=st.sampled_from(RATES),
    wanted=st.sampled_from([8000, 16_000, 44_100]),
    data=st.data(),
)
def test_any_split_gives_the_same_samples(
    count: int, rate: int, wanted: int, data: st.DataObject
) -> None:
    splits = data.draw(st.lists(st.integers(0, count), max_size=6))
    samples = tone(rate, count, 2)
    whole, parts = resampled(samples, rate, wanted), resampled(samples, rate, wanted, splits)
    assert joined(whole).size == ceil(Fraction(count * wanted, rate))
    np.testing.assert_allclose(joined(parts), joined(whole), atol=1e-6)
    firsts = np.cumsum([0, *(chunk.samples.shape[1] for chunk in parts)])
    assert [chunk.first_sample for chunk in parts] == firsts[:-1].tolist()


def test_mono_at_the_wanted_rate_passes_through_at_once() -> None:
    chunk = AudioChunk(ORIGIN, 0, 16_000, tone(16_000, 500))
    [same] = Resampler(16_000).push(chunk)
    assert np.array_equal(same.samples, chunk.samples)
    assert same.span == chunk.span


@pytest.mark.parametrize("channels", [2, 3, 4, 5, 6, 8, 12])
def test_mixing_down_stays_in_range(channels: int) -> None:
    full = np.ones((channels, 4000), np.float32)
    mono = joined(resampled(full, 16_000, 16_000))
    assert mono.max() <= 1.0
    assert mono[100:-100].min() > 0.99


def test_stereo_is_averaged() -> None:
    left = np.stack([np.full(4000, 0.8, np.float32), np.zeros(4000, np.float32)])
    assert joined(resampled(left, 8000, 8000))[50:-50] == pytest.approx(0.4, abs=1e-4)


def test_a_new_run_flushes_the_one_before() -> None:
    resampler = Resampler(8000)
    chunks = resampler.push(AudioChunk(Fraction(0), 0, 16_000, tone(16_000, 1600)))
    chunks += resampler.push(AudioChunk(Fraction(5), 0, 16_000, tone(16_000, 1600)))
    chunks += resampler.flush()
    lengths = {
        origin: sum(chunk.samples.shape[1] for chunk in chunks if chunk.origin == origin)
        for origin in (Fraction(0), Fraction(5))
    }
    assert lengths == {Fraction(0): 800, Fraction(5): 800}
    assert [chunk.origin for chunk in chunks] == sorted(chunk.origin for chunk in chunks)


def test_a_change_of_rate_or_channels_starts_anew_in_place() -> None:
    resampler = Resampler(8000)
    chunks = resampler.push(AudioChunk(Fraction(0), 0, 16_000, tone(16_000, 1600)))
    chunks += resampler.push(AudioChunk(Fraction(1, 10), 0, 48_000, tone(48_000, 4800, 2)))
    chunks += resampler.flush()
    for one, other in itertools.pairwise(chunks):
        assert one.span.end == other.span.start
    assert chunks[-1].span.end == Fraction(2, 10)


def test_a_run_met_in_its_middle_starts_there() -> None:
    resampler = Resampler(8000)
    chunks = resampler.push(AudioChunk(Fraction(1), 16_000, 16_000, tone(16_000, 1600)))
    chunks += resampler.flush()
    assert chunks[0].span.start == 2


def test_flushing_nothing_gives_nothing() -> None:
    assert Resampler(8000).flush() == []


def test_a_rate_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="0 Hz"):
        Resampler(0)


@pytest.mark.parametrize("wanted", [8000, 16_000, 48_000])
def test_read_mono_reads_it_all(clips: Path, wanted: int) -> None:
    sound = Sound("flac", 48_000, "stereo")
    signal = read_mono(str(make(clips, Recipe("flac", None, sound))), wanted)
    assert (signal.dtype, signal.shape) == (np.float32, (2 * wanted,))
    expected = clicks(Sound("flac", wanted))
    assert np.abs(signal - expected).mean() < 0.003


def test_read_mono_keeps_media_time(clips: Path) -> None:
    sound = Sound("pcm_s16le", 8000, start=Fraction(1, 2), seconds=Fraction(3, 2))
    signal = read_mono(str(make(clips, Recipe("mkv", Picture(), sound))), 8000)
    assert signal.size == 16_000
    assert np.flatnonzero(np.abs(signal) > 0.2)[0] == pytest.approx(8000, abs=2)


def test_read_mono_of_silent_film_says_so(clips: Path) -> None:
    with pytest.raises(SourceUnreadable, match="has no audio"):
        read_mono(str(make(clips, Recipe("mp4", Picture(), None))), 8000)

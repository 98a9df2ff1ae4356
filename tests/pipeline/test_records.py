from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import AudioChunk, Digest, Event, Frame, InstanceMask, Rle, Span, StreamInfo
from pipeline.records import VideoInfo as Video
from pipeline.testing import ArrayPixels

times = st.fractions(min_value=0, max_value=100, max_denominator=1000)


def test_a_span_may_be_empty_but_not_backwards() -> None:
    assert Span(Fraction(1), Fraction(1)).duration == 0
    with pytest.raises(ValueError, match=r"ends \(1 s\) before it starts \(2 s\)"):
        Span(Fraction(2), Fraction(1))


@given(times, times, times, times)
def test_overlap_is_symmetric_and_half_open(
    a: Fraction, b: Fraction, c: Fraction, d: Fraction
) -> None:
    one, other = Span(min(a, b), max(a, b)), Span(min(c, d), max(c, d))
    assert one.overlaps(other) == other.overlaps(one)
    if one.end == other.start:
        assert not one.overlaps(other)


@given(st.integers(0, 10**9), st.integers(1, 10**6), st.sampled_from([1001, 12_800, 90_000]))
def test_frames_in_a_row_touch_exactly(pts: int, duration: int, ticks: int) -> None:
    pixels = ArrayPixels(np.zeros((2, 2, 3), np.uint8))
    first = Frame(0, pts, duration, Fraction(1, ticks), pixels)
    second = Frame(1, pts + duration, duration, Fraction(1, ticks), pixels)
    assert first.span.end == second.span.start
    assert first.span.duration == Fraction(duration, ticks)


@given(st.lists(st.integers(1, 3000), min_size=2, max_size=8), st.sampled_from([8000, 44_100]))
def test_chunks_in_a_row_touch_exactly(sizes: list[int], rate: int) -> None:
    first = 0
    end = Fraction(7, 3)
    for size in sizes:
        span = AudioChunk(Fraction(7, 3), first, rate, np.zeros((2, size), np.float32)).span
        assert span.start == end
        first, end = first + size, span.end
    assert end == Fraction(7, 3) + Fraction(sum(sizes), rate)


def test_a_stream_names_its_media_video_first() -> None:
    video = Video("h264", 4, 4, Fraction(1, 25), None)
    assert StreamInfo("a", "a.mp4", "mp4", video, None, None).media == ("video",)
    assert StreamInfo("a", "a.mp4", "mp4", None, None, None).media == ()


def test_a_digest_leaves_the_mask_behind() -> None:
    span = Span(Fraction(0), Fraction(1))
    mask = InstanceMask("person", 0.5, (0, 0, 1, 1), Rle(1, 1, "01"), track_id=7)
    event = Event("a", "instances", span, "person", 0.5, "model", "0", mask)
    assert Digest.of(event) == Digest("a", "instances", span, "person", 0.5, 7)

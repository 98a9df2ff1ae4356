from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.lanes.sampling import RateSampler
from pipeline.lanes.throttle import Throttle
from pipeline.lanes.windowing import FrameWindower, HopWindower, fit_exactly, fit_short_side
from pipeline.media.audio import Resampler
from pipeline.records import AudioChunk, Frame, Gap, Span, Window
from pipeline.testing import ArrayPixels, scripted_frames, scripted_sound

RATE = 8000
HOP = 800

sizes = st.lists(st.integers(1, 2500), max_size=12)


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(count).uniform(-1, 1, count).astype(np.float32)


def hops(chunks: Iterable[AudioChunk | Gap], rate: int = RATE) -> tuple[list[Window], HopWindower]:
    windower = HopWindower("a", "sound", Resampler(rate), rate, HOP)
    out: list[Window] = []
    taken = accounted = 0
    for item in chunks:
        new = list(windower.push(item))
        taken += 0 if isinstance(item, Gap) else item.samples.shape[1]
        accounted += sum(window.mark.units for window in new)
        assert accounted + windower.not_sampled + windower.pending_units == taken
        out += new
    out += windower.flush()
    assert windower.pending_units == 0
    return out, windower


def same(one: list[Window], other: list[Window]) -> bool:
    return [w.mark for w in one] == [w.mark for w in other] and all(
        np.array_equal(a.data, b.data) for a, b in zip(one, other, strict=True)
    )


@given(st.integers(1, 9000), sizes)
def test_any_division_into_chunks_gives_the_same_hops(count: int, split: list[int]) -> None:
    samples = noise(count)
    whole, _ = hops(scripted_sound(samples, RATE, []))
    assert same(hops(scripted_sound(samples, RATE, split))[0], whole)
    joined = np.concatenate([window.data for window in whole])
    assert np.array_equal(joined[:count], samples)
    assert not joined[count:].any()


@given(st.integers(1, 9000), sizes, sizes, st.sampled_from([4000, 11_025, 22_050, 44_100, 48_000]))
def test_resampled_hops_are_the_same_and_account_for_every_sample(
    count: int, split: list[int], other: list[int], source_rate: int
) -> None:
    samples = noise(count)
    one, windower = hops(scripted_sound(samples, source_rate, split))
    assert same(hops(scripted_sound(samples, source_rate, other))[0], one)
    assert sum(window.mark.units for window in one) + windower.not_sampled == count
    assert [window.mark.index for window in one] == list(range(len(one)))
    assert [window.mark.fresh for window in one] == [True] + [False] * (len(one) - 1)
    assert one[0].mark.span.start == 0
    assert all(a.mark.span.end == b.mark.span.start for a, b in pairwise(one))
    assert one[-1].mark.span.end == Fraction(count, source_rate)


def test_a_gap_pads_the_hop_and_voids_the_state() -> None:
    before = scripted_sound(noise(1000), RATE, [])
    gap = Gap("audio", Span(Fraction(1, 8), Fraction(2)), "outage")
    after = scripted_sound(noise(900), RATE, [], origin=Fraction(2))
    found, _ = hops([*before, gap, *after])
    assert [window.mark.units for window in found] == [800, 200, 800, 100]
    assert [window.mark.fresh for window in found] == [True, False, True, False]
    assert found[1].mark.span == Span(Fraction(1, 10), Fraction(1, 8))
    assert found[2].mark.span.start == 2
    assert not found[1].data[200:].any()


def test_a_new_run_without_a_gap_starts_afresh_too() -> None:
    one = scripted_sound(noise(800), RATE, [])
    other = scripted_sound(noise(800), 2 * RATE, [], origin=Fraction(1, 10))
    found, _ = hops([*one, *other])
    assert [window.mark.fresh for window in found] == [True, True]
    assert [window.mark.span.end for window in found] == [Fraction(1, 10), Fraction(3, 20)]


@given(st.integers(801, 5000), st.integers(0, 5000))
def test_a_change_alters_no_earlier_hop(count: int, at: int) -> None:
    samples = noise(count)
    changed = samples.copy()
    changed[at:] = 0.5
    one, _ = hops(scripted_sound(samples, RATE, []))
    other, _ = hops(scripted_sound(changed, RATE, []))
    before = [w for w in one if w.mark.span.end * RATE <= at]
    assert same(other[: len(before)], before)


def images(count: int) -> list[np.ndarray]:
    return [np.full((48, 64, 3), n, np.uint8) for n in range(count)]


def test_sampled_frames_become_windows_and_the_rest_is_counted() -> None:
    windower = FrameWindower("a", "action", RateSampler(5), fit_exactly(32, 16))
    windows = [w for f in scripted_frames(images(25), Fraction(25)) for w in windower.push(f)]
    assert [int(window.data[0, 0, 0]) for window in windows] == [0, 5, 10, 15, 20]
    assert windows[0].data.shape == (16, 32, 3)
    assert windows[1].mark.span == Span(Fraction(1, 5), Fraction(6, 25))
    assert windows[0].mark.size == (64, 48)
    assert [window.mark.fresh for window in windows] == [True, False, False, False, False]
    assert (windower.not_sampled, windower.pending_units, list(windower.flush())) == (20, 0, [])


def test_the_first_frame_after_a_gap_is_fresh() -> None:
    windower = FrameWindower("a", "action", RateSampler(5), fit_exactly(32, 16))
    frames = list(scripted_frames(images(2), Fraction(5)))
    first = list(windower.push(frames[0]))
    assert list(windower.push(Gap("video", Span(Fraction(0), Fraction(1)), "outage"))) == []
    second = list(windower.push(frames[1]))
    assert [w.mark.fresh for w in first + second] == [True, True]


class Script:
    """A gate that does as it is told."""

    def __init__(self, wants: str) -> None:
        self._wants = iter(wants)

    def wants(self, frame: Frame) -> bool:
        return next(self._wants) == "x"


def gated(script: str, gap_before: int | None = None) -> tuple[list[Window], FrameWindower]:
    """What becomes of one frame a second: `x` passes, `-` does not."""
    windower = FrameWindower("a", "action", RateSampler(1), fit_exactly(8, 8), gate=Script(script))
    out: list[Window] = []
    for frame in scripted_frames(images(len(script)), Fraction(1)):
        if frame.index == gap_before:
            span = Span(frame.span.start, frame.span.start)
            out += windower.push(Gap("video", span, "outage"))
        out += windower.push(frame)
        assert len(out) + windower.gated == frame.index + 1
    return out, windower


def spans(windows: list[Window]) -> list[tuple[int, int] | None]:
    told = [window.mark.gated for window in windows]
    return [span and (int(span.start), int(span.end)) for span in told]


def test_gated_frames_are_counted_and_their_stretch_is_told_by_the_next_window() -> None:
    windows, windower = gated("xx--xx---")
    assert spans(windows) == [None, None, (2, 4), None]
    assert [window.mark.index for window in windows] == [0, 1, 2, 3]
    assert (windower.gated, windower.not_sampled) == (5, 0)
    assert windower.gated_span == Span(Fraction(6), Fraction(9))


def test_a_heartbeat_does_not_end_a_gated_stretch() -> None:
    windows, windower = gated("x--x--x--xx-x")
    assert spans(windows) == [None, (1, 3), (1, 6), (1, 9), None, (11, 12)]
    assert windower.gated_span == Span(Fraction(11), Fraction(12))


def test_after_a_gap_the_first_frame_passes_whatever_the_gate_says() -> None:
    windows, windower = gated("------", gap_before=3)
    assert [int(window.mark.span.start) for window in windows] == [0, 3]
    assert [window.mark.fresh for window in windows] == [True, True]
    assert spans(windows) == [None, (1, 3)]
    assert windower.gated_span == Span(Fraction(4), Fraction(6))


@given(st.text("x-", max_size=40))
def test_the_stretches_cover_what_was_gated_and_nothing_that_moved(script: str) -> None:
    windows, windower = gated(script)
    told = {span.start: span for w in windows if (span := w.mark.gated) is not None}
    if windower.gated_span is not None:
        told[windower.gated_span.start] = windower.gated_span
    covered = {second for span in told.values() for second in range(int(span.start), int(span.end))}
    passes = "x" + script[1:]  # the very first frame passes in any case
    assert {n for n, one in enumerate(script) if passes[n] == "-"} <= covered
    assert not {n for n in covered if passes[n : n + 2] == "xx"}
    assert all(a.end < b.start for a, b in pairwise(sorted(told.values())))


def test_throttled_frames_are_dropped_and_the_gate_never_sees_them() -> None:
    windower = FrameWindower(
        "a",
        "action",
        RateSampler(5),
        fit_exactly(8, 8),
        throttle=Throttle(5),
        gate=Script("x-xx"),
    )
    frames = list(scripted_frames(images(32), Fraction(10)))
    windower.set_level(2)
    windows = [window for frame in frames for window in windower.push(frame)]
    assert [float(window.mark.span.start) for window in windows] == [0.0, 1.6, 2.4]
    assert (windower.not_sampled, windower.gated, windower.dropped) == (16, 1, {"lower_rate": 12})


def test_without_a_throttle_or_a_gate_nothing_is_lost_to_them() -> None:
    windower = FrameWindower("a", "action", RateSampler(5), fit_exactly(8, 8))
    windower.set_level(3)
    frames = scripted_frames(images(10), Fraction(5))
    assert sum(len(list(windower.push(frame))) for frame in frames) == 10
    assert (windower.gated, windower.gated_span, windower.dropped) == (0, None, {})


def test_sound_is_heard_whole() -> None:
    _, windower = hops(scripted_sound(noise(900), RATE, []))
    windower.set_level(3)
    assert (windower.gated, windower.gated_span, windower.dropped) == (0, None, {})


class Unconverted(ArrayPixels):
    def rgb(self, width: int, height: int) -> np.ndarray:
        message = f"converted to {width}x{height}"
        raise AssertionError(message)


def test_a_frame_that_is_passed_over_is_never_converted() -> None:
    windower = FrameWindower("a", "action", RateSampler(1), fit_exactly(32, 16))
    first, second = scripted_frames(images(2), Fraction(25))
    assert len(list(windower.push(first))) == 1
    object.__setattr__(second, "pixels", Unconverted(second.pixels.rgb(4, 4)))
    assert list(windower.push(second)) == []


def test_a_windower_refuses_the_other_medium() -> None:
    frame = next(scripted_frames(images(1), Fraction(25)))
    chunk = next(scripted_sound(noise(10), RATE, []))
    with pytest.raises(TypeError, match="lane sound listens"):
        list(HopWindower("a", "sound", Resampler(RATE), RATE, HOP).push(frame))
    with pytest.raises(TypeError, match="lane action watches"):
        list(FrameWindower("a", "action", RateSampler(1), fit_exactly(8, 8)).push(chunk))


@pytest.mark.parametrize(
    ("size", "fitted"),
    [
        ((1920, 1080), (512, 288)),
        ((1080, 1920), (288, 512)),
        ((200, 100), (200, 100)),
        ((5000, 1), (5000, 1)),
    ],
)
def test_the_short_side_is_bounded_and_never_enlarged(
    size: tuple[int, int], fitted: tuple[int, int]
) -> None:
    assert fit_short_side(288)(*size) == fitted

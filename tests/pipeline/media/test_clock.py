"""Media time never runs backwards, never drifts from the pts, and shifts both media alike."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import gcd

from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.anchor import WRAP_S, Anchor
from pipeline.media.clock import AudioClock, Shown, Sounded, VideoClock, common_tick
from pipeline.records import Gap, Span

TS = Fraction(1, 90_000)


def shown(
    times: list[tuple[int | None, int | None]],
    base: Fraction = Fraction(1, 1000),
    rate: Fraction | None = Fraction(25),
    anchor: Anchor | None = None,
) -> tuple[list[Span], list[Gap]]:
    clock = VideoClock(base, rate, anchor or Anchor(Fraction(0)))
    results = [clock.push(pts, duration) for pts, duration in times]
    shown = [one for one, _ in results if one is not None]
    last = clock.flush()
    assert clock.flush() is None
    spans = [span_of(one) for one in [*shown, *([last] if last else [])]]
    return spans, [gap for _, gap in results if gap is not None]


def span_of(shown: Shown) -> Span:
    return Span(shown.pts * shown.tick, (shown.pts + shown.duration) * shown.tick)


def sounded(pieces: list[tuple[int | None, int]], rate: int = 48_000) -> list[Sounded]:
    clock = AudioClock(Fraction(1, rate), Anchor(Fraction(0)))
    return [clock.push(pts, samples, rate) for pts, samples in pieces]


def test_each_picture_is_shown_until_the_next_one() -> None:
    spans, gaps = shown([(0, 40), (40, 40), (50, 40), (200, 40)])
    assert spans == [
        Span(Fraction(0), Fraction(40, 1000)),
        Span(Fraction(40, 1000), Fraction(50, 1000)),
        Span(Fraction(50, 1000), Fraction(200, 1000)),
        Span(Fraction(200, 1000), Fraction(240, 1000)),
    ]
    assert gaps == []


def test_nothing_pushed_shows_nothing() -> None:
    assert shown([]) == ([], [])


def test_the_last_picture_without_a_duration_is_shown_for_one_period() -> None:
    assert shown([(0, None)], rate=Fraction(10))[0] == [Span(Fraction(0), Fraction(1, 10))]


def test_missing_pts_follow_the_end_of_the_picture_before() -> None:
    spans, _ = shown([(None, None), (None, None), (120, None)], rate=Fraction(25))
    assert [span.start for span in spans] == [Fraction(0), Fraction(1, 25), Fraction(120, 1000)]


def test_media_time_begins_at_the_origin() -> None:
    spans, _ = shown(
        [(126_000, 3600), (129_600, 3600)], TS, anchor=Anchor(Fraction(126_000, 90_000))
    )
    assert spans[0] == Span(Fraction(0), Fraction(1, 25))


def test_without_an_origin_the_first_pts_is_media_time_zero() -> None:
    spans, _ = shown([(5000, 40), (5040, 40)], anchor=Anchor(None))
    assert spans[0].start == 0


def test_a_hole_is_a_gap_and_the_picture_before_it_keeps_its_duration() -> None:
    spans, gaps = shown([(0, 40), (3000, 40)])
    assert spans[0] == Span(Fraction(0), Fraction(40, 1000))
    assert [gap.span for gap in gaps] == [Span(Fraction(40, 1000), Fraction(3))]


def test_slow_sources_have_no_gaps() -> None:
    spans, gaps = shown([(0, 60_000), (60_000, 60_000), (120_000, 60_000)], rate=Fraction(1, 60))
    assert gaps == []
    assert spans[-1] == Span(Fraction(120), Fraction(180))


def test_rare_pictures_of_a_source_that_claims_a_high_rate_come_in_time() -> None:
    spans, _ = shown([(n * 60_000, 40) for n in range(20)], rate=Fraction(25))
    assert [span.start for span in spans][2:] == [Fraction(60 * n) for n in range(2, 20)]


def test_a_damaged_pts_that_comes_alone_moves_nothing() -> None:
    for nonsense in (90_000_000, -50_000):
        times = [(n * 40, 40) for n in range(10)]
        times[5] = (nonsense, 40)
        spans, gaps = shown(list(times))
        assert [span.start for span in spans] == [Fraction(n, 25) for n in range(10)]
        assert gaps == []


def test_a_reset_goes_on_after_the_end_and_is_a_gap() -> None:
    spans, gaps = shown([(9_000, 40), (9_040, 40), (0, 40), (40, 40), (80, 40)])
    starts = [span.start for span in spans]
    assert starts == sorted(starts)
    assert len(gaps) == 1
    # The first picture after the reset is doubted, the others keep their distances.
    assert [later - starts[3] for later in starts[3:]] == [0, Fraction(40, 1000)]


@given(st.integers(-400, 400))
def test_the_33_bit_wrap_of_mpeg_ts_is_seamless(start: int) -> None:
    times = [((2**33 + start + n * 3600) % 2**33, 3600) for n in range(6)]
    spans, gaps = shown(list(times), TS, anchor=Anchor(Fraction(times[0][0], 90_000)))
    # The pts that first wraps is doubted and so follows in order, which is where it belongs.
    assert [span.start for span in spans] == [Fraction(n, 25) for n in range(6)]
    assert gaps == []


@given(st.lists(st.one_of(st.none(), st.integers(-(2**33), 2**33)), max_size=30))
def test_pictures_never_go_back_whatever_the_pts(pts: list[int | None]) -> None:
    spans, gaps = shown([(one, None) for one in pts], TS)
    assert len(spans) == len(pts)
    for one, other in pairwise(spans):
        assert one.end <= other.start
    assert all(gap.span.duration >= 0 for gap in gaps)


@given(st.lists(st.integers(1, 900), min_size=1, max_size=40))
def test_rising_pts_are_kept_exactly(steps: list[int]) -> None:
    times = [sum(steps[:n]) for n in range(len(steps))]
    spans, gaps = shown([(time, None) for time in times])
    assert [span.start for span in spans] == [Fraction(time, 1000) for time in times]
    assert gaps == []


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=40))
def test_samples_are_counted_whatever_their_packets(sizes: list[int]) -> None:
    pieces = [(sum(sizes[:n]), size) for n, size in enumerate(sizes)]
    placed = sounded(list(pieces))
    assert [one.first_sample for one in placed] == [pts for pts, _ in pieces]
    assert {one.origin for one in placed} == {Fraction(0)}
    assert all(one.gap is None and one.skip == 0 for one in placed)


@given(st.lists(st.integers(-24, 24), min_size=1, max_size=60))
def test_pts_rounded_by_the_container_do_not_break_a_run(errors_ms: list[int]) -> None:
    pieces = [(n * 1024 + error * 48, 1024) for n, error in enumerate(errors_ms)]
    placed = sounded(list(pieces))
    assert len({one.origin for one in placed}) == 1
    assert [one.first_sample for one in placed] == [n * 1024 for n in range(len(pieces))]


def test_sound_that_starts_late_keeps_its_offset_and_is_no_gap() -> None:
    [placed] = sounded([(24_000, 1024)])
    assert placed == Sounded(Fraction(1, 2), 0, 0, None)


def test_missing_sound_starts_a_new_run_after_a_gap() -> None:
    first, second, third = sounded([(0, 1024), (48_000, 1024), (49_024, 1024)])
    assert first.gap is None
    assert second.gap is not None
    assert second.gap.span == Span(Fraction(1024, 48_000), Fraction(1))
    assert (second.origin, second.first_sample) == (Fraction(1), 0)
    assert (third.origin, third.first_sample, third.gap) == (Fraction(1), 1024, None)


def test_sound_that_comes_twice_is_skipped_and_said() -> None:
    placed = sounded([(0, 9600), (0, 4800), (4800, 9600)])
    assert [one.skip for one in placed] == [0, 4800, 4800]
    assert placed[1].gap is None
    assert placed[2].gap is not None
    assert "9600 samples" in placed[2].gap.reason
    assert placed[2].origin == Fraction(9600, 48_000)


def test_a_change_of_rate_starts_a_new_run_without_a_gap() -> None:
    clock = AudioClock(Fraction(1, 1000), Anchor(Fraction(0)))
    clock.push(0, 8000, 8000)
    placed = clock.push(1000, 16_000, 16_000)
    assert placed == Sounded(Fraction(1), 0, 0, None)


@given(st.lists(st.one_of(st.none(), st.integers(-(2**33), 2**33)), max_size=30))
def test_sound_never_goes_back_whatever_the_pts(pts: list[int | None]) -> None:
    clock = AudioClock(TS, Anchor(None))
    end = Fraction(0)
    for one in pts:
        placed = clock.push(one, 1024, 48_000)
        if placed.skip == 1024:
            continue
        start = placed.origin + Fraction(placed.first_sample, 48_000)
        assert start >= end
        end = start + Fraction(1024 - placed.skip, 48_000)


@given(
    reset_to=st.integers(0, 500),
    skew=st.integers(-20, 20),
    sound_first=st.booleans(),
)
def test_a_reset_shifts_pictures_and_sound_alike(
    reset_to: int, skew: int, sound_first: bool
) -> None:
    anchor = Anchor(Fraction(0))
    video = VideoClock(Fraction(1, 1000), Fraction(25), anchor)
    audio = AudioClock(Fraction(1, 1000), anchor)
    steps = []
    for offset in (0, reset_to - 10_000):
        for n in range(10_000, 11_000, 40):
            pair = [("video", n + offset), ("audio", n + offset + (skew if offset else 0))]
            steps += pair[::-1] if sound_first else pair
    seen: dict[str, list[tuple[int, Fraction]]] = {"video": [], "audio": []}
    for medium, pts in steps:
        if medium == "video":
            one, _ = video.push(pts, 40)
            seen["video"].append((pts, span_of(one).start if one else Fraction(0)))
        else:
            placed = audio.push(pts, 40, 1000)
            seen["audio"].append(
                (pts, placed.origin + Fraction(placed.first_sample + placed.skip, 1000))
            )
    # A picture's time is told when the next comes, so the last but one is the latest known.
    pts_video, time_video = seen["video"][-2][0], seen["video"][-1][1]
    pts_audio, time_audio = seen["audio"][-1]
    off = abs((time_audio - time_video) - Fraction(pts_audio - pts_video, 1000))
    assert off <= Fraction(1, 20)


def test_a_wrap_that_sound_meets_first_is_no_gap_for_pictures() -> None:
    wrap = int(WRAP_S * 90_000)
    anchor = Anchor(Fraction(wrap - 3600, 90_000))
    video, audio = VideoClock(TS, Fraction(25), anchor), AudioClock(TS, anchor)
    gaps = []
    for n in range(5):
        pts = (wrap - 3600 + n * 3600) % wrap
        gaps += [audio.push(pts, 1920, 48_000).gap, video.push(pts, 3600)[1]]
    assert set(gaps) == {None}


@given(st.lists(st.fractions(0, 100, max_denominator=100_000), min_size=1, max_size=4))
def test_the_common_tick_divides_each_length_and_none_longer_does(lengths: list[Fraction]) -> None:
    lengths.append(Fraction(1, 25))
    tick = common_tick(*lengths)
    counts = [int(length / tick) for length in lengths]
    assert [count * tick for count in counts] == lengths
    assert gcd(*counts) == 1


def test_the_tick_is_the_sources_own_where_that_is_exact() -> None:
    clock = VideoClock(TS, Fraction(30_000, 1001), Anchor(Fraction(126_000, 90_000)))
    clock.push(126_000, None)
    shown, _ = clock.push(129_003, None)
    assert shown == Shown(0, 3003, TS)


def test_a_picture_that_comes_before_the_claimed_end_of_the_last_one_moves_no_clock() -> None:
    times = [(40 * n, 1_000_000 if 5 < n < 9 else 40) for n in range(20)]
    spans, gaps = shown([*times])
    assert [span.start for span in spans] == [Fraction(n, 25) for n in range(20)]
    assert gaps == []


def test_no_picture_lasts_longer_than_there_is_time_for() -> None:
    anchor = Anchor(Fraction(0))
    anchor.longest_jump = Fraction(10)
    spans, _ = shown([(0, 40), (40, 1_000_000), (None, 40)], anchor=anchor)
    assert spans[-1].start == Fraction(40, 1000) + 10


def test_a_leap_that_there_was_no_time_for_is_of_a_clock_that_was_set() -> None:
    anchor = Anchor(Fraction(0))
    anchor.longest_jump = Fraction(10)
    clock = VideoClock(Fraction(1, 10), Fraction(10), anchor)
    pushed = [clock.push(pts, 1) for pts in (0, 1, 2, 36_003, 36_004, 36_005)]
    [gap] = [gap for _, gap in pushed if gap is not None]
    assert "clock jumped by 3600" in gap.reason
    assert gap.span.end < 1

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.sinks.instants import LONGEST_HOLD_S, instants
from tests.pipeline.sinks.scenes import labelled, seen


def test_a_moment_stands_until_the_next_analysed_frame() -> None:
    events = [seen(Fraction(n, 10), track_id=track) for n in (0, 3, 6) for track in (1, 2)]
    moments = instants([*events, labelled("sound", 0, 1, "alarm")])
    assert [moment.span.start for moment in moments] == [0, Fraction(3, 10), Fraction(6, 10)]
    assert [moment.span.duration for moment in moments] == [Fraction(3, 10)] * 3
    assert all(len(moment.seen) == 2 for moment in moments)


def test_a_moment_before_an_empty_frame_stands_one_step_only() -> None:
    events = [seen(Fraction(n, 10)) for n in (0, 1, 2, 6, 7, 8)]
    assert instants(events)[2].span.end == Fraction(3, 10)


def test_lanes_hold_apart() -> None:
    fast = [seen(Fraction(n, 10)) for n in range(6)]
    slow = [replace(seen(Fraction(n, 2)), lane="slow") for n in range(2)]
    spans = {(moment.lane, moment.span.duration) for moment in instants([*fast, *slow])}
    assert spans == {("instances", Fraction(1, 10)), ("slow", Fraction(1, 2))}


@given(st.lists(st.fractions(0, 100), min_size=1, max_size=20))
def test_moments_never_overlap_and_never_outstay(times: list[Fraction]) -> None:
    moments = instants(seen(time) for time in times)
    assert [moment.span.start for moment in moments] == sorted(set(times))
    for moment, after in pairwise(moments):
        assert moment.span.end <= after.span.start
    assert all(moment.span.duration <= LONGEST_HOLD_S for moment in moments)

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.lanes.sampling import RateSampler
from pipeline.lanes.throttle import CALM_S, Governor, Throttle

RATE = 5


def kept(level: int, times: list[Fraction]) -> list[Fraction]:
    sampler, throttle = RateSampler(RATE), Throttle(RATE)
    throttle.set_level(level)
    return [time for time in times if sampler.wants(time) and throttle.wants(time)]


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=60),
    st.integers(0, 3),
    st.integers(1, 2),
)
def test_a_higher_level_keeps_one_of_each_pair_that_a_lower_one_has(
    steps: list[int], level: int, more: int
) -> None:
    times = [Fraction(sum(steps[: n + 1]), 100) for n in range(len(steps))]
    lower, higher = kept(level, times), kept(level + more, times)
    assert set(higher) <= set(lower)
    cells = [int(time * RATE) >> (level + more) for time in higher]
    assert cells == sorted({int(time * RATE) >> (level + more) for time in times})


def test_a_source_slower_than_the_rate_is_thinned_out_evenly() -> None:
    times = [Fraction(2 * n + 1, RATE) for n in range(16)]  # every second cell, the odd ones
    assert kept(1, times) == times
    assert kept(2, times) == times[::2]


def test_level_0_keeps_all_and_a_change_holds_at_once() -> None:
    throttle = Throttle(RATE)
    out = []
    for cell in range(12):
        throttle.set_level(2 if 4 <= cell < 8 else 0)
        out.append(throttle.wants(Fraction(cell, RATE)))
    assert out == [True] * 5 + [False] * 3 + [True] * 4


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0 Hz, not 0"):
        Throttle(0)
    with pytest.raises(ValueError, match="0 or more, not -1"):
        Throttle(1).set_level(-1)
    with pytest.raises(ValueError, match="low=1, high=1"):
        Governor(low=1, high=1)


def queue(governor: Governor, load: Callable[[float], float]) -> Iterator[tuple[float, int]]:
    """(time, level) of a queue of 10: `load` comes a second at level 0, 10 a second are done."""
    fill = 0.0
    for tick in range(3000):
        now = tick / 10
        fill = min(10.0, max(0.0, fill + load(now) / 2**governor.level / 10 - 1))
        yield now, governor.update(fill / 10, now)


def levels(load: Callable[[float], float]) -> list[tuple[float, int]]:
    """The changes only."""
    out = [(0.0, 0)]
    for now, level in queue(Governor(), load):
        if level != out[-1][1]:
            out.append((now, level))
    return out


def test_what_can_be_done_is_never_throttled() -> None:
    assert levels(lambda _now: 9.9) == [(0.0, 0)]


def test_overload_is_met_in_seconds_and_the_full_rate_comes_back() -> None:
    changes = levels(lambda now: 60.0 if 20 <= now < 60 else 5.0)
    ups = [now for now, level in changes if 20 <= now < 24]
    assert max(level for _, level in changes) == 3
    assert len(ups) == 3
    assert changes[-1][1] == 0
    assert 60 < changes[-1][0] < 120
    assert all(later[0] - earlier[0] >= 1 for earlier, later in pairwise(changes))


def test_after_the_rush_of_a_start_the_full_rate_is_back_soon() -> None:
    changes = levels(lambda now: 150.0 if now < 5 else 8.0)
    assert max(level for _, level in changes) >= 3
    assert changes[-1][1] == 0
    assert changes[-1][0] < 40


def test_a_load_that_stays_is_tested_ever_more_rarely() -> None:
    changes = levels(lambda _now: 15.0)
    falls = [now for before, (now, level) in pairwise(changes) if level < before[1]]
    pauses = [later - earlier for earlier, later in pairwise(falls)]
    assert falls[0] >= CALM_S
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 2 * pauses[0]
    assert len(falls) <= 6  # in 300 s


@given(st.lists(st.floats(0, 1.5, allow_subnormal=False), min_size=1, max_size=300))
def test_a_level_is_come_back_to_no_more_than_once_in_the_calm_time(fills: list[float]) -> None:
    governor = Governor(calm_s=10)
    falls: list[float] = []
    before = 0
    for now, fill in enumerate(fills):
        level = governor.update(fill, float(now))
        assert abs(level - before) <= 1
        assert 0 <= level <= 4
        if level < before:
            falls.append(now)
        before = level
    assert all(later - earlier >= 10 for earlier, later in pairwise(falls))

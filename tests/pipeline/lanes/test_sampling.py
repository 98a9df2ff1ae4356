from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.lanes.sampling import RateSampler

steps = st.lists(st.fractions(min_value=Fraction(1, 200), max_value=2), min_size=1, max_size=60)


def kept(rate_hz: float, times: list[Fraction]) -> list[Fraction]:
    sampler = RateSampler(rate_hz)
    return [time for time in times if sampler.wants(time)]


@given(steps, st.sampled_from([0.5, 5.0, 12.5, 29.97]))
def test_the_first_frame_of_every_cell_is_kept(gaps: list[Fraction], rate_hz: float) -> None:
    times = [sum(gaps[: n + 1], Fraction(0)) for n in range(len(gaps))]
    rate = Fraction(rate_hz).limit_denominator(10_000)
    first_of_cell = {int(time * rate): time for time in reversed(times)}
    assert kept(rate_hz, times) == sorted(first_of_cell.values())


def test_a_slow_source_is_passed_whole() -> None:
    times = [Fraction(n, 3) for n in range(10)]
    assert kept(5.0, times) == times


def test_ntsc_at_five_a_second() -> None:
    times = [Fraction(n * 1001, 30_000) for n in range(300)]
    assert len(kept(5.0, times)) == 50  # the last frame starts at 9.98 s


def test_the_choice_depends_on_the_time_alone() -> None:
    times = [Fraction(n, 25) for n in range(100)]
    # Whoever joins on the grid keeps what one who watched from the start keeps.
    assert kept(5.0, times)[10:] == kept(5.0, times[50:])


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_a_rate_is_above_zero(rate: float) -> None:
    with pytest.raises(ValueError, match="above 0 Hz"):
        RateSampler(rate)

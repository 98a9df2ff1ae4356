"""Whose turn it is to be looked at: nobody is forgotten, nobody comes twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.run.live.agenda import Agenda


def test_what_was_touched_comes_once_and_at_once() -> None:
    agenda = Agenda()
    for name in ("yard", "gate", "yard"):
        agenda.touch(name)
    assert agenda.take(0.0) == ["yard", "gate"]
    assert agenda.take(0.0) == []


def test_the_earliest_of_several_times_counts_and_once() -> None:
    agenda = Agenda()
    for due in (5.0, 3.0, 4.0):
        agenda.at("yard", due)
    assert agenda.take(2.9) == []
    assert agenda.take(3.0) == ["yard"]
    assert agenda.take(9.0) == []
    agenda.at("yard", 10.0)
    assert agenda.take(10.0) == ["yard"]


def test_one_that_is_no_more_does_not_come() -> None:
    agenda = Agenda()
    agenda.touch("yard")
    agenda.at("yard", 1.0)
    agenda.forget("yard")
    assert agenda.take(2.0) == []


NAMES = st.sampled_from("abc")
SECONDS = st.floats(0, 10, allow_subnormal=False)


@given(st.lists(st.tuples(NAMES, SECONDS), max_size=30), st.floats(0.25, 1))
def test_each_comes_by_the_time_that_was_said(said: list[tuple[str, float]], step: float) -> None:
    agenda, came = Agenda(), dict[str, float]()
    for name, due in said:
        agenda.at(name, due)
    now = 0.0
    while now < 10.0 + step:
        for name in agenda.take(now):
            assert name not in came
            came[name] = now
        now += step
    for name in {name for name, _ in said}:
        due = min(due for one, due in said if one == name)
        assert due <= came[name] < due + step + 1e-9

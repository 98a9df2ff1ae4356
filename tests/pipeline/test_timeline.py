from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import Event, InstanceMask, Rle, Span
from pipeline.timeline import Timeline, order


def event(lane: str, start: Fraction, end: Fraction, label: str = "x") -> Event:
    return Event("a", lane, Span(start, end), label, 0.5, "model", "0")


def at(lane: str, end: float) -> Event:
    return event(lane, Fraction(0), Fraction(end))


def test_an_event_waits_until_no_lane_can_precede_it() -> None:
    timeline = Timeline(["action", "sound"])
    late, early = at("action", 2), at("sound", 1)
    assert timeline.push("action", [late], Fraction(2)) == []
    assert timeline.push("sound", [early], Fraction(1.5)) == [early]
    assert timeline.push("sound", [], Fraction(2.5)) == []
    assert timeline.push("action", [], Fraction(3)) == [late]


def test_a_lane_that_ended_holds_nothing_back() -> None:
    timeline = Timeline(["action", "sound"])
    held = at("action", 2)
    assert timeline.push("action", [held], Fraction(3)) == []
    assert timeline.close("sound") == [held]


def test_a_silent_lane_is_waited_for_only_so_long() -> None:
    timeline = Timeline(["action", "sound"], max_wait_s=1.0)
    first, late = at("action", 1), at("sound", 0.5)
    assert timeline.push("action", [first], Fraction(2)) == []
    assert timeline.push("action", [], Fraction("2.5")) == [first]
    assert timeline.late == 0
    assert timeline.push("sound", [late], Fraction("0.5")) == [late]
    assert timeline.late == 1


def test_an_unknown_lane_is_refused() -> None:
    with pytest.raises(ValueError, match="no open lane 'smell'"):
        Timeline(["sound"]).push("smell", [], None)


def test_events_of_one_instant_have_one_order() -> None:
    span = Span(Fraction(0), Fraction(1))
    seen = [
        Event("a", "i", span, "x", 0.5, "m", "0", InstanceMask("x", 0.5, box, Rle(1, 1, ""), track))
        for box, track in [((0, 0, 1, 1), None), ((0, 0, 1, 1), 1), ((0, 0, 1, 1), 2)]
    ]
    seen_last_first = seen[::-1]
    assert sorted(seen_last_first, key=order) == seen


halves = st.integers(0, 40).map(lambda n: Fraction(n, 2))
lanes = st.lists(
    st.lists(st.tuples(halves, halves, st.sampled_from("xy")), max_size=8), min_size=1, max_size=3
)


@given(lanes, st.data())
def test_any_interleaving_gives_the_same_order(
    drawn: list[list[tuple[Fraction, Fraction, str]]], data: st.DataObject
) -> None:
    todo: dict[str, list[Event]] = {}
    for number, ends in enumerate(drawn):
        name = f"lane{number}"
        events = [event(name, min(a, b), max(a, b), label) for a, b, label in ends]
        todo[name] = sorted(events, key=order)
    everything = sorted((one for events in todo.values() for one in events), key=order)
    timeline = Timeline(todo)
    out: list[Event] = []
    while todo:
        name = data.draw(st.sampled_from(sorted(todo)))
        count = data.draw(st.integers(1, 3))
        now, todo[name] = todo[name][:count], todo[name][count:]
        out += timeline.push(name, now, now[-1].span.end if now else None)
        if not todo[name]:
            del todo[name]
            out += timeline.close(name)
    assert out == everything
    assert timeline.late == 0

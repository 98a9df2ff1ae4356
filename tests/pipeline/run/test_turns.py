from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.run.turns import Turns

weights = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([0.5, 1, 2, 5]), min_size=2)


@given(weights, st.integers(1, 8), st.integers(1, 200))
def test_who_always_waits_is_served_by_weight(
    weight_of: dict[str, float], batch: int, rounds: int
) -> None:
    turns = Turns()
    served: Counter[str] = Counter()
    for stream, weight in weight_of.items():
        turns.share(stream, weight)
        turns.wait(stream)
    for _ in range(rounds):
        stream = min(weight_of, key=turns.rank)
        turns.serve(stream, batch)
        served[stream] += batch
    due = rounds * batch / sum(weight_of.values())
    for one, weight in weight_of.items():
        for other, other_weight in weight_of.items():
            ahead = served[one] / weight - served[other] / other_weight
            assert ahead <= batch / weight + 1e-9
        assert served[one] - due * weight <= batch + 1e-9


def test_a_pause_saves_up_no_turns() -> None:
    turns = Turns()
    for stream in "ab":
        turns.wait(stream)
    turns.rest("a")
    for _ in range(10):
        turns.serve("b", 4)
    turns.wait("a")
    order = []
    for _ in range(7):
        order.append(min("ab", key=turns.rank))
        turns.serve(order[-1], 4)
    assert Counter(order) == {"a": 4, "b": 3}


def test_priority_comes_first_and_shares_among_itself() -> None:
    turns = Turns()
    for stream, priority in [("a", 0), ("b", 3), ("c", 3), ("d", 9)]:
        turns.share(stream, priority=priority)
        turns.wait(stream)
    order = []
    for waiting in ["abcd", "abc", "abc", "abc", "abc", "a"]:
        order.append(min(waiting, key=turns.rank))
        turns.serve(order[-1], 1)
    assert "".join(order) == "dbcbca"
    turns.share("b")
    assert [min("ab", key=turns.rank), min("bc", key=turns.rank)] == ["b", "c"]


def test_a_stream_that_ended_leaves_nothing_behind() -> None:
    turns = Turns()
    turns.share("a", 5)
    turns.forget("a")
    turns.forget("never seen")
    for stream in "ab":
        turns.wait(stream)
    turns.serve("a", 1)
    assert min("ab", key=turns.rank) == "b"


@pytest.mark.parametrize("weight", [0, -1, float("nan")])
def test_a_weight_is_above_nought(weight: float) -> None:
    with pytest.raises(ValueError, match="stream a: a weight is above 0"):
        Turns().share("a", weight)

"""How often pictures are shown, against the formula by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.training.repeat_factors import repeat_factors, repeated


def test_factors_are_those_of_the_formula() -> None:
    # cat is on 8 of 10 pictures, dog on 2, owl on 1: sqrt(.8 / .2) = 2, sqrt(.8 / .1) = 2.83.
    kinds = [["cat"]] * 6 + [["cat", "dog"], ["cat", "cat"], ["dog", "owl"], []]
    factors = repeat_factors(kinds)
    assert factors.tolist() == pytest.approx([1.0] * 6 + [2.0, 1.0, 8**0.5, 1.0])


def test_a_threshold_says_what_is_rare() -> None:
    kinds = [["cat"]] * 8 + [["dog"], ["dog"]]
    assert repeat_factors(kinds, 0.1).tolist() == [1.0] * 10
    assert repeat_factors(kinds, 0.45).tolist() == pytest.approx([1.0] * 8 + [1.5] * 2)


def test_pictures_of_nothing_alone_are_shown_once() -> None:
    assert repeat_factors([[], [], []]).tolist() == [1.0] * 3


def test_fractions_are_drawn() -> None:
    rng = np.random.default_rng(0)
    shown = [repeated("ab", np.array([1.0, 2.25]), rng) for _ in range(2000)]
    assert {one.count("a") for one in shown} == {1}
    assert {one.count("b") for one in shown} == {2, 3}
    assert np.mean([one.count("b") for one in shown]) == pytest.approx(2.25, abs=0.05)


@given(st.lists(st.sets(st.sampled_from("abc")), min_size=1, max_size=20))
def test_no_picture_is_lost(kinds: list[set[str]]) -> None:
    factors = repeat_factors(kinds)
    assert (factors >= 1).all()
    shown = repeated(range(len(kinds)), factors, np.random.default_rng(1))
    assert set(shown) == set(range(len(kinds)))

"""The rule that says what is going on, on feet whose paths are plain to see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.training.motion import FORESHORTENING, LABELS, UNCLEAR, label_motion

RATE_HZ = 5.0
TALL = 100.0


def walk(starts: list[tuple[float, float]], speeds: list[tuple[float, float]]) -> NDArray[np.int64]:
    """The labels of three seconds; speeds in heights per second, right and towards the camera."""
    steps = np.arange(16)[:, None, None] / RATE_HZ
    move = np.array(speeds).reshape(-1, 2) * TALL * (1, FORESHORTENING)
    feet = np.array(starts).reshape(-1, 2) + steps * move
    return label_motion(feet, np.full(feet.shape[:2], TALL), RATE_HZ)


@pytest.mark.parametrize(
    ("starts", "speeds", "label"),
    [
        ([(300, 300), (500, 350)], [(0, 0), (0.02, 0)], "standing"),
        ([(300, 300), (500, 350)], [(-0.8, 0), (-0.6, 0.3)], "walking_left"),
        ([(300, 300), (500, 350)], [(0.8, 0), (0.6, 0.3)], "walking_right"),
        ([(300, 300), (300, 350)], [(0.1, 0), (0.8, 0)], "walking_right"),
        ([(200, 300), (600, 300)], [(0.7, 0), (-0.7, 0)], "gathering"),
        ([(380, 300), (420, 300)], [(-0.7, 0), (0.7, 0)], "parting"),
        ([(400, 250), (400, 350)], [(0, 0.7), (0, -0.7)], "gathering"),
        ([(330, 300), (470, 350)], [(0.7, 0), (-0.7, 0)], "both_ways"),
    ],
)
def test_plain_motion_gets_its_label(
    starts: list[tuple[float, float]], speeds: list[tuple[float, float]], label: str
) -> None:
    labels = walk(starts, speeds)
    assert (labels[:10] == UNCLEAR).all()
    assert LABELS[labels[10]] == label


def test_nobody_in_view_is_empty_at_once() -> None:
    labels = label_motion(np.full((5, 2, 2), np.nan), np.full((5, 2), TALL), RATE_HZ)
    assert [LABELS[n] for n in labels] == ["empty"] * 5
    assert (label_motion(np.zeros((3, 0, 2)), np.zeros((3, 0)), RATE_HZ) == 0).all()


def test_one_walking_among_many_who_stand_is_unclear() -> None:
    labels = walk([(100, 300), (300, 300), (500, 300)], [(0.8, 0), (0, 0), (0, 0)])
    assert (labels == UNCLEAR).all()


OPPOSITE = {"walking_left": "walking_right", "gathering": "parting"}
BACKWARDS = {**OPPOSITE, **{b: a for a, b in OPPOSITE.items()}}


# Whole steps, not floats: where torch flushes denormals, hypothesis cannot draw floats.
STEPS = st.integers(-8, 8).map(lambda step: step / 8)


@given(
    st.lists(
        st.tuples(st.integers(100, 700), st.integers(200, 400), STEPS, STEPS),
        min_size=1,
        max_size=6,
    )
)
@example([(100, 200, 0.0, 3 / 8), (100, 200, 0.0, 3 / 8)])  # in one and the same place
def test_played_backwards_the_label_turns_round(
    people: list[tuple[float, float, float, float]],
) -> None:
    start = np.array([person[:2] for person in people])
    speed = np.array([person[2:] for person in people]) * TALL * (1, FORESHORTENING)
    feet = start + np.arange(11)[:, None, None] / RATE_HZ * speed
    heights = np.full(feet.shape[:2], TALL)
    there = label_motion(feet, heights, RATE_HZ)[10]
    back = label_motion(feet[::-1], heights, RATE_HZ)[10]
    if there == UNCLEAR or back == UNCLEAR:
        # The limits of closer (0.8) and apart (1.25 = 1 / 0.8) may round to either side.
        assert there == back or {there, back} & {LABELS.index("gathering"), LABELS.index("parting")}
        return
    assert LABELS[back] == BACKWARDS.get(LABELS[there], LABELS[there])


def test_only_the_last_two_seconds_count() -> None:
    feet = np.full((30, 1, 2), 300.0)
    heights = np.full((30, 1), TALL)
    before = label_motion(feet, heights, RATE_HZ)
    feet[20:, 0, 0] += 30
    after = label_motion(feet, heights, RATE_HZ)
    assert (before[:20] == after[:20]).all()

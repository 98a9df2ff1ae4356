"""Moving digits: pairs hold the same frames, digits are used once, motion is what it is called."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.training.digits import Digits
from models.training.moving_digits import FRAMES, QUESTIONS, MovingDigits, moving_digits


def blobs(count: int = 60) -> Digits:
    pictures = np.zeros((count, 28, 28), np.uint8)
    pictures[:, 4:24, 4:24] = 255
    pictures[np.arange(count), 0, 0] = 255
    return Digits(pictures, np.resize([3, 7, 1], count))


def columns(clips: MovingDigits) -> NDArray[np.float64]:
    """(N, T): where the ink's middle is, from the left."""
    ink = clips.clips[..., 0].astype(np.float64)
    ink = np.where(ink > 120, ink, 0)
    along = ink.sum(2)
    middle: NDArray[np.float64] = (along * np.arange(32)).sum(-1) / along.sum(-1)
    return middle


def test_every_second_clip_is_the_one_before_in_reverse() -> None:
    made = moving_digits(blobs(), 20, seed=0)
    assert made.clips.shape == (40, FRAMES, 32, 32, 3)
    assert np.array_equal(made.clips[1::2], made.clips[::2, ::-1])
    assert made.digits[::2].tolist() == made.digits[1::2].tolist()
    assert made.reversed.tolist() == [False, True] * 20


def test_reversed_clips_and_only_they_go_to_the_left() -> None:
    made = moving_digits(blobs(), 20, seed=1)
    steps = np.diff(columns(made), axis=1).mean(1)
    assert (steps[~made.reversed] > 0.5).all()
    assert (steps[made.reversed] < -0.5).all()


def test_no_digit_is_taken_twice() -> None:
    made = moving_digits(blobs(12), 8, seed=2)
    assert sorted(made.digits[::2]) == [3] * 4 + [7] * 4
    with pytest.raises(ValueError, match=r"9 pairs .* threes and sevens; there are 8"):
        moving_digits(blobs(12), 9, seed=2)


def test_the_answers_to_both_are_the_pairs_of_answers() -> None:
    made = moving_digits(blobs(), 20, seed=3)
    appearance, order, both = (made.labels(question) for question in QUESTIONS)
    assert both.tolist() == (appearance + 2 * order).tolist()
    assert [len(labels) for labels in QUESTIONS.values()] == [2, 2, 4]
    assert set(both.tolist()) == {0, 1, 2, 3}
    assert (order == made.reversed).all()
    assert (appearance == (made.digits == 7)).all()


def test_the_same_seed_makes_the_same_clips() -> None:
    one, again, other = (moving_digits(blobs(), 5, seed) for seed in (7, 7, 8))
    assert np.array_equal(one.clips, again.clips)
    assert not np.array_equal(one.clips, other.clips)

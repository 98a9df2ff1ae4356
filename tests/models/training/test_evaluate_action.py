"""Measures of the action network, on answers whose worth can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.action import build
from models.training.evaluate_action import majority, mark, tracked_truth, tune_spans, watch
from models.training.motion import LABELS, UNCLEAR
from models.training.stage import make_stage
from tests.models.training import toy_street as toy


def test_marks_count_only_clear_steps_and_labels_that_occur() -> None:
    truth = np.array([1, 1, 2, 2, UNCLEAR])
    marks = mark(truth, np.array([1, 2, 2, 2, 5]))
    assert marks.accuracy == 0.75
    assert marks.f1 == {"standing": 0.667, "walking_left": 0.8}
    assert marks.macro_f1 == pytest.approx((2 / 3 + 0.8) / 2, abs=5e-4)
    assert marks.confusion[1][2] == 1
    assert sum(map(sum, marks.confusion)) == 4


def test_the_majority_is_the_most_frequent_clear_label() -> None:
    truth = np.array([[UNCLEAR, UNCLEAR, UNCLEAR], [3, 3, 4]])
    assert (majority(truth) == 3).all()
    with pytest.raises(ValueError, match="no step"):
        mark(np.array([UNCLEAR]), np.array([0]))


@given(st.integers(0, 2**32 - 1))
def test_a_perfect_answer_marks_one(seed: int) -> None:
    truth = np.random.default_rng(seed).integers(0, len(LABELS), 30)
    assert mark(truth, truth).macro_f1 == 1


def test_tracks_of_two_who_cross_are_both_ways() -> None:
    stage = make_stage(toy.frames(), toy.coco(), toy.background())
    truth = tracked_truth(toy.coco(), range(toy.FRAMES), stage, 10.0)
    assert (truth[:20] == UNCLEAR).all()
    # They come closer first, and walk past each other later.
    assert LABELS[truth[20]] == "gathering"
    only_one = {"annotations": [a for a in toy.coco()["annotations"] if a["track_id"] == 2]}
    truth = tracked_truth(only_one, range(toy.FRAMES), stage, 10.0)
    assert {LABELS[label] for label in truth[20:]} == {"walking_left"}


def test_a_stream_is_watched_frame_by_frame() -> None:
    network = build(
        {
            "cnn": {"name": "tiny", "width": 64, "height": 48},
            "head": {"name": "gru", "hidden": 8},
            "classes": len(LABELS),
        }
    ).eval()
    pictures = np.random.default_rng(0).integers(0, 256, (4, 48, 64, 3), dtype=np.uint8)
    given_scores = watch(network, pictures)
    np.testing.assert_allclose(given_scores.sum(-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(given_scores[:2], watch(network, pictures[:2]))
    assert watch(network, []).shape == (0, len(LABELS))


def test_noisy_scores_are_smoothed_and_clean_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat(rng.integers(0, len(LABELS), (20, 3)), 20, axis=1)
    clean = np.eye(len(LABELS), dtype=np.float32)[truth]
    assert tune_spans(truth, clean, 5.0)["smooth_s"] == 0.2
    noisy = clean.copy()
    wrong = rng.random(truth.shape) < 0.3
    noisy[wrong] = np.eye(len(LABELS), dtype=np.float32)[rng.integers(0, 7, wrong.sum())]
    chosen = tune_spans(truth, noisy, 5.0)
    assert chosen["smooth_s"] > 0.2
    assert chosen["off"] <= chosen["on"]

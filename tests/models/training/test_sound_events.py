import numpy as np
import pytest

from models.training.sound_events import (
    Found,
    Postprocessing,
    events,
    match,
    smoothed,
    softmax,
)
from models.training.sound_mix import Planted

LABELS = ("background", "bell", "voice")
RULES = Postprocessing(smooth_s=0.1, on=0.6, off=0.4, min_s=0.2, merge_s=0.2)


def logits(said: str) -> np.ndarray:
    """One hop for each letter: b(ell), v(oice), or a dot for the background."""
    return np.array([[5.0 * (letter == other) for other in ".bv"] for letter in said])


def found(said: str, rules: Postprocessing = RULES) -> list[tuple[int, int, str]]:
    return [
        (round(event.start_s * 10), round(event.end_s * 10), event.label)
        for event in events(logits(said), LABELS, 0.1, rules)
    ]


def test_a_run_of_a_label_is_an_event() -> None:
    assert found("...bbb....vvvv") == [(3, 6, "bell"), (10, 14, "voice")]


def test_short_runs_are_dropped_and_near_ones_joined() -> None:
    assert found("..b.....bb") == [(8, 10, "bell")]
    assert found("..bb..bb...") == [(2, 8, "bell")]
    assert found("..bb...bb..") == [(2, 4, "bell"), (7, 9, "bell")]


def test_a_score_between_off_and_on_keeps_an_event_but_starts_none() -> None:
    half = np.log(np.array([[0.45, 0.5, 0.05]] * 3))
    rows = np.concatenate((half, logits("bb"), half))
    assert [(e.start_s, e.end_s) for e in events(rows, LABELS, 0.1, RULES)] == [
        (pytest.approx(0.3), pytest.approx(0.8))
    ]


def test_smoothing_looks_back_only() -> None:
    scores = np.array([[0.0], [0.0], [1.0], [1.0]])
    assert smoothed(scores, 2)[:, 0].tolist() == [0.0, 0.0, 0.5, 1.0]
    assert smoothed(scores, 0)[:, 0].tolist() == [0.0, 0.0, 1.0, 1.0]


def test_scores_sum_to_one_however_large_the_logits() -> None:
    assert softmax(np.array([[1e4, 0.0], [-1e4, -1e4]])).sum(axis=1) == pytest.approx(1)


def test_a_hit_needs_the_label_and_the_onset() -> None:
    truth = [Planted(1.0, 2.0, "bell"), Planted(4.0, 5.0, "voice"), Planted(8.0, 9.0, "bell")]
    said = [Planted(1.4, 2.0, "bell"), Planted(4.0, 5.0, "bell"), Planted(8.6, 9.0, "bell")]
    counts = match(said, truth)
    assert (counts.planted, counts.hits, counts.events) == (3, 1, 3)
    assert counts.recall == counts.precision == counts.f1 == pytest.approx(1 / 3)


def test_an_event_is_claimed_once() -> None:
    truth = [Planted(1.0, 1.2, "bell"), Planted(1.3, 1.5, "bell")]
    assert match([Planted(1.1, 1.5, "bell")], truth).hits == 1


def test_counts_add_up() -> None:
    assert Found(3, 2, 4) + Found(1, 1, 1) == Found(4, 3, 5)

import numpy as np
import pytest

from models.training.class_scores import class_scores


def test_figures_of_a_small_confusion() -> None:
    scores = class_scores("abc", "aaabbc", "aabbbb")
    assert scores.confusion.tolist() == [[2, 1, 0], [0, 2, 0], [0, 1, 0]]
    assert scores.accuracy == pytest.approx(4 / 6)
    assert scores.recalls == pytest.approx([2 / 3, 1, 0])
    assert scores.precisions == pytest.approx([1, 0.5, 0])
    assert scores.f1 == pytest.approx([0.8, 2 / 3, 0])
    assert scores.balanced_accuracy == pytest.approx(5 / 9)


def test_labels_that_do_not_occur_do_not_count() -> None:
    told = class_scores("abc", "aa", "ab").to_json()
    assert told["balanced_accuracy"] == 0.5
    assert told["labels"].keys() == told["confusion"].keys() == {"a"}
    assert told["confusion"]["a"] == {"a": 1, "b": 1}


def test_nothing_at_all_is_no_division_by_zero() -> None:
    scores = class_scores("ab", "", "")
    assert scores.accuracy == scores.balanced_accuracy == 0.0
    assert not np.isnan(scores.f1).any()

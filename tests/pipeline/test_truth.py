import json
from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.records import Event, Span
from pipeline.truth import Planted, read_truth, score_sounds


def heard(label: str, start: float) -> Event:
    span = Span(Fraction(start), Fraction(start) + 1)
    return Event("a", "sound", span, label, 0.9, "model", "0")


def test_each_planted_sound_claims_its_nearest_event() -> None:
    planted = [Planted(1.0, 2.0, "bark"), Planted(1.4, 2.0, "bark")]
    near, nearer = heard("bark", 0.75), heard("bark", 1.5)
    score = score_sounds(planted, [nearer, near])
    assert (score.planted, score.found, score.missed, score.false) == (2, 2, (), ())


@pytest.mark.parametrize(("start", "found"), [(1.5, 1), (1.51, 0), (0.5, 1), (0.49, 0)])
def test_within_half_a_second_counts(start: float, found: int) -> None:
    assert score_sounds([Planted(1.0, 2.0, "bark")], [heard("bark", start)]).found == found


def test_the_wrong_label_is_a_miss_and_a_false_event() -> None:
    planted, wrong = Planted(1.0, 2.0, "bark"), heard("bell", 1.0)
    score = score_sounds([planted], [wrong])
    assert score.missed == (planted,)
    assert score.false == (wrong,)


def test_a_second_event_in_one_sound_is_false() -> None:
    score = score_sounds([Planted(1.0, 3.0, "bark")], [heard("bark", 1.0), heard("bark", 1.25)])
    assert score.to_json() == {"planted": 1, "found": 1, "false": 1}


def test_a_truth_file_is_read_in_order_of_time(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    sounds = [
        {"start_s": 5.0, "end_s": 6.0, "label": "bell"},
        {"start_s": 1.0, "end_s": 2.0, "label": "bark"},
    ]
    path.write_text(json.dumps({"sounds": sounds}), encoding="utf-8")
    assert [sound.label for sound in read_truth(path)] == ["bark", "bell"]

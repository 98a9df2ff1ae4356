from fractions import Fraction
from pathlib import Path

from pipeline.batch.attempts import MOST, Attempts
from pipeline.batch.inputs import Input
from pipeline.batch.stores import open_store
from pipeline.batch.unit import Part, Unit

WHOLE = Unit(Input("yard", "/yard.mp4", "1-1", 1, "unknown"))
PART = Unit(WHOLE.video, Part(1, 2, "video", Fraction(3), None))


def test_a_unit_is_begun_so_often_and_not_again(tmp_path: Path) -> None:
    attempts = Attempts(open_store(str(tmp_path)), "one")
    assert [attempts.given_up(WHOLE, "k") for _ in range(MOST)] == [None] * MOST
    why = attempts.given_up(WHOLE, "k")
    assert why is not None
    assert f"{MOST} times" in why


def test_each_part_each_video_and_each_run_is_counted_by_itself(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    attempts = Attempts(store, "one")
    for _ in range(MOST):
        attempts.given_up(WHOLE, "k")
    assert attempts.given_up(PART, "k") is None
    assert attempts.given_up(WHOLE, "other") is None
    assert Attempts(store, "two").given_up(WHOLE, "k") is None


def test_a_unit_that_has_ended_leaves_no_count(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    attempts = Attempts(store, "one")
    for unit in (WHOLE, PART):
        attempts.given_up(unit, "k")
        attempts.forget(unit, "k")
    assert list(store.names()) == []

import time
from dataclasses import replace

from pipeline.batch.tally import Tally
from pipeline.batch.unit import Outcome

WHOLE = Outcome("k1", "a", "a", "done", 10.0, 100, 3, 1.0)
PART = Outcome("k2", "b", "b [1/2]", None, 5.0, 50, 0, 1.0)


def test_videos_are_counted_by_what_became_of_them() -> None:
    tally = Tally(found=5, before=1)
    for outcome in (
        WHOLE,
        Outcome("k3", "c", "c", "failed", 0.0, 10, 0, 1.0, "why"),
        Outcome("k4", "d", "d", "partial", 1.0, 10, 1, 1.0, "why"),
    ):
        tally.ended(outcome)
    assert (tally.done, tally.failed, tally.partial, tally.events) == (1, 1, 1, 4)
    assert (tally.finished, tally.todo) == (3, 1)


def test_a_video_in_parts_is_counted_once_and_all_of_its_media() -> None:
    tally = Tally(found=1)
    tally.ended(PART)
    assert (tally.finished, tally.media_s) == (0, 5.0)
    last = Outcome("k2", "b", "b [2/2]", "done", 4.0, 50, 7, 1.0)
    tally.ended(last)
    tally.ended(Outcome("k2", "b", "b [1/2]", "done", 0.0, 50, 7, 1.0))
    assert (tally.done, tally.events, tally.todo, tally.media_s) == (1, 7, 0, 9.0)


def test_what_is_under_way_counts_as_media_and_a_lost_worker_takes_it_back() -> None:
    tally = Tally(found=2)
    tally.note("a", 3.0)
    tally.note("b", 4.0)
    assert tally.media_now_s == 7.0
    tally.lost("b")
    assert (tally.media_now_s, tally.workers_lost) == (3.0, 1)
    tally.ended(WHOLE)
    assert (tally.media_now_s, tally.running) == (10.0, {})


def test_time_left_goes_by_the_sizes() -> None:
    tally = Tally(found=2, todo_bytes=400, started=time.monotonic() - 10)
    broken = replace(WHOLE, key="k0", state="failed", media_s=0.0, size_bytes=0)
    tally.ended(broken)
    assert tally.left_s is None
    tally.ended(WHOLE)
    assert tally.left_s is not None
    assert 29 < tally.left_s < 32
    assert 0.9 < tally.speed < 1.01

from collections import Counter
from fractions import Fraction
from threading import Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.lanes.throttle import Governor
from pipeline.records import Mark, Span, Window
from pipeline.run.live.outbox import Dropped, Outbox, Policy, Taken

BATCHES = {"video": 2, "audio": 3}
PICTURE = np.zeros((1, 1, 3), np.uint8)


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def window(lane: str, number: int, *, fresh: bool = False, units: int = 1) -> Window:
    span = Span(Fraction(number), Fraction(number + 1))
    return Window(Mark("a", lane, number, span, units, None, fresh), PICTURE)


def outbox(policy: Policy = "drop_oldest", **more: object) -> tuple[Outbox, Clock]:
    clock = Clock()
    settings = {"most_windows": 4, "unbroken": {"audio"}, "clock": clock, **more}
    return Outbox(BATCHES, policy, **settings), clock  # type: ignore[arg-type]


def numbers(taken: Taken) -> list[int]:
    return [int(one.mark.span.start) for one in taken.windows]


def take(box: Outbox) -> Taken:
    taken = box.take(0)
    assert taken is not None
    return taken


def test_the_lane_that_waits_longest_comes_first_up_to_its_batch() -> None:
    box, clock = outbox()
    for lane, number in [("audio", 0), ("video", 0), ("video", 1), ("video", 2)]:
        box.put(lane, window(lane, number))
        clock.now += 1
    assert box.waiting == {"video": 3, "audio": 1}
    assert box.lag_s == 4
    assert [(t.lane, numbers(t)) for t in (take(box), take(box), take(box))] == [
        ("audio", [0]),
        ("video", [0, 1]),
        ("video", [2]),
    ]
    assert box.take(0) is None
    assert box.lag_s == 0


def test_rivals_share_a_batch() -> None:
    box, _ = outbox(most_windows=6)
    for number in range(6):
        box.put("audio", window("audio", number))
    counts = []
    for rivals in (1, 2, 40):
        taken = box.take(0, rivals)
        assert taken is not None
        counts.append(len(taken.windows))
    assert counts == [3, 2, 1]


def test_what_was_given_up_leaves_no_hole_in_the_numbers() -> None:
    box, _ = outbox(first_index={"audio": 7})
    for number in range(6):
        box.put("audio", window("audio", number, units=10))
    taken = take(box)
    assert numbers(taken) == [2, 3, 4]
    assert [one.mark.index for one in taken.windows] == [7, 8, 9]
    assert [one.mark.fresh for one in taken.windows] == [True, False, False]
    assert taken.dropped == [Dropped("audio", Span(Fraction(0), Fraction(2)), 20, "drop_oldest")]
    assert take(box).dropped == []
    assert box.dropped == {"audio": {"drop_oldest": 20}}


def test_pictures_go_on_after_a_loss_but_never_lose_that_they_are_fresh() -> None:
    box, _ = outbox(most_windows=1)
    box.put("video", window("video", 0))
    box.put("video", window("video", 1))
    assert [one.mark.fresh for one in take(box).windows] == [False]
    box.put("video", window("video", 2, fresh=True))
    box.put("video", window("video", 3))
    assert [one.mark.fresh for one in take(box).windows] == [True]


def test_who_is_too_late_jumps_to_live_once() -> None:
    box, clock = outbox(max_lag_s=2)
    for number in range(3):
        box.put("video", window("video", number))
    clock.now += 2
    assert numbers(take(box)) == [0, 1]
    box.put("video", window("video", 3))
    box.put("video", window("video", 4))
    clock.now += 1
    taken = take(box)
    assert numbers(taken) == [4]
    assert taken.windows[0].mark.fresh
    assert taken.dropped == [Dropped("video", Span(Fraction(2), Fraction(4)), 2, "lag")]
    box.put("video", window("video", 5))
    taken = take(box)
    assert (numbers(taken), taken.dropped, taken.windows[0].mark.fresh) == ([5], [], False)


def test_a_single_late_window_is_the_newest_there_is() -> None:
    box, clock = outbox(max_lag_s=2)
    box.put("video", window("video", 0))
    clock.now += 60
    taken = take(box)
    assert (numbers(taken), taken.dropped, taken.windows[0].mark.fresh) == ([0], [], False)


def test_a_gated_stretch_is_told_even_when_its_window_was_lost() -> None:
    box, _ = outbox(most_windows=1)
    still = Span(Fraction(0), Fraction(9))
    told = Window(Mark("a", "video", 0, Span(Fraction(9), Fraction(10)), 1, gated=still), PICTURE)
    box.put("video", told)
    box.put("video", window("video", 10))
    assert [one.mark.gated for one in take(box).windows] == [still]


def test_the_level_rises_when_it_is_full_and_falls_when_all_is_calm() -> None:
    box, clock = outbox("lower_rate", governor=Governor(rise_s=1, calm_s=10, most=2))
    for number in range(5):
        box.put("video", window("video", number))
        clock.now += 1
    assert box.level == 2
    assert box.dropped == {"video": {"drop_oldest": 1}}
    while box.take(0) is not None:
        clock.now += 1
    clock.now += 10
    assert box.level == 1
    clock.now += 10
    assert box.level == 0


def test_lag_raises_the_level_before_the_queue_is_full() -> None:
    box, clock = outbox("lower_rate", max_lag_s=4)
    box.put("video", window("video", 0))
    clock.now += 3
    assert box.level == 1


def test_a_level_that_is_told_is_the_level() -> None:
    box, clock = outbox("lower_rate", max_lag_s=4)
    box.set_level(2)
    assert box.level == 2
    box.set_level(0)
    box.put("video", window("video", 0))
    clock.now += 3
    assert box.level == 0


@pytest.mark.parametrize("policy", ["block", "drop_oldest"])
def test_another_policy_never_throttles(policy: Policy) -> None:
    box, clock = outbox(policy)
    box.set_level(2)
    for number in range(4):
        box.put("video", window("video", number))
    clock.now += 60
    assert box.level == 0


def test_what_waits_when_it_is_closed_still_comes_out() -> None:
    box, _ = outbox("block", most_windows=1)
    box.put("video", window("video", 0))
    box.close()
    box.put("video", window("video", 1))
    taken = take(box)
    assert (numbers(taken), taken.windows[0].mark.fresh) == ([0], False)
    assert box.take(60) is None
    assert box.dropped == {"video": {"closed": 1}}


def test_closing_frees_a_thread_that_waits_for_room() -> None:
    box, _ = outbox("block", most_windows=1)
    box.put("video", window("video", 0))
    thread = Thread(target=box.put, args=("video", window("video", 1)))
    thread.start()
    box.close()
    thread.join(10)
    assert not thread.is_alive()


def test_it_holds_at_least_one_window() -> None:
    with pytest.raises(ValueError, match="at least 1 window of a lane, not 0"):
        outbox(most_windows=0)


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(BATCHES)), st.booleans()),
        st.just("take"),
        st.integers(1, 3),
    ),
    max_size=60,
)


@given(
    steps,
    st.sampled_from(["drop_oldest", "lower_rate"]),
    st.sampled_from([None, 4.0]),
    st.integers(1, 4),
)
def test_everything_is_taken_or_given_up_once_and_in_order(
    script: list[tuple[str, bool] | str | int], policy: Policy, lag_s: float | None, most: int
) -> None:
    box, clock = outbox(policy, max_lag_s=lag_s, most_windows=most)
    put: dict[str, list[Window]] = {lane: [] for lane in BATCHES}
    came: dict[str, list[Window]] = {lane: [] for lane in BATCHES}
    lost: Counter[str] = Counter()

    def fetch() -> bool:
        taken = box.take(0)
        if taken is None:
            return False
        assert 1 <= len(taken.windows) <= BATCHES[taken.lane]
        came[taken.lane] += taken.windows
        for one in taken.dropped:
            lost[one.lane] += one.units
        return True

    for step in script:
        if step == "take":
            fetch()
        elif isinstance(step, int):
            clock.now += step
        elif isinstance(step, tuple):
            lane, fresh = step
            put[lane].append(window(lane, len(put[lane]), fresh=fresh))
            box.put(lane, put[lane][-1])
            assert max(box.waiting.values()) <= most
    while fetch():
        pass
    for lane, windows in came.items():
        starts = [int(one.mark.span.start) for one in windows]
        assert starts == sorted(set(starts))
        assert [one.mark.index for one in windows] == list(range(len(windows)))
        assert len(windows) + lost[lane] == len(put[lane])
        assert sum(box.dropped.get(lane, {}).values()) == lost[lane]
        for before, one in zip([-1, *starts], windows, strict=False):
            start = int(one.mark.span.start)
            since = put[lane][before + 1 : start + 1]
            told = any(each.mark.fresh for each in since)
            assert one.mark.fresh >= told
            assert one.mark.fresh or lane == "video" or start == before + 1


@pytest.mark.parametrize("policy", ["block", "drop_oldest", "lower_rate"])
def test_a_thread_that_puts_and_one_that_takes(policy: Policy) -> None:
    box = Outbox(BATCHES, policy, most_windows=3, unbroken={"audio"})
    count = 2000

    def fill() -> None:
        for number in range(count):
            for lane in BATCHES:
                box.put(lane, window(lane, number))
        box.close()

    thread = Thread(target=fill)
    thread.start()
    came: dict[str, list[Window]] = {lane: [] for lane in BATCHES}
    lost: Counter[str] = Counter()
    while (taken := box.take(60)) is not None:
        came[taken.lane] += taken.windows
        for one in taken.dropped:
            lost[one.lane] += one.units
    thread.join(60)
    assert not thread.is_alive()
    for lane, windows in came.items():
        starts = [int(one.mark.span.start) for one in windows]
        assert starts == sorted(set(starts))
        assert [one.mark.index for one in windows] == list(range(len(windows)))
        assert len(windows) + lost[lane] == count
        assert policy != "block" or lost[lane] == 0

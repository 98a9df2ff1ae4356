from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from pipeline.cut import Progress
from pipeline.records import Mark, Span
from pipeline.run.backlog import Backlog, Task
from pipeline.run.workers import Step
from pipeline.testing import brightness_lane, loudness_lane

FREE, PINNED = brightness_lane(batch=4), loudness_lane(batch=4)
LANES = {lane.name: lane for lane in (FREE, PINNED)}
SPAN = Span(Fraction(0), Fraction(1))


def task(stream: str, lane: str, windows: int, home: int = 0, tag: int = 0) -> Task:
    marks = tuple(Mark(stream, lane, number, SPAN, 1) for number in range(windows))
    return Task(stream, home, Step(lane, marks, Progress.nothing()), tag)


tasks = st.builds(
    task,
    stream=st.sampled_from("abc"),
    lane=st.sampled_from(sorted(LANES)),
    windows=st.integers(1, 4),
    home=st.integers(0, 1),
)


@given(st.lists(tasks, max_size=12), st.lists(st.integers(0, 1), max_size=30))
def test_every_task_is_taken_once_in_its_stream_s_order(
    drawn: list[Task], members: list[int]
) -> None:
    backlog = Backlog(list(LANES.values()))
    numbered = [replace(one, windows=number) for number, one in enumerate(drawn)]
    for one in numbered:
        backlog.add(one)
    taken: list[Task] = []
    for member in [*members, *([0, 1] * len(drawn))]:
        batch = backlog.take(member)
        assert len({one.step.lane for one in batch}) <= 1
        assert sum(len(one.step.marks) for one in batch) <= 4
        assert all(one.home == member for one in batch if one.step.lane == PINNED.name)
        taken += batch
    assert len(backlog) == 0
    assert sorted(one.windows for one in taken) == list(range(len(drawn)))
    for lane in LANES:
        for home in (0, 1):
            mine = [o.windows for o in taken if o.step.lane == lane and o.home == home]
            assert lane == FREE.name or mine == sorted(mine)


def test_streams_share_a_call() -> None:
    backlog = Backlog([FREE])
    for stream, windows in [("a", 1), ("b", 2), ("c", 2), ("d", 1)]:
        backlog.add(task(stream, FREE.name, windows))
    assert [one.stream for one in backlog.take(0)] == ["a", "b"]
    assert [one.stream for one in backlog.take(1)] == ["c", "d"]


def test_what_is_left_of_a_stream_can_be_dropped() -> None:
    backlog = Backlog([FREE])
    for stream in "aba":
        backlog.add(task(stream, FREE.name, 1))
    assert [one.stream for one in backlog.drop("a")] == ["a", "a"]
    assert [one.stream for one in backlog.take(0)] == ["b"]

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cut import Progress
from pipeline.records import Mark, Span
from pipeline.run.backlog import Backlog, Task
from pipeline.run.turns import Turns
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
    for lane, stream, home in product(LANES, "abc", (0, 1)):
        asked = (lane, stream, home)
        mine = [o.windows for o in taken if (o.step.lane, o.stream, o.home) == asked]
        assert lane == FREE.name or mine == sorted(mine)


class Plain:
    """The same without queues: looks at all tasks every time."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.turns = Turns()

    def take(self, member: int) -> list[Task]:
        mine = [one for one in self.tasks if one.step.lane == FREE.name or one.home == member]
        taken: list[Task] = []
        while mine:
            stream = min((one.stream for one in mine), key=self.turns.rank)
            first = next(one for one in mine if one.stream == stream)
            size = len(first.step.marks)
            if taken and sum(len(one.step.marks) for one in taken) + size > 4:
                break
            self.turns.serve(stream, size)
            taken.append(first)
            lane = first.step.lane
            mine = [one for one in mine if one is not first and one.step.lane == lane]
        self._leave(taken)
        return taken

    def drop(self, stream: str) -> list[Task]:
        gone = [one for one in self.tasks if one.stream == stream]
        self._leave(gone)
        self.turns.forget(stream)
        return gone

    def _leave(self, gone: list[Task]) -> None:
        self.tasks = [one for one in self.tasks if one not in gone]
        for stream in {one.stream for one in gone} - {one.stream for one in self.tasks}:
            self.turns.rest(stream)


steps = st.one_of(
    tasks,
    st.tuples(st.just("take"), st.integers(0, 1)),
    st.tuples(st.just("drop"), st.sampled_from("abc")),
    st.tuples(st.just("share"), st.sampled_from("abc"), st.sampled_from([1, 3]), st.integers(0, 2)),
)


@given(st.lists(steps, max_size=60))
def test_queues_give_what_looking_at_all_tasks_gives(drawn: list[Any]) -> None:
    backlog, plain = Backlog(list(LANES.values())), Plain()
    for step in drawn:
        if isinstance(step, Task):
            one = replace(step)
            backlog.add(one)
            plain.tasks.append(one)
            plain.turns.wait(one.stream)
        elif step[0] == "take":
            assert backlog.take(step[1]) == plain.take(step[1])
        elif step[0] == "drop":
            assert backlog.drop(step[1]) == plain.drop(step[1])
        else:
            _, stream, weight, priority = step
            backlog.share(stream, weight, priority=priority)
            plain.turns.share(stream, weight, priority=priority)
        assert len(backlog) == len(plain.tasks)
        for name in "abc":
            assert backlog.waiting(name) == sum(one.stream == name for one in plain.tasks)


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


@given(
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from([1, 2, 4]), min_size=2),
    st.integers(1, 4),
    st.integers(1, 40),
)
def test_streams_that_always_wait_share_the_pool_by_weight(
    weight_of: dict[str, int], size: int, rounds: int
) -> None:
    backlog = Backlog([FREE])
    served: Counter[str] = Counter()
    for stream, weight in weight_of.items():
        backlog.share(stream, weight)
        for _ in range(FREE.batch):
            backlog.add(task(stream, FREE.name, size))
    for _ in range(rounds):
        for one in backlog.take(0):
            served[one.stream] += size
            backlog.add(one)
    for one, weight in weight_of.items():
        for other, other_weight in weight_of.items():
            ahead = served[one] / weight - served[other] / other_weight
            assert ahead <= FREE.batch / min(weight, other_weight) + 1e-9


def test_a_priority_stream_overtakes() -> None:
    backlog = Backlog([FREE])
    backlog.share("c", priority=1)
    for stream in "abc":
        backlog.add(task(stream, FREE.name, 4))
    assert [backlog.take(0)[0].stream for _ in "abc"] == ["c", "a", "b"]


def test_windows_are_never_looked_into() -> None:
    backlog = Backlog([FREE])
    first, second = (replace(task("a", FREE.name, 1), windows=np.zeros(2)) for _ in "ab")
    backlog.add(first)
    backlog.add(second)
    assert len(backlog.take(0)) == 2

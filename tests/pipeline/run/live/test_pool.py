"""The pool of a live fleet: answers go to those who asked, and to nobody else."""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from pipeline.cut import Progress
from pipeline.measure.values import Metrics
from pipeline.records import Mark
from pipeline.run.backlog import Task
from pipeline.run.live.pool import LivePool
from pipeline.run.local_crew import LocalCrew
from pipeline.run.workers import Step
from pipeline.testing import brightness_lane, scripted_frames

LANE = brightness_lane(batch=1)
TICKS = 600
WITHIN_S = 60.0


def task(stream: str) -> Task:
    """A batch of one window."""
    windower = LANE.make_windower(stream)
    [frame] = scripted_frames([np.zeros((12, 16, 3), np.uint8)], Fraction(10))
    windows = [*windower.push(frame), *windower.flush()]
    marks = tuple(window.mark for window in windows)
    return Task(stream, 0, Step(LANE.name, marks, Progress.nothing()), windows)


@pytest.mark.slow
def test_answers_for_a_stream_that_ended_are_not_those_of_the_next_of_its_name() -> None:
    settled: list[tuple[str, int]] = []

    def settle(stream: str, _lane: str, answers: Any, marks: Sequence[Mark]) -> None:
        settled.append((stream, len(crew.result(answers))))
        assert len(marks) == 1

    with LocalCrew() as crew:
        pool = LivePool(crew, (LANE,), 1, None, Metrics(), settle)
        pool.add(task("yard"))
        pool.dispatch()
        pool.forget("yard")
        for stream in ("yard", "gate"):  # the yard has begun anew meanwhile
            pool.share(stream, 1.0, priority=0)
        pool.add(task("gate"))
        for _ in range(TICKS):
            pool.dispatch()
            pool.tick(set(crew.wait(pool.waits_for(), 0.1)))
            if settled:
                break
        pool.close()
    assert settled == [("gate", 1)]


@pytest.mark.slow
def test_nobody_stands_by_where_that_is_not_wanted() -> None:
    with LocalCrew() as crew:
        pool = LivePool(crew, (LANE,), 1, None, Metrics(), lambda *_: None, spare=False)
        latest = time.monotonic() + WITHIN_S
        while not pool.ready:
            assert time.monotonic() < latest
            pool.tick(set(crew.wait(pool.waits_for(), 0.1)))
        assert pool.members[0].ready
        assert [worker.name for worker in crew.workers] == ["0"]
        pool.close()

"""A reader on Ray holds its stream until it is gone for certain."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pipeline.run.crew import WorkerDied

if TYPE_CHECKING:
    from pipeline.run.ray_crew import RayCrew, RayWorker

pytestmark = [pytest.mark.ray, pytest.mark.slow]

WITHIN_S = 60.0


def counted(crew: RayCrew, worker: RayWorker) -> int:
    """How many ones the worker has; an actor may take long to begin on a busy machine."""
    [call] = crew.call(worker, "count", 1)
    assert crew.wait([call], WITHIN_S)
    return int(crew.result(call))


def test_no_stream_gets_a_second_reader_while_the_first_may_live() -> None:
    import ray

    from pipeline.run import ray_crew

    with ray_crew.started(3, 0.0) as crew:
        first = crew.start("reader", "yard", partial(deque, [1]))
        assert counted(crew, first) == 1
        with pytest.raises(WorkerDied, match="has not ended yet"):
            crew.start("reader", "yard", deque)
        _node, pid = ray.get(first.whereabouts)
        os.kill(pid, signal.SIGSTOP)
        crew.kill(first)
        second, refusals, began = None, 0, time.monotonic()
        while second is None:
            assert time.monotonic() - began < ray_crew.LEASE_S
            try:
                second = crew.start("reader", "yard", partial(deque, [1, 1]))
            except WorkerDied:
                refusals += 1
        assert not ray_crew.lives(pid)
        assert crew.gone(first)
        assert not crew.gone(second)
        assert refusals
        assert counted(crew, second) == 2


def test_where_nobody_answers_a_lease_has_to_run_out() -> None:
    import ray

    from pipeline.run import ray_crew

    def unreachable() -> None:
        raise OSError

    with ray_crew.started(3, 0.0):
        killed = ray.remote(unreachable).remote()
        ray.wait([killed], timeout=30)
        assert not ray_crew.Ending(time.monotonic() + 60, killed=killed).over
        assert ray_crew.Ending(time.monotonic() - 1, killed=killed).over
        done = ray.remote(ray_crew.kill_process).remote(2**22)
        ray.wait([done], timeout=30)
        assert ray_crew.Ending(time.monotonic() + 60, killed=done).over


def stood_by(crew: RayCrew, first: RayWorker) -> int:
    """The process that is ready for the next reader, once it is."""
    import ray

    began = time.monotonic()
    while not crew.stands_by:
        assert time.monotonic() - began < WITHIN_S
        counted(crew, first)
    assert crew._spare is not None
    pid = int(ray.get(crew._spare[0].whereabouts)[1])
    assert crew.pids()[pid] == "reader"
    return pid


def test_the_next_reader_has_a_process_that_stood_by(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    from pipeline.run import ray_crew

    monkeypatch.setattr(ray_crew, "STANDS_BY_S", 0.0)
    with ray_crew.started(3, 0.0) as crew:
        first = crew.start("reader", "yard", deque)
        assert counted(crew, first) == 0
        pid = stood_by(crew, first)
        with pytest.raises(WorkerDied, match="has not ended yet"):
            crew.start("reader", "yard", deque)
        monkeypatch.setattr(ray_crew, "LEASE_S", 1.0)
        second = crew.start("reader", "gate", partial(deque, [1, 1]))
        assert ray.get(second.whereabouts)[1] == pid
        assert counted(crew, second) == 2
        began = time.monotonic()
        while ray_crew.lives(pid):  # nobody asks it for anything: its lease runs out
            assert time.monotonic() - began < WITHIN_S
            counted(crew, first)
        lost = stood_by(crew, first)
        os.kill(lost, signal.SIGKILL)
        third = crew.start("reader", "door", partial(deque, [1]))
        assert counted(crew, third) == 1

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

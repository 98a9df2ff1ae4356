"""Actors of Ray are killed: each is replaced, and nothing comes twice."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.live.conftest import Footage
from tests.live.footage import Clock
from tests.live.servers import RtspServer
from tests.live.watching import Watching, report

if TYPE_CHECKING:
    from pipeline.run.ray_crew import RayWorker

pytestmark = [pytest.mark.ray, pytest.mark.slow]

WITHIN_S = 3.0
NAMES = {"reader": "yard", "member": "0", "keeper": "0"}


def test_an_actor_is_replaced(street: Footage, tmp_path: Path) -> None:
    from pipeline.run import ray_crew

    dead_s: dict[str, float] = {}
    with (
        RtspServer({"/a": {"feed": street.feed}}) as server,
        ray_crew.started(5, 0.0) as crew,
        Watching(tmp_path, crew=crew) as watching,
    ):
        clock = Clock(street.clip, server.epoch)
        watching.add("yard", server.url("/a"))
        watching.until(watching.shows_after("yard", clock, time.time()))
        # Until those that stand by are ready: Ray takes seconds to start one on a busy machine.
        watching.until(lambda: crew.stands_by)
        watching.run_for(6)
        for role in NAMES:
            at = time.time()
            [worker] = [one for one in crew.workers if (one.role, one.name) == (role, NAMES[role])]
            os.kill(pid_of(worker), signal.SIGKILL)
            back = watching.until(watching.shows_after("yard", clock, at))
            dead_s[role] = round(back - at, 2)
            watching.run_for(2)
        watching.end()
    left = watching.of("yard", clock)
    report("processes_ray_SIGKILL", {"dead_s": dead_s})
    left.check()
    assert not left.unread
    assert max(dead_s.values()) < WITHIN_S, dead_s


def pid_of(worker: RayWorker) -> int:
    import ray

    return int(ray.get(worker.whereabouts)[1])

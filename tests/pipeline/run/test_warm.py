"""Workers that are forked: as others are, and sooner there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from functools import partial

import psutil
import pytest

from pipeline.run.crew import WorkerDied
from pipeline.run.local_crew import LocalCrew, LocalWorker

WITHIN_S = 20.0
MODULES = ("collections", "fractions")
OWNER = """
import sys
from collections import deque
from functools import partial
from pipeline.run.local_crew import LocalCrew
from tests.pipeline.run.test_warm import MODULES, warmed

with LocalCrew(MODULES) as crew:
    parent = warmed(crew)
    worker = crew.start("reader", "yard", partial(deque, [1]))
    [call] = crew.call(worker, "count", 1)
    print(parent, worker.pid, crew.result(call), flush=True)
    sys.stdin.read()
"""


def warmed(crew: LocalCrew) -> int:
    """The process id of the crew's warm parent, once it is warm."""
    parent = crew.warm_parent()
    assert parent is not None
    latest = time.monotonic() + WITHIN_S
    while not parent.warm:
        assert time.monotonic() < latest
    return parent.pid


def reader(crew: LocalCrew) -> LocalWorker:
    worker = crew.start("reader", "yard", partial(deque, [1, 1]))
    assert crew.result(crew.call(worker, "count", 1)[0]) == 2
    return worker


def test_a_reader_is_forked_and_called_by_its_name() -> None:
    with LocalCrew(MODULES) as crew:
        parent = warmed(crew)
        process = psutil.Process(reader(crew).pid)
        assert process.ppid() == parent
        assert process.cmdline()[-2:] == ["reader", "yard"]
        assert psutil.Process(parent).num_threads() == 1
        assert os.getsid(process.pid) == process.pid
        member = crew.start("member", "0", partial(deque, [1]))
        assert psutil.Process(member.pid).ppid() == os.getpid()
    assert not process.is_running()
    assert not psutil.pid_exists(parent)


def test_a_forked_reader_is_killed_even_if_it_is_stopped() -> None:
    with LocalCrew(MODULES) as crew:
        warmed(crew)
        worker = reader(crew)
        os.kill(worker.pid, signal.SIGSTOP)
        [call] = crew.call(worker, "count", 1)
        assert not crew.gone(worker)
        crew.kill(worker)
        with pytest.raises(WorkerDied):
            crew.result(call)
        assert worker.process.wait(WITHIN_S) == 0
        assert crew.gone(worker)


def test_what_was_forked_ends_with_its_parent_and_others_come_without() -> None:
    with LocalCrew(MODULES) as crew:
        parent = warmed(crew)
        first = reader(crew)
        os.kill(parent, signal.SIGKILL)
        assert first.process.wait(WITHIN_S) == 0
        [call] = crew.call(first, "count", 1)
        with pytest.raises(WorkerDied):
            crew.result(call)
        crew.kill(first)
        assert psutil.Process(reader(crew).pid).ppid() == os.getpid()


def test_a_parent_that_hangs_holds_nobody_up() -> None:
    with LocalCrew(MODULES) as crew:
        parent = warmed(crew)
        first = reader(crew)
        os.kill(parent, signal.SIGSTOP)
        assert psutil.Process(reader(crew).pid).ppid() == os.getpid()
        assert crew.result(crew.call(first, "count", 1)[0]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [False, True])
def test_all_end_with_an_owner_that_is_killed(stopped: bool) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    assert owner.stdin is not None
    *pids, answer = owner.stdout.readline().split()
    processes = [psutil.Process(int(pid)) for pid in pids]
    if stopped:
        processes[1].suspend()
    owner.kill()
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()
    assert answer == "1"
    _gone, alive = psutil.wait_procs(processes, timeout=5)
    assert all(process.status() == psutil.STATUS_ZOMBIE for process in alive)

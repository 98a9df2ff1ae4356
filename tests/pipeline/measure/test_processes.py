"""What processes take, by role: real processes, whose counters never fall."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import psutil
import pytest

from pipeline.measure.processes import Processes, Taken, role_of
from pipeline.run.crew import Role
from pipeline.run.local_crew import LocalCrew

WITHIN_S = 20.0
TICK_S = 0.03
"""The kernel counts in hundredths of a second, user and system apart."""
MIB = 2**20
BUSY = "import sys, time\nkept = bytearray({size})\nwhile time.process_time() < {cpu}: pass\n"
SAYS_SO = "print('so', flush=True); sys.stdin.read()\n"


@contextmanager
def busy(cpu_s: float, size: int = 0) -> Iterator[int]:
    """A process that has taken so much, by its id."""
    script = BUSY.format(cpu=cpu_s, size=size) + SAYS_SO
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"so\n"
        try:
            yield process.pid
        finally:
            process.kill()


def soon(look: Callable[[], dict[str, Taken]], role: str, processes: int) -> dict[str, Taken]:
    """What is found once that role has so many processes."""
    until = time.monotonic() + WITHIN_S
    while True:
        found = look()
        if found.get(role, Taken()).processes == processes:
            return found
        assert time.monotonic() < until, found


@pytest.mark.parametrize(
    ("command", "role"),
    [
        (["python", "-m", "pipeline.run.worker", "5", "77", "reader", "yard"], "reader"),
        (["python", "-m", "pipeline.run.worker", "   ", "keeper", "keeper"], "keeper"),
        (["python", "-m", "pipeline.run.worker", "5", "77", "member", "batch-2"], "worker"),
        (["python", "-m", "pipeline.run.worker", "5", "77", "warm", "av numpy"], "other"),
        (["ray::SourceReader.step", "", ""], "reader"),
        (["ray::PoolMember"], "member"),
        (["ray::KeeperHost.settle"], "keeper"),
        (["ray::MapWorker(MapBatches(_Actor))"], "worker"),
        (["ray::IDLE"], "other"),
        (["/bin/sh", "-c", "ray::PoolMember"], "other"),
        ([], "other"),
    ],
)
def test_what_a_command_line_shows(command: list[str], role: str) -> None:
    assert role_of(command) == role


def test_this_process_and_what_came_of_it() -> None:
    with busy(0.3, 64 * MIB) as pid:
        processes = Processes(lambda: {pid: "reader"})
        found = processes.look()
        assert found["driver"].processes == 1
        assert found["driver"].descriptors >= 3
        assert found["reader"].processes == 1
        assert 64 * MIB < found["reader"].memory_bytes < 128 * MIB
        assert found["reader"].descriptors >= 3
        assert 0.3 - TICK_S <= processes.cpu_s["reader"] < 2.0
        assert processes.cpu_s["driver"] > 0.0
    assert processes.look()["reader"] == Taken()


def test_cpu_time_of_a_role_grows_when_a_process_takes_the_place_of_another() -> None:
    told: dict[int, str] = {}
    processes, latest = Processes(lambda: told), 0.0
    for number in range(1, 4):
        with busy(0.2) as pid:
            told[pid] = "member"
            for _ in range(3):
                processes.look()
                assert processes.cpu_s["member"] >= latest
                latest = processes.cpu_s["member"]
        assert latest >= (0.2 - TICK_S) * number
    processes.look()
    assert processes.cpu_s["member"] == latest
    assert latest < 3.0


def test_a_number_that_is_given_away_again_is_another_process() -> None:
    with busy(0.2) as pid:
        processes = Processes(lambda: {pid: "member"})
        processes.look()
        once = processes.cpu_s["member"]
        [key] = [key for key in processes._seen if key[0] == pid]
        processes._seen[pid, key[1] - 1.0] = processes._seen.pop(key) + 100.0
        processes.look()
        assert processes.cpu_s["member"] >= 2 * once


def test_who_is_gone_or_never_was_there_is_passed_over() -> None:
    found = Processes(lambda: {2**22 + 1: "reader"}, mine="other").look()
    assert "reader" not in found
    assert found["other"].processes >= 1


@pytest.mark.parametrize("warm", [(), ("json",)])
def test_a_local_crew_shows_its_roles(warm: tuple[str, ...]) -> None:
    roles: list[Role] = ["reader", "member", "keeper"]
    with LocalCrew(warm) as crew:
        for role in roles:
            crew.start(role, "yard", partial(list, [1]))
        for told in (crew.pids, dict):  # as the crew says, and as the command lines show
            found = soon(Processes(told).look, "reader", 1)
            assert [found[role].processes for role in roles] == [1, 1, 1]
        assert sorted(crew.pids().values()) == sorted(roles)
    after = {child.pid for child in psutil.Process().children(recursive=True)}
    assert not after.intersection(crew.pids())


def test_fifty_processes_are_looked_at_for_next_to_nothing() -> None:
    sleepers = [subprocess.Popen(["sleep", "60"]) for _ in range(50)]
    try:
        processes = Processes()
        processes.look()
        began = time.thread_time()
        for _ in range(5):
            assert processes.look()["other"].processes >= 50
        each_s = (time.thread_time() - began) / 5
        assert each_s < 0.05  # usually a quarter of it, every ten seconds
    finally:
        for sleeper in sleepers:
            sleeper.kill()
            sleeper.wait()

"""Workers as processes: answers, deaths, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from functools import partial

import psutil
import pytest

from pipeline.run.crew import WorkerDied
from pipeline.run.local_crew import LocalCrew

OWNER = """
import sys
from collections import deque
from functools import partial
from pipeline.run.local_crew import LocalCrew

with LocalCrew() as crew:
    worker = crew.start("reader", "yard", partial(deque, [1]))
    [call] = crew.call(worker, "count", 1)
    print(worker.pid, crew.result(call), flush=True)
    sys.stdin.read()
"""


class Pair:
    """Answers in two parts, of which the second stays closed until somebody wants it."""

    def both(self, word: str) -> tuple[str, list[str]]:
        return word, [word] * 3

    def joined(self, words: list[str]) -> str:
        return "".join(words)


@pytest.fixture
def crew() -> Iterator[LocalCrew]:
    with LocalCrew() as crew:
        yield crew


def test_a_worker_answers_in_order(crew: LocalCrew) -> None:
    worker = crew.start("reader", "yard", partial(deque, [3, 1, 3]))
    calls = [crew.call(worker, "count", number)[0] for number in (3, 1, 2)]
    assert [crew.result(call) for call in calls] == [2, 1, 0]


def test_a_part_of_an_answer_goes_to_another_worker(crew: LocalCrew) -> None:
    one, other = (crew.start("member", name, Pair) for name in ("0", "1"))
    word, words = crew.call(one, "both", "ab", parts=2)
    [joined] = crew.call(other, "joined", words)
    assert (crew.result(word), crew.result(joined)) == ("ab", "ababab")
    assert crew.result(words) == ["ab"] * 3


def test_what_a_method_raises_is_raised(crew: LocalCrew) -> None:
    worker = crew.start("reader", "yard", partial(deque, [1]))
    [call] = crew.call(worker, "remove", 7)
    with pytest.raises(ValueError, match="not in deque"):
        crew.result(call)
    [after] = crew.call(worker, "count", 1)
    assert crew.result(after) == 1


def test_a_killed_worker_is_told_of_at_once(crew: LocalCrew) -> None:
    worker = crew.start("reader", "yard", partial(deque, [1]))
    crew.result(crew.call(worker, "count", 1)[0])
    os.kill(worker.pid, signal.SIGKILL)
    [call] = crew.call(worker, "count", 1)
    with pytest.raises(WorkerDied, match="the reader yard ended"):
        crew.result(call)


def test_a_stopped_worker_holds_nobody_up_and_can_be_killed(crew: LocalCrew) -> None:
    worker = crew.start("reader", "yard", partial(deque, [1]))
    crew.result(crew.call(worker, "count", 1)[0])
    os.kill(worker.pid, signal.SIGSTOP)
    # More than a pipe holds: who sends it in the owner's thread would hang here.
    [call] = crew.call(worker, "append", b"x" * 10_000_000)
    assert crew.wait([call], 0.05) == []
    crew.kill(worker)
    assert crew.wait([call], 10) == [call]
    with pytest.raises(WorkerDied):
        crew.result(call)


def test_closing_ends_every_process() -> None:
    with LocalCrew() as crew:
        workers = [crew.start("reader", name, partial(deque, [1])) for name in ("a", "b")]
        processes = [psutil.Process(worker.pid) for worker in workers]
    assert not any(process.is_running() for process in processes)
    [call] = crew.call(workers[0], "count", 1)
    with pytest.raises(WorkerDied):
        crew.result(call)


@pytest.mark.parametrize("stopped", [False, True])
def test_workers_end_with_an_owner_that_is_killed(stopped: bool) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    assert owner.stdin is not None
    pid, answer = owner.stdout.readline().split()
    worker = psutil.Process(int(pid))
    if stopped:
        worker.suspend()
    owner.kill()
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()
    assert answer == "1"
    gone, alive = psutil.wait_procs([worker], timeout=5)
    assert gone or alive[0].status() == psutil.STATUS_ZOMBIE

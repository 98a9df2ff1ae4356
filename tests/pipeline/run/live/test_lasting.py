"""A place in the crew outlives its workers, and nothing is answered twice or forgotten."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline.run.crew import WorkerDied
from pipeline.run.live.lasting import Lasting
from pipeline.run.local_crew import LocalCrew

WITHIN_S = 20.0


class Tally:
    """Keeps a running total, and dies or hangs on demand."""

    def __init__(self) -> None:
        self.total = 0

    def add(self, number: int) -> int:
        self.total += number
        return self.total

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def checkpoint(self) -> bytes:
        return pickle.dumps(self.total)

    def restore(self, known: bytes) -> None:
        self.total = pickle.loads(known)


class Bench:
    """A lasting tally, and what it answered."""

    def __init__(
        self,
        crew: LocalCrew,
        checkpoint_s: float,
        make: Callable[[], Any] = Tally,
        hung_s: float = 0.5,
        *,
        alone: bool = False,
    ) -> None:
        self.crew = crew
        self.answers: list[Any] = []
        self.given_up = 0
        self.tally = Lasting(
            crew,
            "keeper",
            "0",
            make,
            checkpoint_s=checkpoint_s,
            hung_s=hung_s,
            starting_s=WITHIN_S,
            alone=alone,
        )

    def ask(self, method: str, *args: Any) -> None:
        self.tally.call(method, *args, answered=self._take, given_up=self._give_up)

    def until(self, there: Callable[[], bool]) -> None:
        latest = time.monotonic() + WITHIN_S
        while not there():
            assert time.monotonic() < latest
            calls = self.tally.waits_for()
            ready = self.crew.wait(calls, 0.05) if calls else []
            self.tally.tick(set(ready))

    def _take(self, calls: list[Any]) -> None:
        self.answers.append(self.crew.result(calls[0]))

    def _give_up(self) -> None:
        self.given_up += 1

    @property
    def pid(self) -> int:
        return int(self.tally.worker.pid)


@pytest.fixture
def crew() -> Iterator[LocalCrew]:
    with LocalCrew() as crew:
        yield crew


@pytest.mark.parametrize("checkpoint_s", [0.0, 3600.0])
def test_a_killed_worker_is_replaced_and_the_total_goes_on(
    crew: LocalCrew, checkpoint_s: float
) -> None:
    bench = Bench(crew, checkpoint_s)
    for number in range(1, 6):
        bench.ask("add", number)
        bench.until(lambda seen=number: len(bench.answers) == seen)
    os.kill(bench.pid, signal.SIGKILL)
    for number in range(6, 9):
        bench.ask("add", number)
    bench.until(lambda: len(bench.answers) == 8)
    assert bench.answers == [1, 3, 6, 10, 15, 21, 28, 36]
    assert (bench.tally.restarts, bench.given_up) == (1, 0)
    assert bench.tally.losses == {"died": 1}


def test_a_stopped_worker_is_replaced(crew: LocalCrew) -> None:
    bench = Bench(crew, 0.0)
    bench.ask("add", 1)
    bench.until(lambda: bench.answers == [1])
    os.kill(bench.pid, signal.SIGSTOP)
    bench.ask("add", 2)
    bench.until(lambda: bench.answers == [1, 3])
    assert "no answer for 0.5 s" in bench.tally.lost
    assert bench.tally.losses == {"hung": 1}


def test_a_checkpoint_shortens_what_is_told_again(crew: LocalCrew) -> None:
    bench = Bench(crew, 0.0)
    for number in range(1, 4):
        bench.ask("add", number)
    bench.until(lambda: len(bench.answers) == 3 and not bench.tally.waits_for())
    bench.until(lambda: bench.tally.remembered == 0)
    os.kill(bench.pid, signal.SIGKILL)
    bench.ask("add", 4)
    bench.until(lambda: len(bench.answers) == 4)
    assert bench.answers[-1] == 10


def test_a_call_that_kills_every_worker_is_given_up(crew: LocalCrew) -> None:
    bench = Bench(crew, 3600.0)
    bench.ask("add", 1)
    bench.ask("die")
    bench.ask("add", 2)
    bench.until(lambda: len(bench.answers) == 2 and bench.given_up == 1)
    assert bench.answers == [1, 3]
    assert bench.tally.restarts == 2


class Forgetful(Tally):
    """Its first successors cannot take over."""

    def __init__(self, tries: Path) -> None:
        super().__init__()
        self.tries = tries

    def restore(self, known: bytes) -> None:
        self.tries.write_text(self.tries.read_text() + "x")
        if len(self.tries.read_text()) <= 2:
            raise OSError("stale file handle")
        super().restore(known)


@pytest.mark.slow
def test_a_worker_that_cannot_take_over_is_replaced_and_no_call_blamed(
    crew: LocalCrew, tmp_path: Path
) -> None:
    tries = tmp_path / "tries"
    tries.write_text("")
    bench = Bench(crew, 0.0, partial(Forgetful, tries))
    bench.ask("add", 1)
    bench.until(lambda: bench.answers == [1] and bench.tally.remembered == 0)
    os.kill(bench.pid, signal.SIGKILL)
    bench.ask("add", 2)
    bench.until(lambda: len(bench.answers) == 2)
    assert (bench.answers, bench.given_up) == ([1, 3], 0)
    assert tries.read_text() == "xxx"
    assert "cannot go on where the one before it was" in bench.tally.lost
    assert bench.tally.losses["failed"] > 0


def test_a_machine_without_room_for_a_process_is_asked_again(
    crew: LocalCrew, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(crew, 3600.0)
    bench.ask("add", 1)
    bench.until(lambda: bench.answers == [1])
    with monkeypatch.context() as full:
        full.setattr(sys, "executable", "/nowhere/python")
        os.kill(bench.pid, signal.SIGKILL)
        bench.ask("add", 2)
        bench.until(lambda: "no process can be started" in bench.tally.lost)
        with pytest.raises(WorkerDied, match="No such file"):
            crew.start("reader", "yard", Tally)
    bench.until(lambda: len(bench.answers) == 2)
    assert (bench.answers, bench.given_up) == ([1, 3], 0)


def test_an_answer_whose_news_come_after_a_checkpoint_is_not_forgotten(crew: LocalCrew) -> None:
    bench = Bench(crew, 0.0)
    bench.ask("add", 1)
    bench.tally.tick(set())  # asks for the checkpoint
    answer, checkpoint = bench.tally.waits_for()
    assert crew.wait([checkpoint], WITHIN_S)
    bench.tally.tick({checkpoint})
    assert (bench.answers, bench.tally.remembered) == ([], 1)
    bench.tally.tick({answer, checkpoint})
    assert (bench.answers, bench.tally.remembered) == ([1], 0)


def test_an_answer_that_waits_to_be_looked_at_is_no_silence(crew: LocalCrew) -> None:
    bench = Bench(crew, 3600.0, hung_s=0.0)
    bench.ask("add", 1)
    bench.until(lambda: bench.answers == [1])
    bench.ask("add", 2)
    assert crew.wait(bench.tally.waits_for(), WITHIN_S)
    bench.tally.tick(set())
    assert bench.tally.restarts == 0
    bench.until(lambda: bench.answers == [1, 3])


def test_who_was_asked_nothing_for_long_did_not_hang(crew: LocalCrew) -> None:
    bench = Bench(crew, 3600.0, hung_s=0.05)
    bench.ask("add", 1)
    bench.until(lambda: bench.answers == [1])
    bench.tally.tick(set())
    other = crew.start("keeper", "other", Tally)  # takes longer than that
    crew.result(crew.call(other, "add", 1)[0])
    os.kill(bench.pid, signal.SIGSTOP)
    bench.ask("add", 2)
    bench.tally.tick(set())
    assert bench.tally.restarts == 0
    bench.until(lambda: bench.answers == [1, 3])


class Held(LocalCrew):
    """Its processes are in the kernel's hands: they end when `let_go` says so."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Any] = []

    def kill(self, worker: Any) -> None:
        self.held.append(worker)

    def let_go(self) -> None:
        while self.held:
            super().kill(self.held.pop())


def test_no_successor_writes_while_the_one_before_it_may_write() -> None:
    with Held() as crew:
        bench = Bench(crew, 0.0, alone=True)
        bench.ask("add", 1)
        bench.until(lambda: bench.answers == [1])
        os.kill(bench.pid, signal.SIGSTOP)
        bench.ask("add", 2)
        bench.until(lambda: bench.tally.restarts == 1)
        for number in range(3, 6):
            bench.ask("add", number)
            bench.tally.tick(set())
        assert (len(crew.workers), bench.answers) == (1, [1])
        assert "no answer for 0.5 s" in bench.tally.problem
        crew.let_go()
        bench.until(lambda: len(bench.answers) == 5)
        assert (bench.answers, bench.given_up) == ([1, 3, 6, 10, 15], 0)
        assert (bench.tally.problem, bench.tally.restarts) == ("", 1)
        bench.tally.close()
        crew.let_go()


class Mortal(Tally):
    """Dies of everything."""

    def add(self, _: int) -> int:
        os._exit(1)


@pytest.mark.slow
def test_where_nobody_does_well_successors_come_ever_more_rarely(crew: LocalCrew) -> None:
    bench = Bench(crew, 3600.0, Mortal)
    for number in range(9):
        bench.ask("add", number)
    at: list[float] = []
    for losses in range(1, 5):
        bench.until(lambda losses=losses: bench.tally.restarts == losses)
        at.append(time.monotonic())
    assert at[3] - at[0] >= 0.25 + 0.5
    assert "ended" in bench.tally.problem

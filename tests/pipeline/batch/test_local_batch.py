import shutil
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pipeline.batch.inputs import Input, find_inputs
from pipeline.batch.member import BatchMember
from pipeline.batch.tally import Tally
from pipeline.batch.unit import Outcome, Unit
from pipeline.batch.work import Note
from pipeline.errors import LaneError, OutputError
from pipeline.run.crew import WorkerDied
from pipeline.run.local_batch import DEATHS_IN_A_ROW, LocalBatch
from pipeline.testing import brightness_lane, loudness_lane
from tests import clips
from tests.pipeline.batch.jobs import divisible, plain_job, run_here, run_local, tree

LANES = (divisible(brightness_lane(rate_hz=5)), loudness_lane())


def units(count: int) -> list[Unit]:
    return [Unit(Input(str(n), f"/{n}.mp4", "1", 1, "unknown")) for n in range(count)]


def ended(unit: Unit) -> Outcome:
    return Outcome("k" + unit.name, unit.name, unit.name, "done", 1.0, 1, 2, 0.1)


class Scripted:
    """A worker that answers as it is told to; a silent one never does."""

    def __init__(
        self, die: Collection[str] = (), error: Exception | None = None, *, silent: bool = False
    ) -> None:
        self.silent = silent
        self._die = set(die)
        self._error = error
        self._unit: Unit | None = None

    def units(self, unit: Unit) -> list[Unit]:
        return [unit]

    def begin(self, unit: Unit) -> Note:
        self._unit = unit
        if unit.name in self._die:
            raise WorkerDied("gone")
        return Note(unit.name, 0.5)

    def go_on(self) -> Outcome:
        if self._error is not None:
            raise self._error
        assert self._unit is not None
        return ended(self._unit)


class HereCrew:
    """Answers calls at once, in this process."""

    def __init__(self, *workers: Scripted) -> None:
        self.ready = deque(workers)
        self.started: list[Scripted] = []
        self.killed: list[Any] = []
        self.calls: list[tuple[Any, Future[Any]]] = []

    def start(self, _role: str, _name: str, _make: Callable[[], Any]) -> Scripted:
        self.started.append(self.ready.popleft() if self.ready else Scripted())
        return self.started[-1]

    def call(self, worker: Any, method: str, *args: Any) -> list[Future[Any]]:
        call: Future[Any] = Future()
        self.calls.append((worker, call))
        if worker.silent:
            return [call]
        try:
            call.set_result(getattr(worker, method)(*args))
        except Exception as error:
            call.set_exception(error)
        return [call]

    def wait(self, calls: list[Future[Any]], _timeout_s: float) -> list[Future[Any]]:
        return [call for call in calls if call.done()]

    def result(self, call: Future[Any]) -> Any:
        return call.result()

    def kill(self, worker: Any) -> None:
        self.killed.append(worker)
        for whose, call in self.calls:
            if whose is worker and not call.done():
                call.set_exception(WorkerDied("killed"))


def run(
    crew: HereCrew, count: int, workers: int = 2, most: int = 10**9, **rules: float
) -> tuple[list[str], Tally]:
    tally, heard = Tally(found=count), list[str]()

    def hear(outcome: Outcome | None) -> bool:
        heard.extend([outcome.name] if outcome else [])
        return len(heard) < most

    job = plain_job(Path("none"), LANES, **rules)
    LocalBatch(job, crew, workers, tally).run(iter(units(count)), hear)  # type: ignore[arg-type]
    return heard, tally


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_unit_is_run_once(workers: int) -> None:
    heard, tally = run(HereCrew(), 7, workers)
    assert sorted(heard) == [str(number) for number in range(7)]
    assert (tally.done, tally.events, tally.todo, tally.running) == (7, 14, 0, {})


def test_nothing_to_do_is_done_at_once() -> None:
    assert run(HereCrew(), 0)[0] == []


def test_a_worker_that_dies_is_replaced_and_its_unit_begins_again() -> None:
    crew = HereCrew(Scripted(die=["0"]), Scripted(die=["0"]))
    heard, tally = run(crew, 3)
    assert sorted(heard) == ["0", "1", "2"]
    assert tally.workers_lost == len(crew.killed)
    assert 1 <= tally.workers_lost <= 2


def test_workers_that_never_begin_end_the_job() -> None:
    crew = HereCrew(*(Scripted(die=["0"]) for _ in range(DEATHS_IN_A_ROW + 2)))
    with pytest.raises(LaneError, match="one worker after the other died"):
        run(crew, 1, workers=1)


def test_a_worker_that_never_answers_is_replaced() -> None:
    crew = HereCrew(Scripted(silent=True))
    heard, tally = run(crew, 2, workers=1, timeout_s=0.0, stall_s=0.0)
    assert sorted(heard) == ["0", "1"]
    assert tally.workers_lost == 1
    assert crew.killed[0].silent


def test_who_listens_may_stop_it() -> None:
    assert len(run(HereCrew(), 50, workers=1, most=3)[0]) == 3


def test_results_that_cannot_be_written_end_the_job() -> None:
    with pytest.raises(OutputError):
        run(HereCrew(Scripted(error=OutputError("full"))), 2, workers=1)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short one, one that is cut, and one that is none."""
    folder = tmp_path_factory.mktemp("videos")
    sound = clips.Sound(seconds=Fraction(3))
    film = clips.make(folder, clips.Recipe("mp4", clips.at_rate(Fraction(10), 3), sound))
    shutil.move(film, folder / "long.mp4")
    (folder / "none.mp4").write_bytes(b"nothing" * 9)
    return folder


@pytest.mark.slow
def test_processes_leave_what_one_pass_leaves(videos: Path, tmp_path: Path) -> None:
    run_here(plain_job(tmp_path / "one", LANES), videos)
    heard = run_local(plain_job(tmp_path / "many", LANES, segment_s=Fraction(1)), videos)
    assert len(heard) == 5
    assert tree(tmp_path / "many") == tree(tmp_path / "one")


def test_a_member_cuts_runs_and_tells(videos: Path, tmp_path: Path) -> None:
    member = BatchMember(plain_job(tmp_path, LANES, segment_s=Fraction(1)))
    [whole] = [unit for unit in found(videos) if unit.name == "long.mp4"]
    cut = member.units(whole)
    assert len(cut) == 4
    last: Any = None
    for unit in cut:
        last = member.begin(unit)
        while not isinstance(last, Outcome):
            last = member.go_on()
    assert last.state == "done"


def found(videos: Path) -> list[Unit]:
    return [Unit(video) for video in find_inputs([str(videos)])]

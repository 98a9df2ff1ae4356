"""Offline work on Ray: Ray Data hands units to a pool of actors, and moves them when one dies.

Blocks hold the names of units, never pixels; a worker writes its results itself. So a task that is
run again, on whatever node, finds what was done and goes on.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import islice
from queue import Empty, Queue
from typing import Any

import numpy as np
import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipeline.batch.cutter import Cutter
from pipeline.batch.job import BatchJob
from pipeline.batch.member import TELLS_EVERY_S
from pipeline.batch.tally import Tally
from pipeline.batch.unit import Outcome, Unit
from pipeline.batch.work import UnitWorker
from pipeline.errors import ConfigError, LaneError, OutputError, SourceError, WitnessError
from pipeline.run.descent import none_survives
from pipeline.run.ray_cluster import brief, start_ray_for

FIRST_BLOCKS = 64
MOST_UNITS = 64
POLL_S = 0.5
END_S = 5.0
CPUS_TO_CUT = 0.25


class RayBatch:
    """Runs units on the cluster at RAY_ADDRESS, or on one that is started here.

    Each of `workers` actors takes `cpus` of a cluster's processors. ConfigError, with numbers, when
    the cluster has no room for them and for the tasks that cut videos; LaneError when the networks
    cannot be loaded; OutputError when results cannot be written.
    """

    def __init__(self, job: BatchJob, workers: int, cpus: float, tally: Tally) -> None:
        self._job = job
        self._workers = workers
        self._cpus = cpus
        self._tally = tally
        # At each actor Ray warns that its arguments may be lost; they are safe with the driver.
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        before = signal.getsignal(signal.SIGTERM)
        start_ray_for(workers + 2, "--engine local")
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)  # Ray takes it for itself
        self._here = ray.get_runtime_context().get_node_id()
        self._exit = ExitStack()
        self._check_room()

    def __enter__(self) -> RayBatch:
        self._exit.callback(ray.shutdown)
        self._exit.enter_context(none_survives())
        return self

    def __exit__(self, *_exc: object) -> None:
        self._exit.close()

    def run(self, units: Iterator[Unit], told: Callable[[Outcome | None], bool]) -> None:
        """Works through the units; `told` hears outcomes, and says False when it is enough.

        It is called with None when a while went by without any.
        """
        blocks = [ray.put(block) for block in _blocks(units)]
        if not blocks:
            return
        here = NodeAffinitySchedulingStrategy(self._here, soft=False)  # another node may be lost
        board = ray.remote(Board).options(num_cpus=0, scheduling_strategy=here).remote()
        cutter = Cutter(self._job)
        _quiet()
        data = (
            ray.data.from_arrow_refs(blocks)
            .map_batches(_cut, batch_size=1, fn_args=(cutter,), num_cpus=CPUS_TO_CUT)
            .map_batches(
                _Actor,
                batch_size=1,
                fn_constructor_args=(self._job, board),
                compute=ActorPoolStrategy(size=self._workers, max_tasks_in_flight_per_actor=2),
                num_cpus=self._cpus,
                num_gpus=self._job.config.pool.gpus if self._job.device == "cuda" else 0,
            )
        )
        with _Reading(data) as reading:
            try:
                for outcome in reading.outcomes():
                    if outcome is None:
                        self._tally.running = ray.get(board.running.remote())
                    else:
                        self._tally.ended(outcome)
                    if not told(outcome):
                        return
            except (RayError, OSError) as error:
                raise _plain(error) from error

    def _check_room(self) -> None:
        has = ray.cluster_resources().get("CPU", 0.0)
        wanted = self._workers * self._cpus + CPUS_TO_CUT
        if wanted > has:
            most = max(0, int((has - CPUS_TO_CUT) / self._cpus))
            message = (
                f"{self._workers} workers of {self._cpus:g} CPU, and {CPUS_TO_CUT:g} to look at "
                f"videos, need {wanted:g}, but the cluster has {has:g}: use --workers {most}"
            )
            raise ConfigError(message)


class Board:
    """Where workers write how far they are, for the driver to read."""

    def __init__(self) -> None:
        self._running: dict[str, float] = {}

    def note(self, name: str, media_s: float | None) -> None:
        """Takes that a unit has come so far; None when it is over."""
        if media_s is None:
            self._running.pop(name, None)
        else:
            self._running[name] = media_s

    def running(self) -> dict[str, float]:
        """The units under way."""
        return self._running


class _Actor:
    """A worker in Ray Data's pool."""

    def __init__(self, job: BatchJob, board: Any) -> None:
        self._worker = UnitWorker(job)
        self._board = board

    def __call__(self, rows: dict[str, Any]) -> dict[str, Any]:
        outcomes = [self._run(Unit.from_json(str(told))) for told in rows["unit"]]
        return {"outcome": np.array(outcomes, dtype=object)}

    def _run(self, unit: Unit) -> str:
        """The outcome as text."""
        latest = 0.0
        for told in self._worker.run(unit):
            if isinstance(told, Outcome):
                self._board.note.remote(unit.name, None)
                return told.to_json()
            if time.monotonic() - latest > TELLS_EVERY_S:
                latest = time.monotonic()
                self._board.note.remote(told.name, told.media_s)
        message = "a unit ends with its outcome"
        raise AssertionError(message)


def _cut(rows: dict[str, Any], cutter: Cutter) -> dict[str, Any]:
    """The units of these videos; one that cannot be opened stays whole, and its worker says why."""
    units: list[Unit] = []
    for told in rows["unit"]:
        whole = Unit.from_json(str(told))
        try:
            units += cutter.units(whole)
        except SourceError:
            units.append(whole)
    return {"unit": np.array([unit.to_json() for unit in units], dtype=object)}


def _blocks(units: Iterator[Unit]) -> Iterator[pa.Table]:
    """The units in blocks: of one each at first, so that all workers begin at once, later larger.

    What a driver keeps grows with the number of blocks, not of units.
    """
    size, made = 1, 0
    while block := [unit.to_json() for unit in islice(units, size)]:
        yield pa.table({"unit": block})
        made += 1
        if made % FIRST_BLOCKS == 0:
            size = min(MOST_UNITS, 2 * size)


class _Reading:
    """Reads outcomes in a thread, so that the driver can do something else while none comes.

    At the end of the block the thread has ended, and Ray Data with it: whoever shuts Ray down
    before that leaves its threads to complain.
    """

    def __init__(self, data: Any) -> None:
        self._data = data
        self._came: Queue[Outcome | BaseException | None] = Queue()
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._read, name="outcomes", daemon=True)

    def __enter__(self) -> _Reading:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._enough.set()
        # Ray Data ends a run when its iterator is closed, and that waits for the next row.
        executor = getattr(self._data, "_current_executor", None)
        if executor is not None:
            executor.shutdown(force=True)
        self._thread.join(END_S)

    def outcomes(self) -> Iterator[Outcome | None]:
        """What came of units, as it comes; None now and then while nothing does."""
        while True:
            try:
                told = self._came.get(timeout=POLL_S)
            except Empty:
                yield None
                continue
            if told is None:
                return
            if isinstance(told, BaseException):
                raise told
            yield told

    def _read(self) -> None:
        try:
            with closing(iter(self._data.iter_rows())) as rows:
                for row in rows:
                    if self._enough.is_set():
                        return
                    self._came.put(Outcome.from_json(row["outcome"]))
        except BaseException as error:  # it belongs to who waits
            self._came.put(error)
        else:
            self._came.put(None)


def _quiet() -> None:
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.target_max_block_size = 1  # a block for each unit, so that any worker may take it
    context.execution_no_progress_timeout_s = -1  # a unit may take hours; our watchdog looks on
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _plain(error: Exception) -> WitnessError:
    """The error of ours inside of one of Ray's."""
    inner: BaseException | None = error
    while inner is not None:
        inner = getattr(inner, "cause", None) or inner.__cause__
        if isinstance(inner, WitnessError):
            return inner
    text = str(error)
    if "OutputError" in text:
        return OutputError(brief(error))
    return LaneError(f"Ray cannot go on with the job: {brief(error)}")

"""Offline jobs of lanes without networks, and what is compared of their results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.batch.answers import told
from pipeline.batch.cutter import Cutter
from pipeline.batch.inputs import find_inputs
from pipeline.batch.job import JOB, BatchJob
from pipeline.batch.tally import Tally
from pipeline.batch.tidy import tidy
from pipeline.batch.todo import Todo
from pipeline.batch.unit import Outcome, Unit
from pipeline.batch.work import UnitWorker
from pipeline.config.schema import RunConfig
from pipeline.errors import SourceError
from pipeline.lane import Lane
from pipeline.run.local_batch import LocalBatch
from pipeline.run.local_crew import LocalCrew
from pipeline.testing import blob_lane, brightness_lane, loudness_lane

HASH = "0123456789ab"


def divisible(lane: Lane) -> Lane:
    """The lane, as one that long videos may be cut for."""
    return replace(lane, divisible=True)


FAKES = (
    divisible(brightness_lane(rate_hz=25)),
    divisible(blob_lane()),
    loudness_lane(hop_s=0.1),
)


@dataclass(frozen=True, slots=True)
class PlainJob(BatchJob):
    """A job of lanes that are given to it."""

    plain: tuple[Lane, ...] = FAKES

    def lanes(self) -> tuple[Lane, ...]:
        return self.plain


def plain_job(results: Path, lanes: Sequence[Lane] = FAKES, **rules: Any) -> PlainJob:
    """A job that leaves its results in this folder."""
    told_rules = {"config_hash": HASH, "run": "first", "stall_s": 10.0, **rules}
    return PlainJob(RunConfig(), str(results), plain=tuple(lanes), **told_rules)


def units_of(job: BatchJob, whole: Unit) -> list[Unit]:
    """What a video is cut into, as the engines do it."""
    try:
        return Cutter(job).units(whole)
    except SourceError:
        return [whole]


def outcomes(worker: UnitWorker, unit: Unit) -> Outcome:
    """What came of a unit."""
    *_notes, last = worker.run(unit)
    assert isinstance(last, Outcome)
    return last


def run_here(job: BatchJob, *videos: Path | str) -> list[Outcome]:
    """Runs a job in this process, unit by unit, from its beginning to its end."""
    with begun(job, *videos) as todo:
        worker = UnitWorker(job)
        units = (unit for whole in todo.units() for unit in units_of(job, whole))
        return [outcomes(worker, unit) for unit in units]


def run_local(job: BatchJob, *videos: Path | str, workers: int = 2) -> list[Outcome]:
    """Runs a job in processes."""
    heard: list[Outcome] = []

    def hear(outcome: Outcome | None) -> bool:
        if outcome is not None:
            heard.append(outcome)
        return True

    with begun(job, *videos) as todo, LocalCrew() as crew:
        LocalBatch(job, crew, workers, Tally()).run(todo.units(), hear)
    return heard


@contextmanager
def begun(job: BatchJob, *videos: Path | str, tally: Tally | None = None) -> Iterator[Todo]:
    """What is to be done, with what a driver does before it and after it."""
    with Todo(job) as todo:
        todo.find(find_inputs([str(video) for video in videos]), tally or Tally())
        tidy(job.store, job.config_hash)
        job.store.write(JOB, told({"config_hash": job.config_hash}))
        yield todo
        tidy(job.store, job.config_hash)


def tree(results: Path) -> dict[str, bytes]:
    """Every file of RESULTS by its name, hidden ones too."""
    found = (path for path in sorted(results.rglob("*")) if path.is_file())
    return {str(path.relative_to(results)): path.read_bytes() for path in found}


def states(job: BatchJob) -> dict[str, str]:
    """The state of each video in the results."""
    return {known["source"]: known["state"] for known in records(job)}


def records(job: BatchJob) -> Iterator[dict[str, Any]]:
    """The records of the videos that are finished."""
    store = job.store
    for name in sorted(store.names("units")):
        yield json.loads(store.read(name))

"""`witness batch` as a program of its own, and what it leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from pipeline.batch.job import BatchJob
from pipeline.batch.stores import open_store
from pipeline.batch.tally import Tally
from pipeline.run.local_batch import LocalBatch
from pipeline.run.local_crew import LocalCrew
from tests import networks
from tests.pipeline.batch.jobs import begun
from tests.programs import environment, program

ENDS_WITHIN_S = 600.0


@dataclass(frozen=True)
class Order:
    """What is asked of `witness batch`, but for where results go."""

    videos: Path
    config: Path
    more: Sequence[str] = ()
    engine: str = "local"
    scan: str = "off"

    def words(self, results: Path) -> list[str]:
        """The command."""
        return [
            *(sys.executable, "-m", "pipeline", "batch", str(self.videos)),
            *("--out", str(results), "--config", str(self.config), "--engine", self.engine),
            *("--workers", "2", "--metrics-port", "-1", "--scan", self.scan, *self.more),
        ]

    def run(self, results: Path, before: Sequence[str] = ()) -> tuple[int, str]:
        """Exit code and what was said. Words that come `before` may change what it runs in."""
        done = subprocess.run(
            [*before, *self.words(results)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(),
            text=True,
            timeout=ENDS_WITHIN_S,
            check=False,
        )
        return done.returncode, done.stdout

    @contextmanager
    def running(self, results: Path, **more: str) -> Iterator[subprocess.Popen[str]]:
        """The process, which is killed at the latest when the block ends, and all that it began."""
        with program(self.words(results), subprocess.PIPE, **more) as process:
            yield process


def wait_for(there: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Until `there`, or the process has ended."""
    began = time.monotonic()
    while not there() and process.poll() is None:
        assert time.monotonic() - began < ENDS_WITHIN_S
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)


def small_config(folder: Path) -> Path:
    """Watches and listens with small networks."""
    lanes = [networks.action_lane(folder), networks.sound_lane(folder)]
    told = {"lanes": [lane.model_dump(exclude_none=True, mode="json") for lane in lanes]}
    path = folder / "yard.yaml"
    path.write_text(json.dumps(told, indent=1), encoding="utf-8")  # JSON is YAML
    return path


def peak(job: BatchJob, video: Path, workers: int = 1) -> int:
    """Runs a job over a video, and gives the most memory, in bytes, that a worker was seen to use.

    It is what belongs to the worker alone: libraries that all of them share do not count.
    """
    most = 0
    with begun(job, video) as todo, LocalCrew() as crew:

        def hear(_outcome: object) -> bool:
            nonlocal most
            for worker in crew.workers:
                with suppress(psutil.NoSuchProcess):
                    most = max(most, psutil.Process(worker.pid).memory_full_info().uss)
            return True

        LocalBatch(job, crew, workers, Tally()).run(todo.units(), hear)
    return most


def check_whole(results: Path) -> int:
    """How many videos are finished. Fails when one of them lacks a table, or has half of one."""
    store = open_store(str(results))
    names = list(store.names("units"))
    for name in names:
        known = json.loads(store.read(name))
        for table in known["files"]:
            pq.ParquetFile(results / table).close()
    return len(names)

"""A large job that is nearly done: it begins anew at once, and nothing that is done is opened."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.batch.answers import told
from pipeline.batch.inputs import find_inputs
from pipeline.batch.result import commit_name
from pipeline.batch.tally import Tally
from pipeline.batch.unit import Outcome, key_of
from pipeline.run.local_batch import LocalBatch
from pipeline.run.local_crew import LocalCrew
from pipeline.testing import brightness_lane
from tests.batch.conftest import make_film
from tests.live.watching import FULL, report
from tests.pipeline.batch.jobs import HASH, PlainJob, begun, plain_job
from tests.programs import ROOT, environment

pytestmark = [pytest.mark.slow, pytest.mark.alone]

VIDEOS = 10_000
TODO = 100
FIRST_WITHIN_S = 5.0
PLANNED = 100_000
MORE_BYTES = 10 << 20
RECORD = {"media_s": 1.0, "size_bytes": 1, "events": 0, "error": None, "files": [], "state": "done"}

MEASURED = """
import sys
from pathlib import Path
from pipeline.batch.inputs import Input
from pipeline.batch.tally import Tally
from pipeline.batch.todo import Todo
from tests.batch.test_trial_resume import peak_bytes
from tests.pipeline.batch.jobs import plain_job

def planned(count):
    for number in range(count):
        name = f"yard/2026-11-22/camera_{number:07}.mp4"
        yield Input(name, "/recordings/" + name, f"{number}-1", 1_000_000, "2026-11-22")

def plan(count):
    with Todo(plain_job(Path(sys.argv[1]))) as todo:
        todo.find(planned(count), Tally())
        assert sum(1 for _ in todo.units()) == count
    return peak_bytes()

few = plan(100)
print(plan(int(sys.argv[2])) - few)
"""


def peak_bytes() -> int:
    """The most memory that this process has used so far."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thousands of videos, of which only the last hundred can be played."""
    folder = tmp_path_factory.mktemp("thousands")
    film = make_film(folder, "mkv", 1, rate=5)
    for number in range(VIDEOS):
        path = folder / f"{number:05}.mkv"
        if number < VIDEOS - TODO:
            path.write_bytes(b"?")
            os.utime(path, ns=(1, time.time_ns()))  # Linux takes down a read of what was never read
        else:
            shutil.copy(film, path)
    film.unlink()
    return folder


def finish(job: PlainJob, folder: Path, count: int) -> None:
    """Writes records of the first `count` videos."""
    for video in find_inputs([str(folder)]):
        if count == 0:
            break
        count -= 1
        record = told({"source": video.source, "key": key_of(video, HASH), **RECORD})
        path = Path(job.results) / commit_name(key_of(video, HASH))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(record)


def first_after(job: PlainJob, folder: Path) -> tuple[float, Tally]:
    """Seconds until the first outcome of a new unit, by one worker; and the counts."""
    tally, began, first = Tally(), time.monotonic(), 0.0

    def hear(outcome: Outcome | None) -> bool:
        nonlocal first
        if outcome is not None and not first:
            first = time.monotonic() - began
        return not first

    with begun(job, folder, tally=tally) as todo, LocalCrew() as crew:
        LocalBatch(job, crew, 1, Tally()).run(todo.units(), hear)
    return first, tally


def test_a_job_that_is_nearly_done_goes_on_within_seconds(folder: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    shutil.copy(folder / f"{VIDEOS - 1:05}.mkv", few)
    lanes = (brightness_lane(),)
    start_s, _ = first_after(plain_job(tmp_path / "fresh", lanes), few)
    job = plain_job(tmp_path / "results", lanes)
    finish(job, folder, VIDEOS - TODO)
    first_s, tally = first_after(job, folder)
    opened = [path.name for path in sorted(folder.iterdir()) if path.stat().st_atime_ns != 1]
    figures = {
        "videos": VIDEOS,
        "start_s": round(start_s, 2),
        "first_s": round(first_s, 2),
        "more_s": round(first_s - start_s, 2),
    }
    report("batch_resume", figures)
    assert (tally.found, tally.before, tally.todo) == (VIDEOS, VIDEOS - TODO, TODO)
    assert not [name for name in opened if int(name[:5]) < VIDEOS - TODO]
    assert first_s - start_s < FIRST_WITHIN_S, figures
    (folder / "00000.mkv").read_bytes()
    assert (folder / "00000.mkv").stat().st_atime_ns != 1, "this disk does not tell what was read"


def test_memory_of_the_driver_does_not_grow_with_the_job(tmp_path: Path) -> None:
    planned = 10 * PLANNED if FULL else PLANNED
    words = [sys.executable, "-c", MEASURED, str(tmp_path / "results"), str(planned)]
    done = subprocess.run(
        words, capture_output=True, text=True, env=environment(), cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    grown = json.loads(done.stdout)
    report("batch_memory", {"planned": planned, "grown_mb": round(grown / 2**20, 2)})
    assert grown < MORE_BYTES

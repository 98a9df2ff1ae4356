"""The driver is killed again and again: the results become those of a run that nobody disturbed."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from pipeline.batch.tally import Tally
from pipeline.run.local_batch import LocalBatch
from pipeline.run.local_crew import LocalCrew
from tests.batch.driving import Order, check_whole, wait_for
from tests.live.watching import FULL, report
from tests.pipeline.batch.jobs import begun, plain_job, run_local, tree
from tests.programs import descendants

pytestmark = pytest.mark.slow

KILLS = 20 if FULL else 2
WORKER_KILLS = 20 if FULL else 1
GONE_WITHIN_S = 10.0
ENDED_WELL = (0, 3)
"""3 when this run was the one that came upon the broken video."""
CUT = ("--segment-s", "3")


def killed(order: Order, results: Path, chosen: random.Random, work_s: float) -> bool:
    """True when the job was killed while it was at work; False when it was quicker."""
    began = time.time_ns()

    def works() -> bool:
        for attempt in (results / "attempts").glob("*"):
            with suppress(FileNotFoundError):
                if attempt.stat().st_mtime_ns > began:
                    return True
        return False

    with order.running(results) as process:
        wait_for(works, process)
        try:
            process.wait(chosen.uniform(0.0, work_s))
        except subprocess.TimeoutExpired:
            children = descendants(process)
            process.send_signal(signal.SIGKILL)
            process.wait()
            _gone, alive = psutil.wait_procs(children, GONE_WITHIN_S)
            assert not alive, alive
            return True
        assert process.returncode in ENDED_WELL, process.communicate()
        return False


def kill_and_compare(order: Order, folder: Path, kills: int, seed: int) -> dict[str, object]:
    """Kills a job so often, and compares its results whenever it comes to its end.

    They are compared with those of the local engine: who does the work leaves no trace in them.
    """
    began = time.monotonic()
    code, said = replace(order, engine="local").run(folder / "whole")
    assert code == 3, said  # one of the videos is broken
    work_s = (time.monotonic() - began) / 2
    whole = tree(folder / "whole")
    assert check_whole(folder / "whole") == 12, said
    chosen = random.Random(seed)
    made, compared, found = 0, 0, []
    results = folder / "results0"
    while made < kills:
        if killed(order, results, chosen, work_s):
            made += 1
            found.append(check_whole(results))
            continue
        assert tree(results) == whole
        compared += 1
        results = folder / f"results{compared}"
    code, said = order.run(results)
    assert code in ENDED_WELL, said
    assert tree(results) == whole
    return {"kills": made, "jobs": compared + 1, "finished_at_kill": found, "seed": seed}


def test_a_driver_that_is_killed_and_started_again_leaves_the_same_bytes(
    videos: Path, config: Path, tmp_path: Path
) -> None:
    figures = kill_and_compare(Order(videos, config, CUT), tmp_path, KILLS, seed=11)
    report("batch_driver_killed", figures)


@pytest.mark.ray
@pytest.mark.soak
def test_a_driver_with_ray_that_is_killed_leaves_the_same_bytes(
    videos: Path, config: Path, tmp_path: Path
) -> None:
    order = Order(videos, config, CUT, engine="ray")
    report("batch_ray_killed", kill_and_compare(order, tmp_path, 5 if FULL else 1, seed=12))


def workers_killed(folder: Path, videos: Path, most: int, chosen: random.Random) -> int:
    """Runs a job in that folder and kills up to so many of its workers; gives how many."""
    job, victims = plain_job(folder), list[int]()
    with begun(job, videos) as todo, LocalCrew() as crew:

        def hear(_outcome: object) -> bool:
            living = [worker.pid for worker in crew.workers if worker.pid not in victims]
            if len(victims) < most and chosen.random() < 0.5:
                victims.append(chosen.choice(sorted(living)))
                psutil.Process(victims[-1]).kill()
            return True

        LocalBatch(job, crew, 2, Tally()).run(todo.units(), hear)
    return len(victims)


def test_workers_that_are_killed_are_replaced(videos: Path, tmp_path: Path) -> None:
    run_local(plain_job(tmp_path / "whole"), videos)
    chosen, made, jobs = random.Random(13), 0, 0
    while made < WORKER_KILLS:
        folder = tmp_path / f"killed{jobs}"
        # No more in a job: four in a row that had done nothing yet would end it, as they shall.
        made += workers_killed(folder, videos, min(2, WORKER_KILLS - made), chosen)
        jobs += 1
        assert tree(folder) == tree(tmp_path / "whole")
    report("batch_workers_killed", {"kills": made, "jobs": jobs})

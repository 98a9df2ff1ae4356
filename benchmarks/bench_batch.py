"""What a batch gains from a second worker, and how it does beside Ray Data's own reader.

    PYTHONPATH=. python benchmarks/bench_batch.py [--pairs 3] [--seconds 30] [--only workers|ray]

Films of 1280x720 at 25 Hz, H.264 with grain; a picture in five is scaled to 224x224 and its
brightness taken, so nearly all of the work is decoding, with one thread a decoder.

`workers`: two workers against one, both ready before the clock runs, and beside it two bare
decoders of PyAV against one: what this machine gains from its second processor at all.

`ray`: `--engine ray` against `ray.data.read_videos` and `map_batches`, which give the same
pictures to the same predictor and write a row of Parquet for each. Both begin with Ray running and
load their workers inside the time. `read_videos` needs the package decord, which witness does not.

Alternating pairs and the median of their ratios; prints them, and writes bench_batch.json beside
this file.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.frame_cnns import cpu_name
from pipeline.batch.inputs import find_inputs
from pipeline.batch.tally import Tally
from pipeline.batch.unit import Outcome, Unit
from pipeline.lane import Lane
from pipeline.lanes.windowing import fit_exactly
from pipeline.predict import PoolMember
from pipeline.records import Mark, Span, Window
from pipeline.run.local_batch import LocalBatch
from pipeline.run.local_crew import LocalCrew
from pipeline.testing import brightness_lane
from tests.live import footage
from tests.live.footage import Clip
from tests.pipeline.batch.jobs import PlainJob, plain_job

HERE = Path(__file__).parent
FILMS = 4
SIDE = 224
RATE_HZ = 5
WORKERS = 2
WARM = Clip(seconds=1, rate=5, size=(320, 180), sound=None)
DECODE = """
import sys, av
with av.open(sys.argv[1]) as film:
    stream = film.streams.video[0]
    stream.codec_context.thread_count = 1
    sys.stdin.readline()
    for number in range(int(sys.argv[2])):
        film.seek(0)
        for frame in film.decode(stream):
            pass
"""


def lane() -> Lane:
    """Brightness, of pictures of 224x224: the same lane with another size."""
    made = brightness_lane(rate_hz=RATE_HZ, batch=8)
    windower: Any = made.make_windower
    larger = partial(windower.func, *windower.args[:2], fit_exactly(SIDE, SIDE))
    return replace(made, make_windower=larger)


def films(folder: Path, seconds: int) -> Path:
    """A folder of films."""
    film = footage.make(folder, Clip(seconds=seconds, rate=25, size=(1280, 720), sound=None))
    below = folder / "films"
    below.mkdir()
    for number in range(FILMS):
        shutil.copy(film, below / f"{number}{film.suffix}")
    return below


def job(folder: Path) -> PlainJob:
    """A job that was never begun."""
    return plain_job(Path(tempfile.mkdtemp(dir=folder)) / "results", (lane(),))


def units(below: Path) -> list[Unit]:
    """The films of a folder."""
    return [Unit(video) for video in find_inputs([str(below)])]


def enough(_outcome: Outcome | None) -> bool:
    """It never is."""
    return True


def with_workers(folder: Path, below: Path, workers: int) -> float:
    """Seconds that so many workers take for the films, once they are ready."""
    warm = folder / "warm"
    if not warm.exists():
        warm.mkdir()
        for number in range(2 * WORKERS):
            shutil.copy(footage.make(folder, WARM), warm / f"warm{number}.mp4")
    with LocalCrew() as crew:
        batch = LocalBatch(job(folder), crew, workers, Tally())
        batch.run(iter(units(warm)), enough)
        began = time.perf_counter()
        batch.run(iter(units(below)), enough)
        return time.perf_counter() - began


def bare(below: Path, processes: int) -> float:
    """Seconds that so many decoders, each a process, take for the films in equal shares."""
    film = str(next(below.iterdir()))
    words = [sys.executable, "-c", DECODE, film, str(FILMS // processes)]
    began_all = [
        subprocess.Popen(words, stdin=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    time.sleep(1.0)  # all have opened theirs
    began = time.perf_counter()
    for process in began_all:
        process.communicate("go\n")
    return time.perf_counter() - began


def ray_of_witness(folder: Path, below: Path) -> float:
    """Seconds of `--engine ray`, with Ray up already."""
    from pipeline.run.ray_batch import RayBatch

    with RayBatch(job(folder), WORKERS, 1.0, Tally()) as batch:
        began = time.perf_counter()
        batch.run(iter(units(below)), enough)
        return time.perf_counter() - began


class Bright:
    """The predictor in an actor of Ray Data: pictures in, scores out."""

    def __init__(self, told: Lane) -> None:
        self._member = PoolMember((told,), 1)

    def __call__(self, rows: dict[str, Any]) -> dict[str, Any]:
        """A row for each picture."""
        span = Span(Fraction(0), Fraction(1))
        windows = [
            Window(Mark("a", "brightness", number, span, 1), picture)
            for number, picture in enumerate(rows["frame"])
        ]
        answers: list[Any] = self._member.predict("brightness", windows).answers
        scores = np.array([answer.scores[0, 1] for answer in answers])
        return {"path": rows["path"], "frame": rows["frame_index"], "bright": scores}


def ray_by_itself(folder: Path, below: Path) -> float:
    """Seconds of Ray Data's own reader and `map_batches`, with Ray up already."""
    import ray

    from pipeline.run.ray_cluster import start_ray_for

    out = Path(tempfile.mkdtemp(dir=folder))
    start_ray_for(WORKERS + 2, "")
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        began = time.perf_counter()
        data = ray.data.read_videos(
            str(below), include_paths=True, fps=RATE_HZ, resize=(SIDE, SIDE)
        ).map_batches(
            Bright,
            batch_size=8,
            fn_constructor_args=(lane(),),
            concurrency=WORKERS,
            num_cpus=1,
        )
        data.write_parquet(str(out))
        return time.perf_counter() - began
    finally:
        ray.shutdown()


def compared(
    name: str, pairs: int, ours: Callable[[], float], its: Callable[[], float]
) -> dict[str, Any]:
    """How often the one goes into the other, pair by pair."""
    told: list[tuple[float, float]] = []
    for number in range(pairs):
        if number % 2:
            second, first = its(), ours()
        else:
            first, second = ours(), its()
        told.append((first, second))
        print(f"{name}: {first:.2f} s against {second:.2f} s, {second / first:.3f}x", flush=True)
    ratios = [second / first for first, second in told]
    median = statistics.median(ratios)
    print(f"{name}: median {median:.3f}x (min {min(ratios):.3f}, max {max(ratios):.3f})")
    return {"median": median, "ratios": ratios, "seconds": told}


def main() -> None:
    """Measures, prints and writes down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--only", choices=["workers", "ray"])
    parser.add_argument("--out", type=Path, default=HERE / "bench_batch.json")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    found: dict[str, Any] = {"cpu": cpu_name(), "films": FILMS, "seconds": options.seconds}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        below = films(folder, options.seconds)
        if options.only != "ray":
            two, one = (partial(with_workers, folder, below, n) for n in (WORKERS, 1))
            found["two_workers_against_one"] = compared("2 workers", options.pairs, two, one)
            two, one = (partial(bare, below, n) for n in (WORKERS, 1))
            found["two_decoders_against_one"] = compared("2 decoders", options.pairs, two, one)
        if options.only != "workers" and find_spec("decord") is None:
            print("Ray Data's read_videos was not measured: it needs the package decord")
        elif options.only != "workers":
            ours, its = (partial(run, folder, below) for run in (ray_of_witness, ray_by_itself))
            found["witness_against_ray_data"] = compared("witness", options.pairs, ours, its)
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

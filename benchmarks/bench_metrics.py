"""What the metrics cost: their page with 1,000 streams on it, and their feeding in a pipeline.

    python benchmarks/bench_metrics.py [--streams 1000] [--seconds 60] [--pairs 40]

First it feeds simulated streams of three lanes through the methods that the supervisor uses, each
stream once a second, while another process fetches the page every 15 s, as Prometheus would:
OpenMetrics, packed. Prints how long a page takes, and which share of a core goes into telling and
into feeding. Nothing else should run beside it.

Then it passes the first seconds of the shipped clip through `--engine local`: once with metrics
that add up what their own methods take, and then in alternating pairs, with the metrics and with
ones that do nothing, where decoding asks no clock either. Processor time counts. One pass of a pair
differs from the other by some percent for reasons of the machine's, so there are many short ones:
prints the median of the ratios, and between what values it lies (95 % of its bootstrap).
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import av
from bench_overhead import CLIP, Silent
from simulated_streams import LABELS, LANES, Stream, feed

import pipeline.media.part as decoding
from pipeline.config.schema import RunConfig
from pipeline.measure.page import MetricsPage
from pipeline.measure.values import Metrics
from pipeline.run.job import Job, build_lanes, name_sources
from pipeline.run.local import run_local

EVERY_S = 15.0
BEGINNING_S = 4
FETCH = """
import gzip, sys, time, urllib.request
url, every_s, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
asks = {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"}
end = time.time() + seconds
while time.time() + every_s <= end + 1:
    time.sleep(every_s)
    began = time.perf_counter()
    with urllib.request.urlopen(urllib.request.Request(url, headers=asks)) as answer:
        packed = answer.read()
    took_s = time.perf_counter() - began
    page = gzip.decompress(packed)
    series = sum(not line.startswith(b"#") for line in page.splitlines())
    print(f"{took_s:.4f} {series} {len(page)} {len(packed)}", flush=True)
"""


def page_cost(streams: int, seconds: int) -> None:
    """Feeds and fetches, and prints what that took."""
    metrics = Metrics()
    fleet = [Stream(f"camera-{number:04}", number) for number in range(streams)]
    for stream in fleet:
        metrics.begin(stream.name, live=True, lanes=LANES)
    for _ in range(3 * max(map(len, LABELS.values()))):  # every label of every stream was there
        for stream in fleet:
            stream.second()
            feed(metrics, stream)
    with MetricsPage(metrics, 0) as page:
        command = [sys.executable, "-c", FETCH, str(page.url), str(EVERY_S), str(seconds)]
        fetching = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        fed_s, main_s, all_s = 0.0, time.thread_time(), time.process_time()
        began = time.monotonic()
        for second in range(seconds):
            for stream in fleet:
                stream.second()
                fed_s += feed(metrics, stream)
            time.sleep(max(0.0, began + second + 1 - time.monotonic()))
        told, _ = fetching.communicate()
        wall_s = time.monotonic() - began
        told_s = time.process_time() - all_s - (time.thread_time() - main_s)
    rows = [line.split() for line in told.splitlines()]
    took = [float(row[0]) for row in rows]
    _, series, size, packed = rows[-1]
    print(f"{streams:,} streams of {len(LANES)} lanes: {int(series):,} series")
    print(f"a page: {int(size) / 1e6:.1f} MB, {int(packed) / 1e6:.2f} MB packed")
    print(f"fetched {len(took)} times in {wall_s:.0f} s: {max(took):.3f} s at most")
    print(f"telling: {told_s / wall_s:.2%} of a core, {told_s / len(took):.3f} s a page")
    print(f"feeding: {fed_s / wall_s:.2%} of a core", flush=True)


class Unmeasured(Metrics):
    """Takes everything, and does nothing."""

    def __init__(self) -> None:
        """Keeps nothing."""

    def __getattribute__(self, name: str) -> Any:
        return _nothing


class Timed(Metrics):
    """Adds up what its own methods cost a pass: how long they took, and how often clocks did."""

    def __init__(self) -> None:
        super().__init__()
        self.spent_s, self.clocks, self._inside = 0.0, 0, False

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or not callable(found) or self._inside:
            return found

        def timed(*args: Any, **named: Any) -> Any:
            began, self._inside = time.thread_time(), True
            try:
                return found(*args, **named)
            finally:
                self._inside = False
                self.spent_s += time.thread_time() - began

        return timed

    def clock(self) -> float:
        """What decoding asks, counted."""
        self.clocks += 1
        return time.thread_time()


def _nothing(*_: Any, **__: Any) -> float:
    return 0.0


def pass_cost(metrics: Metrics, job: Job) -> float:
    """CPU seconds of a pass of the clip with these metrics."""
    clock = decoding.thread_time
    if isinstance(metrics, Unmeasured):
        decoding.thread_time = _nothing
    elif isinstance(metrics, Timed):
        decoding.thread_time = super(Timed, metrics).__getattribute__("clock")
    with tempfile.TemporaryDirectory() as folder:
        work = Job(job.sources, job.config, Path(folder), "cpu", job.lanes)
        began = time.process_time()
        results, _ = run_local(work, Silent(), metrics)
        spent = time.process_time() - began
    decoding.thread_time = clock
    assert all(result.error is None for result in results), results
    return spent


def clip_job(folder: Path) -> Job:
    """The beginning of the shipped clip with the usual lanes, rows only."""
    config = RunConfig(outputs=("jsonl",))
    lanes = build_lanes(config, "cpu", offline=True)
    return Job(name_sources([str(beginning(folder))]), config, Path(), "cpu", lanes)


def beginning(folder: Path) -> Path:
    """The packets of the clip's first seconds in a file of their own."""
    path = folder / "beginning.mp4"
    with av.open(CLIP) as source, av.open(path, "w") as target:
        copies = {one.index: target.add_stream_from_template(one) for one in source.streams}
        for packet in source.demux():
            if packet.dts is not None and packet.dts * packet.time_base < BEGINNING_S:
                packet.stream = copies[packet.stream.index]
                target.mux(packet)
    return path


def told_cost(job: Job) -> None:
    """Adds up what metrics take of one pass, and prints that: it needs no quiet machine."""
    metrics = Timed()
    spent = pass_cost(metrics, job)
    began = time.thread_time()
    for _ in range(metrics.clocks):
        time.thread_time()
    clocks_s = time.thread_time() - began
    share = (metrics.spent_s + clocks_s) / spent
    told = f"{metrics.spent_s * 1e3:.1f} ms, {metrics.clocks:,} clocks {clocks_s * 1e3:.1f} ms"
    print(f"in a pass of {spent:.2f} s: methods {told}, together {share:.2%}", flush=True)


def pipeline_cost(pairs: int, job: Job) -> None:
    """Passes the clip with metrics and without, in pairs, and prints the ratios."""
    ratios = []
    for pair in range(pairs):
        order = [Metrics, Unmeasured] if pair % 2 else [Unmeasured, Metrics]
        spent = {kind: pass_cost(kind(), job) for kind in order}
        ratios.append(spent[Metrics] / spent[Unmeasured])
        both = f"{spent[Metrics]:.3f} s with, {spent[Unmeasured]:.3f} s without"
        print(f"a pass: {both}, {ratios[-1] - 1:+.2%}", flush=True)
    again = random.Random(0)
    medians = [statistics.median(again.choices(ratios, k=pairs)) for _ in range(2000)]
    low, *_, high = statistics.quantiles(medians, n=40)
    print(
        f"metrics in the pipeline: median {statistics.median(ratios) - 1:+.2%} of processor time "
        f"({low - 1:+.2%} to {high - 1:+.2%}, {pairs} pairs)"
    )


def main() -> None:
    """Measures both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--pairs", type=int, default=40)
    arguments = parser.parse_args()
    if 0 < arguments.seconds <= EVERY_S:
        parser.error(f"--seconds {arguments.seconds}: the page is fetched every {EVERY_S} s")
    if arguments.seconds:
        page_cost(arguments.streams, arguments.seconds)
    if arguments.pairs:
        with tempfile.TemporaryDirectory() as folder:
            job = clip_job(Path(folder))
            told_cost(job)  # which warms up as well
            pipeline_cost(arguments.pairs, job)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()

"""What the supervisor, the keeper and the page of metrics cost with up to 10,000 streams.

    PYTHONPATH=. python benchmarks/bench_fleet.py [--streams 100,300,1000,3000,10000] [--out F.json]

The code that runs is witness's own; only the processes are not there. A crew within this process
answers as readers and pool members would, at the rate of real ones: pictures twice a second and
sound twice a second of every stream. The clock is one of its own: it goes on by the processor time
that the supervisor takes, and where it would wait it jumps to what comes next. So what is told is
what one core does that has nothing else to do, whatever this machine does meanwhile. What the crew
itself takes is not counted; with processes, their pipes come on top (docs/scale.md has them).

A keeper is measured by itself, with all streams in one process (witness has one for every 200): one
second's answers, notes and checkpoint, on the disk of the folder for temporary files (TMPDIR). A
last checkpoint follows when nothing was said. `--draw FILE.json` measures nothing and draws what
is in a file.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fleet_crew import AUDIO, RATE, VIDEO, PretendedCrew, beat_of, clock, cpu_now

COUNTS = (100, 300, 1000, 3000, 10_000)
STREAMS_PER_MEMBER, MOST_MEMBERS = 50, 64
SLICE = 2500
"""So many streams begin at once: each is looked for on the disk by a thread."""
WARM_S, MEASURE_S = 1.0, 3.0
LEAST_TICKS, MOST_CPU_S = 5, 8.0
NEAR = {"textcoords": "offset points", "fontsize": 8}


def lanes() -> list[Any]:
    """The shipped lanes of pictures and of sound, whose networks are not loaded."""
    from pipeline.lanes.instances import InstancesLane
    from pipeline.lanes.sound import SoundLane

    return [
        InstancesLane(kind="instances", rate_hz=RATE).build("cpu"),
        SoundLane(kind="sound").build("cpu"),
    ]


def supervisor(streams: int) -> dict[str, Any]:
    """The share of a core that the supervisor takes, and how late it is."""
    time.monotonic = clock
    from pipeline.measure.values import Metrics
    from pipeline.media.address import LiveAddress
    from pipeline.run.live.fleet import Fleet, keepers_for
    from pipeline.run.live.supervise import Supervisor
    from pipeline.run.live.tended import StreamPlan

    metrics, crew, watched = Metrics(), PretendedCrew(), lanes()
    parts: defaultdict[str, float] = defaultdict(float)
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(
            tuple(watched),
            Path(folder),
            members=min(MOST_MEMBERS, math.ceil(streams / STREAMS_PER_MEMBER)),
            threads=1,
            spare=False,
            keepers=keepers_for(streams),
        )
        run = Supervisor(crew, fleet, metrics, lambda _: None)
        clocked(run, parts)
        gc.freeze()  # as the command does
        for first in range(0, streams, SLICE):
            for number in range(first, min(streams, first + SLICE)):
                name = f"s{number:05}"
                address = LiveAddress("rtsp", f"rtsp://10.0.0.1/{name}")
                run.want(StreamPlan(name, address, tuple(watched)))
            while not run._streams or any(one.opens for one in run._streams.values()):
                run.tick()
                time.sleep(0.05)  # those who look at the disk are real
        ticked(run, WARM_S)
        parts.clear()
        answered, began, cpu, excuse = crew.answered, clock.look(), cpu_now(), clock.excused
        ticks = ticked(run, MEASURE_S)
        took, cpu_s = clock.look() - began, cpu_now() - cpu - (clock.excused - excuse)
        page_began = cpu_now()
        page = metrics.page()
        page_s = cpu_now() - page_began
        wanted = streams * RATE * 2 * took
        restarts = sum(status.restarts for status in run.statuses())
        played = sum(status.state == "playing" for status in run.statuses())
    return {
        "streams": streams,
        "members": fleet.members,
        "supervisor_cores": round(cpu_s / took, 4),
        "answered_share": round((crew.answered - answered) / wanted, 4),
        "tick_ms": {
            "mean": round(cpu_s / len(ticks) * 1000, 2),
            "max": round(max(ticks) * 1000, 1),
        },
        "ticks_per_s": round(len(ticks) / took, 1),
        "readers_given_up": restarts,
        "playing": played,
        "parts": {name: round(value / took, 4) for name, value in sorted(parts.items())},
        "page_ms": round(page_s * 1000, 1),
        "page_mb": round(len(page) / 1e6, 2),
        "local_wait_ms": round(local_wait_s(streams) * 1000, 2),
    }


def local_wait_s(calls: int) -> float:
    """What the local engine's wait for one of so many calls takes, on top of a round."""
    from pipeline.run.local_crew import LocalCall, LocalCrew

    futures = [LocalCall() for _ in range(calls)]
    futures[-1].answered = True
    crew, took = LocalCrew(), []
    for _ in range(5):
        began = cpu_now()
        crew.wait(futures, 0.1)
        took.append(cpu_now() - began)
    return min(took)


def clocked(run: Any, parts: defaultdict[str, float]) -> None:
    """Has the seconds of a supervisor's parts summed: what is within another is counted once."""
    named = {
        "hand out work": (run._pool, "dispatch"),
        "the pool's answers": (run._pool, "tick"),
        "the keeper's answers": (run._keeping, "tick"),
        "what to wait for, and readers' answers": (run, "_listen"),
        "what is wanted": (run, "_reconcile"),
        "rates": (run._pressure, "govern"),
        "streams, one by one": (run, "tick"),
    }
    within = [0.0]
    for name, (owner, method) in named.items():
        setattr(owner, method, summed(getattr(owner, method), name, parts, within))


def summed(
    method: Callable[..., Any], name: str, parts: defaultdict[str, float], within: list[float]
) -> Callable[..., Any]:
    """The method, its own seconds added to its part, those of other parts within it not."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        before, began, excuse, within[0] = within[0], cpu_now(), clock.excused, 0.0
        try:
            return method(*args, **kwargs)
        finally:
            took = cpu_now() - began - (clock.excused - excuse)
            parts[name] += took - within[0]
            within[0] = before + took

    return wrapped


def ticked(run: Any, seconds: float) -> list[float]:
    """The seconds of processor time of each round, for so long by the clock."""
    until, began, took = clock.look() + seconds, cpu_now(), []
    while (clock() < until or len(took) < LEAST_TICKS) and cpu_now() - began < MOST_CPU_S:
        clock.look()
        before, excuse = cpu_now(), clock.excused
        run.tick()
        took.append(cpu_now() - before - (clock.excused - excuse))
    return took


def keeper(streams: int) -> dict[str, Any]:
    """What a second of all streams takes a keeper: answers, notes, and a checkpoint."""
    import resource

    import numpy as np

    from pipeline.records import Prediction
    from pipeline.run.live.keeper import Note
    from pipeline.run.live.keepers import LiveKeepers
    from tests.live.lanes import number_lane, tone_lane

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    watched = [number_lane(VIDEO), tone_lane(AUDIO)]
    windows: dict[str, Counter[str]] = {f"s{number:05}": Counter() for number in range(streams)}
    took: dict[str, list[float]] = {"settle": [], "note": [], "checkpoint": [], "wall": []}
    with tempfile.TemporaryDirectory() as folder:
        keepers = LiveKeepers()
        for name in windows:
            keepers.open(name, watched, Path(folder) / name, 2.0, {"source": name})
        for round_ in range(2):
            spent: Counter[str] = Counter()
            for name, seen in windows.items():
                for lane in (VIDEO, AUDIO) * RATE:
                    beat = beat_of(name, lane, seen)
                    answer = Prediction(beat.marks[0], scores=np.array([[round_]], np.float32))
                    began = cpu_now()
                    keepers.settle(name, lane, [answer])
                    spent["settle"] += cpu_now() - began
                note = Note(beat.progress, beat.reached, None, state="playing")
                began = cpu_now()
                keepers.note(name, note)
                spent["note"] += cpu_now() - began
            began, wall = cpu_now(), time.perf_counter()
            size = len(keepers.checkpoint())
            took["wall"].append(time.perf_counter() - wall)
            spent["checkpoint"] = cpu_now() - began
            for part in ("settle", "note", "checkpoint"):
                took[part].append(spent[part])
        began = cpu_now()
        keepers.checkpoint()
        still_s = cpu_now() - began
        keepers.close()
    found = {part: sum(values[1:]) / len(values[1:]) for part, values in took.items()}
    return {
        "streams": streams,
        "keeper_cores": round(found["settle"] + found["note"] + found["checkpoint"], 4),
        "settle_s": round(found["settle"], 4),
        "note_s": round(found["note"], 4),
        "checkpoint_cpu_s": round(found["checkpoint"], 4),
        "checkpoint_wall_s": round(found["wall"], 4),
        "checkpoint_of_nothing_new_s": round(still_s, 4),
        "checkpoint_mb": round(size / 1e6, 2),
    }


def picture(told: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """How long a round takes, and what a second of all streams takes the keeper."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "witness"
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
    rows = told["supervisor"]
    counts = [row["streams"] for row in rows]
    left.plot(counts, [row["tick_ms"]["mean"] for row in rows], marker="o")
    for row in rows:
        share = f"{min(1.0, row['answered_share']):.0%}"  # what had waited comes on top
        left.annotate(share, (row["streams"], row["tick_ms"]["mean"]), (4, -12), **NEAR)
    left.set(title="supervisor: ms a round, and what was answered", ylabel="ms")
    for part, label in (("keeper", "on a disk"), ("keeper_in_memory", "in memory")):
        rows = told.get(part, [])
        right.plot(
            [row["streams"] for row in rows],
            [row["keeper_cores"] for row in rows],
            marker="o",
            label=label,
        )
    right.axhline(1.0, color="gray", linewidth=1, linestyle="--")
    right.set(title="one keeper: cores", ylabel="cores")
    right.legend()
    for axes in (left, right):
        axes.set(xscale="log", yscale="log", xlabel="streams")
        axes.grid(visible=True, which="both", alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measures each number of streams in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", default=",".join(map(str, COUNTS)))
    parser.add_argument("--only", choices=["supervisor", "keeper"])
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--draw", type=Path)
    options = parser.parse_args()
    if options.draw:
        picture(json.loads(options.draw.read_text()), options.picture)
        return
    counts = [int(number) for number in options.streams.split(",")]
    if options.one:
        measure = supervisor if options.only == "supervisor" else keeper
        print(json.dumps(measure(counts[0])))
        return
    told: dict[str, list[dict[str, Any]]] = {}
    for part in [options.only] if options.only else ["supervisor", "keeper"]:
        told[part] = []
        for number in counts:
            words = ["--one", "--only", part, "--streams", str(number)]
            done = subprocess.run(
                [sys.executable, __file__, *words], stdout=subprocess.PIPE, check=True, text=True
            )
            told[part].append(json.loads(done.stdout.splitlines()[-1]))
            print(json.dumps(told[part][-1]), flush=True)
            if options.out:
                options.out.write_text(json.dumps(told, indent=2) + "\n")
    if options.picture and not options.only:
        picture(told, options.picture)


if __name__ == "__main__":
    main()

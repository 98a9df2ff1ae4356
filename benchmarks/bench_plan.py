"""`witness plan` against runs of witness: what it predicts, and what the processes really took.

    PYTHONPATH=. python benchmarks/bench_plan.py --costs costs.json [--streams 4,8] [--out F.json]

Cameras of 640x360 at 15 frames a second with AAC sound, coded as cameras code (no frames that look
ahead), are served by GStreamer over RTSP. They show a street in which nothing moves, under the
grain of a sensor. `witness run --engine local` watches them with the lanes instances (2 pictures a
second are looked at, behind a motion gate) and sound. `witness bench --json costs.json` before, on
the same machine, makes the costs. Needs what the live trials need (`.ci/apt`).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil

from pipeline.plan.costs import Costs, read_costs
from pipeline.plan.sizing import Wish, plan
from tests.live import feed
from tests.live.footage import Clip
from tests.live.servers import RtspServer

STREET = Path(__file__).parent.parent / "examples" / "street.mp4"
SIZE, RATE, FPS, LENGTH_S = (640, 360), 15, 2.0, 16
GRAIN = 3.0
GATED = 0.9
"""What is taken for granted before: how many pool members there are follows from it."""
LANES = ("instances", "sound")
START_WITHIN_S, SETTLE_S = 300.0, 15.0
ROLES = {"reader": "readers", "member": "pool members", "keeper": "keeper"}


def camera(folder: Path) -> tuple[Path, float]:
    """A feed of the street, 640x360 at 15 a second, and the kbit/s of its pictures."""
    path, pictures_bytes = folder / "camera.mp4", 0
    draw = np.random.default_rng(0)
    grain = draw.normal(0, GRAIN, (SIZE[1], SIZE[0], 1)).astype(np.int16)
    with av.open(STREET) as source, av.open(path, "w") as target:
        pictures = target.add_stream("libx264", rate=RATE)
        pictures.width, pictures.height, pictures.pix_fmt = *SIZE, "yuv420p"
        pictures.codec_context.gop_size = RATE * 2
        pictures.codec_context.options = {
            "preset": "superfast",
            "crf": "24",
            "x264-params": "bframes=0:repeat-headers=1:scenecut=0:sliced-threads=0:threads=1",
        }
        sound = target.add_stream_from_template(source.streams.audio[0])
        count, still = 0, None
        for packet in source.demux():
            if packet.stream.type == "audio" and packet.size:
                packet.stream = sound
                target.mux(packet)
            for frame in packet.decode() if packet.stream.type == "video" else ():
                if count == LENGTH_S * RATE:
                    continue
                if still is None:
                    still = frame.reformat(*SIZE, "rgb24").to_ndarray().astype(np.int16)
                image = still + np.roll(grain, int(draw.integers(SIZE[0] * SIZE[1])))
                shown = av.VideoFrame.from_ndarray(np.clip(image, 0, 255).astype(np.uint8))
                shown.pts, count = count, count + 1
                for coded in pictures.encode(shown):
                    pictures_bytes += coded.size
                    target.mux(coded)
        for coded in pictures.encode(None):
            pictures_bytes += coded.size
            target.mux(coded)
    clip = Clip(seconds=LENGTH_S, rate=RATE)
    return feed.write(path, clip), pictures_bytes * 8 / 1000 / LENGTH_S


def measured(
    folder: Path, feed_: Path, streams: int, members: int, seconds: float
) -> dict[str, Any]:
    """The cores that each role took, and the windows a second, while all streams play."""
    names = [f"s{number:02}" for number in range(streams)]
    with RtspServer({f"/{name}": {"feed": feed_} for name in names}) as server:
        lines = [
            "lanes: [{kind: instances, rate_hz: 2, gate: motion}, {kind: sound}]",
            f"pool: {{members: {members}, threads: 1, spare: false}}",
            "control: {port: 0}",
            "streams:",
            *(f"  {name}: {server.url(f'/{name}')}" for name in names),
        ]
        file, out = folder / "streams.yaml", folder / "out"
        file.write_text("\n".join(lines) + "\n")
        words = ["run", str(file), "--engine", "local", "--out", str(out), "--metrics-port", "0"]
        with (folder / "run.log").open("w") as log:
            run = subprocess.Popen(
                [sys.executable, "-m", "pipeline", *words], stdout=log, stderr=log
            )
        try:
            until_all_play(folder / "run.log", names, run)
            time.sleep(SETTLE_S)
            before, seen, began = cores(run.pid), windows(out, names), time.monotonic()
            time.sleep(seconds)
            after, end, took = cores(run.pid), windows(out, names), time.monotonic() - began
            memory = memories(run.pid)
            run.send_signal(signal.SIGTERM)
            run.wait(30)
        finally:
            with suppress(psutil.Error):
                for child in psutil.Process(run.pid).children(recursive=True):
                    child.kill()
            run.kill()
            run.wait()
    return {
        "streams": streams,
        "seconds": round(took, 1),
        "cores": {role: round((after[role] - before[role]) / took, 4) for role in after},
        "memory_mib": memory,
        "windows_per_s": {
            "instances": round((end["instances"] - seen["instances"]) / took, 2),
            "sound": round((end["sound"] - seen["sound"]) / took, 2),
        },
        "gated_per_s": round((end["gated"] - seen["gated"]) / took, 2),
        "dropped": round(end["dropped"] - seen["dropped"]),
        "frames_per_s": round((end["offered"] - seen["offered"]) / took / streams, 2),
    }


def until_all_play(log: Path, names: list[str], run: subprocess.Popen[bytes]) -> None:
    """Waits until every stream was told to play."""
    until = time.monotonic() + START_WITHIN_S
    while not all(f"{name}: playing" in log.read_text() for name in names):
        if run.poll() is not None or time.monotonic() > until:
            message = f"the streams do not play:\n{log.read_text()}"
            raise SystemExit(message)
        time.sleep(0.5)


def roles_of(pid: int) -> dict[str, list[psutil.Process]]:
    """The processes of a witness, by role."""
    found: defaultdict[str, list[psutil.Process]] = defaultdict(list)
    found["supervisor"].append(psutil.Process(pid))
    for child in psutil.Process(pid).children(recursive=True):
        words = child.cmdline()[-2:]
        if words and words[0] in ROLES:  # who stands by takes no time, or a lost one's place
            found[ROLES[words[0]]].append(child)
    return dict(found)


def cores(pid: int) -> dict[str, float]:
    """Processor seconds so far, by role."""
    return {
        role: sum(sum(process.cpu_times()[:2]) for process in processes)
        for role, processes in roles_of(pid).items()
    }


def memories(pid: int) -> dict[str, float]:
    """MiB that are the processes' own, by role."""
    return {
        role: round(sum(anonymous_mib(process.pid) for process in processes), 1)
        for role, processes in roles_of(pid).items()
    }


def anonymous_mib(pid: int) -> float:
    """RssAnon."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if "RssAnon" in line).split()[1]) / 1024


def windows(out: Path, names: list[str]) -> Counter[str]:
    """What the books say so far: windows, frames that were offered, and what was dropped."""
    found: Counter[str] = Counter()
    for name in names:
        lanes = json.loads((out / name / "summary.json").read_text())["ledger"]["lanes"]
        found["instances"] += lanes["instances"]["analysed"]
        found["sound"] += 2 * lanes["sound"]["analysed"] / 48_000
        found["gated"] += lanes["instances"]["gated"]
        found["offered"] += lanes["instances"]["offered"]
        found["dropped"] += sum(lanes["instances"]["dropped"].values())
    return found


def wish_of(streams: int, kbit_per_s: float, gated: float) -> Wish:
    """What somebody would ask `witness plan`."""
    return Wish(streams, FPS, "360p", RATE, LANES, gated=gated, kbit_per_s=kbit_per_s, spare=False)


def compared(found: dict[str, Any], costs: Costs) -> dict[str, Any]:
    """A run beside the plan for what was wished, and the plan for what was really done.

    The two differ where the machine had other work besides: then fewer pictures were looked at.
    """
    streams, rates = found["streams"], found["windows_per_s"]
    looked_at = rates["instances"] + found["gated_per_s"]
    wish = wish_of(streams, found["kbit_per_s"], found["gated_per_s"] / looked_at)
    sound = costs.lanes["sound"].model_copy(update={"rate_hz": rates["sound"] / streams})
    really = costs.model_copy(update={"lanes": {**costs.lanes, "sound": sound}})
    done = replace(
        wish,
        fps=looked_at / streams,
        camera_fps=found["frames_per_s"],
        kbit_per_s=found["kbit_per_s"] * found["frames_per_s"] / RATE,
    )
    wished, did = plan(wish, costs), plan(done, really)
    used = sum(found["cores"].values())
    return {
        **found,
        "used_cores": round(used, 3),
        "planned_for_the_wish": round(wished.used_cores, 3),
        "planned_for_what_was_done": round(did.used_cores, 3),
        "by_role": {role: round(cores, 3) for role, cores in did.cores.items()},
        "planned_to_used": round(did.used_cores / used, 3),
        "planned_memory_mib": {role: round(mib, 1) for role, mib in wished.memory_mib.items()},
    }


def run_all(counts: list[int], seconds: float, costs: Costs) -> Iterator[dict[str, Any]]:
    """What each number of streams really took."""
    with tempfile.TemporaryDirectory() as name:
        feed_, kbit = camera(Path(name))
        for streams in counts:
            wish = wish_of(streams, kbit, GATED)
            folder = Path(name) / str(streams)
            folder.mkdir()
            found = measured(folder, feed_, streams, plan(wish, costs).members, seconds)
            load = [round(load, 1) for load in os.getloadavg()]
            yield {**found, "load": load, "kbit_per_s": round(kbit)}


def main() -> None:
    """Measures, predicts and compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--costs", type=Path)
    parser.add_argument("--streams", default="4,8")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--measured", type=Path, help="runs of before, by --out: measures none")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    costs = read_costs(options.costs)
    runs: Iterable[dict[str, Any]]
    if options.measured:
        runs = json.loads(options.measured.read_text())
    else:
        runs = run_all([int(one) for one in options.streams.split(",")], options.seconds, costs)
    told = []
    for found in runs:
        told.append(compared(found, costs))
        print(json.dumps(told[-1]), flush=True)
        if options.out:
            options.out.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()

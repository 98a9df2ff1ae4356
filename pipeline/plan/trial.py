"""What a live run costs beside decoding and networks: measured on a few streams that really run."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipeline.errors import LaneError
from pipeline.lane import Lane
from pipeline.lanes import LaneConfig
from pipeline.measure.values import Metrics
from pipeline.media.address import LiveAddress
from pipeline.run.live.fleet import READERS_IMPORT, Fleet
from pipeline.run.live.supervise import Supervisor
from pipeline.run.live.tended import StreamPlan
from pipeline.run.local_crew import LocalCrew

START_WITHIN_S = 120.0
SETTLE_S = 3.0
"""Openings, with their bursts, are over by then."""
WARM_CALLS = 4


@dataclass(frozen=True, slots=True)
class Use:
    """What processes took: seconds of processor time in a second, and MiB that are theirs alone."""

    cores: float
    mib: float


@dataclass(frozen=True, slots=True)
class Trial:
    """What a run of some seconds took: its readers by stream, and the other roles.

    `frames` were decoded of each stream in a second, `windows` answered of every lane: a machine
    that has too much to do brings fewer than there are. `row_bytes` is what a window left in the
    files of events.
    """

    seconds: float
    frames: dict[str, float]
    readers: dict[str, Use]
    roles: dict[str, Use]
    windows: dict[str, float]
    row_bytes: dict[str, float]


def apart(
    films: Mapping[str, Path], lanes: Sequence[LaneConfig], out: Path, seconds: float
) -> Trial:
    """A trial in a process of its own, which has in memory what `witness run` has there."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_as_witness, dict(films), tuple(lanes), out, seconds).result()


def _as_witness(
    films: Mapping[str, Path], configs: Sequence[LaneConfig], out: Path, seconds: float
) -> Trial:
    # What they take of the memory is what is wanted.
    import torch  # noqa: F401

    import pipeline.control.api
    import pipeline.control.server  # noqa: F401

    return trial(films, [config.build("cpu") for config in configs], out, seconds)


def trial(films: Mapping[str, Path], lanes: Sequence[Lane], out: Path, seconds: float) -> Trial:
    """Plays films in real time, as streams of these names, for so long.

    LaneError where they do not play within two minutes.
    """
    metrics = Metrics()
    fleet = Fleet(tuple(lanes), out, threads=1, spare=False)
    with LocalCrew(READERS_IMPORT) as crew:
        supervisor = Supervisor(crew, fleet, metrics, lambda _: None)
        try:
            for name, film in films.items():
                address = LiveAddress("file", str(film), realtime=True, loop=True)
                supervisor.want(StreamPlan(name, address, tuple(lanes)))
            _until_they_play(supervisor, len(films))
            _until_warm(supervisor, metrics, lanes)
            _work(supervisor, SETTLE_S)
            before = _Look.at(crew, metrics, lanes, supervisor)
            _work(supervisor, seconds)
            after = _Look.at(crew, metrics, lanes, supervisor)
            supervisor.drain()
        finally:
            supervisor.close()
    return _told(before, after, _row_bytes(out, films, _answered(metrics, lanes)), list(films))


def _told(before: _Look, after: _Look, row_bytes: dict[str, float], names: list[str]) -> Trial:
    took = after.at_s - before.at_s
    first, last = before.answered, after.answered

    def use(role: str, name: str | None = None) -> Use:
        """What these took; the memory is the largest's. Who stands by may have taken a place."""
        now = [one for one in after.processes.values() if one.is_(role, name)]
        known = before.processes
        used_s = sum(one.cpu_s - known[one.pid].cpu_s for one in now if one.pid in known)
        return Use(used_s / took, max((one.mib for one in now), default=0.0))

    return Trial(
        seconds=took,
        frames={name: (after.frames[name] - before.frames[name]) / took for name in names},
        readers={name: use("reader", name) for name in names},
        roles={role: use(role) for role in ("supervisor", "member", "keeper")},
        windows={name: (last[name][0] - first[name][0]) / took for name in last},
        row_bytes=row_bytes,
    )


def _until_they_play(supervisor: Supervisor, streams: int) -> None:
    until = time.monotonic() + START_WITHIN_S
    while True:
        supervisor.tick()
        told = supervisor.statuses()
        if len(told) == streams and all(status.state == "playing" for status in told):
            return
        if time.monotonic() > until:
            reasons = "; ".join(f"{one.name}: {one.state} {one.reason}" for one in told)
            message = f"the streams of the measurement do not play: {reasons}"
            raise LaneError(message)


def _until_warm(supervisor: Supervisor, metrics: Metrics, lanes: Sequence[Lane]) -> None:
    """First calls of a network take many times longer than later ones."""
    until = time.monotonic() + START_WITHIN_S
    while any(calls < WARM_CALLS for _, calls in _answered(metrics, lanes).values()):
        supervisor.tick()
        if time.monotonic() > until:
            message = "the networks of the measurement do not answer: is the machine too busy?"
            raise LaneError(message)


def _work(supervisor: Supervisor, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        supervisor.tick()


@dataclass(frozen=True, slots=True)
class _Process:
    """A process at a moment: seconds of processor time so far, and MiB that are its own."""

    pid: int
    role: str
    name: str
    cpu_s: float
    mib: float

    def is_(self, role: str, name: str | None) -> bool:
        """True for one of that role, and of that name where one is asked for."""
        return self.role == role and name in (None, self.name)


@dataclass(frozen=True, slots=True)
class _Look:
    """A moment: every process by its id; so far frames by stream, and answers and calls by lane."""

    at_s: float
    frames: dict[str, int]
    processes: dict[int, _Process]
    answered: dict[str, tuple[float, float]]

    @classmethod
    def at(
        cls, crew: LocalCrew, metrics: Metrics, lanes: Sequence[Lane], supervisor: Supervisor
    ) -> _Look:
        """Now; this process is the supervisor."""
        there = {worker.pid: (str(worker.role), worker.name) for worker in crew.workers}
        found = {}
        for pid, (role, name) in {**there, os.getpid(): ("supervisor", "")}.items():
            with suppress(psutil.Error):  # it was replaced just now
                process = psutil.Process(pid)
                used_s = sum(process.cpu_times()[:2])
                found[pid] = _Process(pid, role, name, used_s, _anonymous_mib(process))
        frames = {one.name: one.decoded.get("video", 0) for one in supervisor.statuses()}
        return cls(time.monotonic(), frames, found, _answered(metrics, lanes))


def _anonymous_mib(process: psutil.Process) -> float:
    """Memory that is the process's own; what is shared with others where that cannot be told."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
        return int(line.split()[1]) / 1024
    except (OSError, StopIteration):
        return float(process.memory_info().rss) / 2**20


def _answered(metrics: Metrics, lanes: Sequence[Lane]) -> dict[str, tuple[float, float]]:
    """Windows and calls that the pool has answered so far, of each lane."""
    told = metrics.registry.get_sample_value
    return {
        lane.name: (
            told("witness_batch_windows_sum", {"lane": lane.name}) or 0.0,
            told("witness_batch_windows_count", {"lane": lane.name}) or 0.0,
        )
        for lane in lanes
    }


def _row_bytes(
    out: Path, films: Mapping[str, Path], windows: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    """What a window of each lane left in the files of events, on average."""
    size: Counter[str] = Counter()
    for name in films:
        for file in (out / name / "events").glob("*.jsonl"):
            for line in file.read_bytes().splitlines():
                size[json.loads(line)["lane"]] += len(line) + 1
    return {lane: size[lane] / max(1.0, total) for lane, (total, _) in windows.items()}

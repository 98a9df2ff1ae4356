"""A supervisor under test: what it tells, and what it leaves behind, made countable."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import psutil

from pipeline.lane import Lane
from pipeline.measure.values import Metrics
from pipeline.media.address import LiveAddress
from pipeline.run.aside import Aside
from pipeline.run.crew import Crew
from pipeline.run.live.fleet import READERS_IMPORT, Fleet
from pipeline.run.live.reader import ReadingRules
from pipeline.run.live.supervise import Supervisor
from pipeline.run.live.tended import StreamPlan, StreamStatus
from pipeline.run.local_crew import LocalCrew
from tests.live.footage import Clock
from tests.live.lanes import number_lane, tone_lane

WITHIN_S = 60.0
FULL = os.environ.get("WITNESS_TRIALS") == "full"
"""Trials in the length that the operator's case asks for; otherwise short enough for every test."""


@dataclass(frozen=True)
class Told:
    """A line that the supervisor told, and when (Unix seconds)."""

    at: float
    line: str


@dataclass
class Watching:
    """Runs a supervisor in this thread, a tick at a time, as long as a trial wants.

    Use it as a context manager; inside, `add` streams, let it run with `run_for` or `until`, and
    call `end` for the drain. Then `of(name)` has what the stream left.
    """

    out: Path
    lanes: Sequence[Lane] = field(default_factory=lambda: (number_lane(), tone_lane()))
    crew: Crew | None = None
    in_flight: int = 6
    told: list[Told] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._exit = ExitStack()
        if self.crew is None:
            self.crew = self._exit.enter_context(LocalCrew(READERS_IMPORT))
        self.metrics = Metrics()
        fleet = Fleet(tuple(self.lanes), self.out, threads=1, in_flight=self.in_flight)
        self.supervisor = Supervisor(self.crew, fleet, self.metrics, self._hear)
        self.until(lambda: self.supervisor.ready)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.supervisor.close()
        self._exit.close()

    def add(self, name: str, address: LiveAddress | str, **rules: Any) -> None:
        """Wants a stream; a mere url is of an RTSP stream."""
        if isinstance(address, str):
            address = LiveAddress("rtsp", address)
        plan = StreamPlan(name, address, tuple(self.lanes), ReadingRules(**rules))
        self.supervisor.want(plan)

    def run_for(self, seconds: float) -> None:
        """Lets it work."""
        end = time.time() + seconds
        while time.time() < end:
            self.supervisor.tick()

    def until(self, there: Callable[[], bool], within_s: float = WITHIN_S) -> float:
        """Lets it work until `there`; when that was (Unix seconds). Fails if it takes too long."""
        end = time.time() + within_s
        while not there():
            assert time.time() < end, f"not within {within_s:g} s; told: {self.told[-8:]}"
            self.supervisor.tick()
        return time.time()

    def beside(self, work: Callable[[], object]) -> None:
        """Does something that takes a while, such as starting a server, and works meanwhile."""
        aside = Aside("beside", work)
        while not aside.done:
            self.supervisor.tick()
        aside.result()

    def status(self, name: str) -> StreamStatus:
        """How a stream is."""
        return next(status for status in self.supervisor.statuses() if status.name == name)

    def plays(self, *names: str) -> Callable[[], bool]:
        """True while all of these play; to be given to `until`."""

        def playing() -> bool:
            states = {status.name: status.state for status in self.supervisor.statuses()}
            return all(states.get(name) == "playing" for name in names)

        return playing

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of a series now; None when there is none."""
        return self.metrics.registry.get_sample_value(name, labels)

    def pids(self, role: str) -> list[int]:
        """The processes of a role, oldest first."""
        assert isinstance(self.crew, LocalCrew)
        return sorted(worker.pid for worker in self.crew.workers if worker.role == role)

    def reader(self, name: str) -> int:
        """The process that reads a stream."""
        assert isinstance(self.crew, LocalCrew)
        [pid] = [w.pid for w in self.crew.workers if (w.role, w.name) == ("reader", name)]
        return pid

    def signal(self, role: str, number: signal.Signals) -> int:
        """Sends the oldest process of a role a signal; its pid."""
        pid = self.pids(role)[0]
        os.kill(pid, number)
        return pid

    def end(self) -> float:
        """Drains and ends it; how long that took."""
        began = time.time()
        self.supervisor.drain()
        return time.time() - began

    def of(self, name: str, clock: Clock | None = None) -> Left:
        """What a stream left behind, after `end`; with a clock its numbers count on for ever."""
        return Left(self.out / name, clock)

    def newest(self, name: str) -> int:
        """The number of the frame that was written last, as it is shown; -1 before the first."""
        files = sorted((self.out / name / "events").glob("*.jsonl"))
        tail = files[-1].read_bytes()[-4000:].split(b"\n")[1:-1] if files else []
        told = [json.loads(line) for line in reversed(tail)]
        return next(
            (
                int(row["label"])
                for row in told
                if row["label"].isdigit() and row["lane"] == "numbers"
            ),
            -1,
        )

    def shows_after(self, name: str, clock: Clock, moment: float) -> Callable[[], bool]:
        """True once a frame is written that was due after this moment; to be given to `until`."""

        def there() -> bool:
            number = self.newest(name)
            return number >= 0 and clock.time_of(clock.unwrap(number, time.time())) > moment

        return there

    def _hear(self, line: str) -> None:
        self.told.append(Told(time.time(), line))


@dataclass(frozen=True)
class Seen:
    """A window of a number or a tone: which, from when to when in media time, and UTC."""

    number: int
    start_s: float
    end_s: float
    utc: str


class Left:
    """What a stream left behind; with a clock, numbers are counted on through all rounds."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self.clock = clock
        self.rows = _records(folder / "events")
        self.records = _records(folder / "timeline")
        summary = folder / "summary.json"
        self.summary = json.loads(summary.read_text()) if summary.exists() else {}

    @property
    def ledger(self) -> dict[str, Any]:
        """The books."""
        return dict(self.summary["ledger"])

    @property
    def numbers(self) -> list[Seen]:
        """The frames whose numbers were read, in the order of writing."""
        return [
            Seen(self._counted_on(row), row["start_s"], row["end_s"], row["start_utc"])
            for row in self.rows
            if row["lane"] == "numbers" and row["label"].isdigit()
        ]

    def _counted_on(self, row: dict[str, Any]) -> int:
        shown = int(row["label"])
        if self.clock is None:
            return shown
        return self.clock.unwrap(shown, datetime.fromisoformat(row["start_utc"]).timestamp())

    @property
    def unread(self) -> int:
        """Frames that were analysed and carried no number that could be read."""
        return sum(row["label"] == "unread" for row in self.rows)

    @property
    def tones(self) -> list[tuple[int, float]]:
        """The tones: which second, and when it began in media time."""
        return [
            (int(row["label"]), row["start_s"] + row["score"])
            for row in self.rows
            if row["lane"] == "tones"
        ]

    @property
    def twice(self) -> list[int]:
        """Numbers that were analysed more than once."""
        counts = Counter(seen.number for seen in self.numbers)
        return [number for number, count in counts.items() if count > 1]

    @property
    def holes(self) -> list[tuple[Seen, Seen]]:
        """Neighbours whose numbers do not follow one another."""
        seen = self.numbers
        return [(a, b) for a, b in pairwise(seen) if b.number != a.number + 1]

    def gaps(self, medium: str = "video") -> list[dict[str, Any]]:
        """The gaps of a medium."""
        return [r for r in self.records if r["kind"] == "gap" and r["medium"] == medium]

    def check(self) -> None:
        """Fails when the books do not close, or windows are out of order or too long."""
        self.check_books()
        assert not self.twice, self.twice

    def check_books(self) -> None:
        """Fails when the books do not close, or windows are out of order."""
        assert self.ledger["closed"], self.ledger
        seen = self.numbers
        assert all(a.start_s < b.start_s for a, b in pairwise(seen))


@dataclass(frozen=True)
class Use:
    """What the processes of a trial use: anonymous memory, threads and descriptors."""

    rss_anon_bytes: int
    threads: int
    descriptors: int

    @classmethod
    def of(cls, pids: Sequence[int]) -> Use:
        """The sums over these processes."""
        processes = [psutil.Process(pid) for pid in pids]
        return cls(
            sum(_rss_anon(pid) for pid in pids),
            sum(process.num_threads() for process in processes),
            sum(process.num_fds() for process in processes),
        )


def report(name: str, figures: dict[str, Any]) -> None:
    """Writes a trial's figures to OUT/trials/NAME.json, with the commit; OUT is WITNESS_OUT."""
    folder = Path(os.environ.get("WITNESS_OUT", "out")) / "trials"
    folder.mkdir(parents=True, exist_ok=True)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    told = {"trial": name, "form": "full" if FULL else "short", "commit": commit, **figures}
    (folder / f"{name}.json").write_text(json.dumps(told, indent=2) + "\n")


def _records(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def _rss_anon(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024

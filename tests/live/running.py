"""`witness run streams.yaml` as a program of its own, and every process that comes of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from pipeline.control.client import Client
from pipeline.errors import WitnessError
from tests.programs import program

WITHIN_S = 90.0
LANES = "lanes: [{kind: sound}]\ncontrol: {port: 0, local_paths: true}\nstreams:\n"


@dataclass
class Running:
    """A witness that runs; `file` is its file of streams and `out` its results."""

    file: Path
    out: Path
    process: subprocess.Popen[str]

    @property
    def client(self) -> Client:
        """Who asks it."""
        return Client(self.out)

    @property
    def states(self) -> dict[str, str]:
        """The state of each stream; none while it does not answer yet."""
        with suppress(WitnessError):
            return {stream["name"]: stream["state"] for stream in self.client.streams()}
        return {}

    def write(self, streams: str) -> None:
        """Writes the file of streams anew."""
        self.file.write_text(LANES + streams, encoding="utf-8")

    def until(self, there: Callable[[], object], within_s: float = WITHIN_S) -> float:
        """Waits until `there`; how long that took. Fails if it takes too long, or if it ended."""
        began = time.monotonic()
        while not there():
            assert time.monotonic() - began < within_s, f"not within {within_s:g} s: {self.states}"
            assert self.process.poll() is None, self.said
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.1)
        return time.monotonic() - began

    def plays(self, *names: str) -> Callable[[], bool]:
        """True while these play and no others are there."""
        return lambda: self.states == dict.fromkeys(names, "playing")

    @property
    def children(self) -> list[psutil.Process]:
        """Every process that came of it, itself aside."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def reader(self, name: str) -> int:
        """The process that reads a stream; local engine."""
        words = {child.pid: child.cmdline()[-2:] for child in self.children}
        return next(pid for pid, last in words.items() if last == ["reader", name])

    @property
    def keeper(self) -> psutil.Process:
        """The process that writes the results."""
        return next(child for child in self.children if self._writes(child))

    def _writes(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            return any(str(self.out) in file.path for file in process.open_files())
        return False

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        self.process.send_signal(number)

    def ended(self, within_s: float) -> int:
        """Its exit code. Fails if it takes longer."""
        return self.process.wait(within_s)

    @property
    def said(self) -> str:
        """All that it printed so far."""
        return (self.out.parent / "run.log").read_text()

    def summary(self, name: str) -> dict[str, Any]:
        """The books of a stream."""
        found: dict[str, Any] = json.loads((self.out / name / "summary.json").read_text())
        return found


@contextmanager
def running(folder: Path, streams: str, engine: str = "local") -> Iterator[Running]:
    """A witness that runs; ended at the latest with the block."""
    file, out = folder / "streams.yaml", folder / "out"
    file.write_text(LANES + streams, encoding="utf-8")
    words = ["run", str(file), "--engine", engine, "--out", str(out), "--metrics-port", "0"]
    command = [sys.executable, "-m", "pipeline", *words]
    with (folder / "run.log").open("a") as log, program(command, log) as process:
        yield Running(file, out, process)


def orphans(processes: list[psutil.Process], within_s: float) -> list[str]:
    """Those of these processes that are still there after so long, by name."""
    _gone, alive = psutil.wait_procs(processes, timeout=within_s)
    return [child.name() for child in alive if child.status() != psutil.STATUS_ZOMBIE]

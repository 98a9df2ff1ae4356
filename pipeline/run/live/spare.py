"""A worker that stands by: loading networks takes longer than a stream shall wait for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.run.crew import Crew, Role, Worker, WorkerDied

PAUSE_S = 30.0
"""So long after one that could not be made ready the next is started: it may be memory."""


@dataclass(slots=True)
class _StandsBy:
    worker: Worker
    loads: Any
    loaded: bool = False


class Spare:
    """At most one worker of a role, made ready by calling its method `ready`."""

    def __init__(self, crew: Crew, role: Role, make: Callable[[], Any]) -> None:
        self._crew = crew
        self._role: Role = role
        self._make = make
        self._standing: _StandsBy | None = None
        self._due = 0.0

    def prepare(self) -> None:
        """Starts one, if none stands by and none failed a moment ago."""
        if self._standing is not None or time.monotonic() < self._due:
            return
        try:
            worker = self._crew.start(self._role, "spare", self._make)
        except WorkerDied:
            self._due = time.monotonic() + PAUSE_S
            return
        [loads] = self._crew.call(worker, "ready")
        self._standing = _StandsBy(worker, loads)

    def waits_for(self) -> list[Any]:
        """The call to wait for, while it loads."""
        return [self._standing.loads] if self._standing and not self._standing.loaded else []

    def tick(self, ready: set[Any]) -> None:
        """Notes that it has loaded; one that cannot is done without for a while."""
        if self._standing is None or self._standing.loads not in ready:
            return
        try:
            self._crew.result(self._standing.loads)
            self._standing.loaded = True
        except Exception:
            self.close()
            self._due = time.monotonic() + PAUSE_S

    def take(self) -> tuple[Worker, bool] | None:
        """The worker that stands by and whether it has loaded, from now on the caller's own."""
        standing, self._standing = self._standing, None
        if standing is None:
            return None
        return standing.worker, standing.loaded

    def close(self) -> None:
        """Ends it."""
        if self._standing is not None:
            self._crew.kill(self._standing.worker)
            self._standing = None

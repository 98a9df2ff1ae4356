"""What became of an offline job so far: the numbers that a person, or a dashboard, looks at."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from pipeline.batch.unit import Outcome
from pipeline.media.scan_audit import Audit


@dataclass(slots=True)
class Tally:
    """Videos by what became of them, and how fast it goes. Sizes in bytes, times in seconds.

    `before` were finished by an earlier run of the same job, `troubled` of them not well. `running`
    is how far units under way have come, in seconds of media time. `joined` are the keys of those
    that were cut and are finished: more than one of their parts may tell. `came_further_at` is the
    Unix time of the latest progress of any kind.
    """

    found: int = 0
    before: int = 0
    done: int = 0
    partial: int = 0
    failed: int = 0
    events: int = 0
    workers_lost: int = 0
    troubled: int = 0
    audit: Audit = field(default_factory=lambda: Audit(0, 0, 0))
    todo_bytes: int = 0
    done_bytes: int = 0
    read_bytes: int = 0
    media_s: float = 0.0
    running: dict[str, float] = field(default_factory=dict)
    joined: set[str] = field(default_factory=set)
    came_further_at: float = field(default_factory=time.time)
    started: float = field(default_factory=time.monotonic)

    @property
    def todo(self) -> int:
        """Videos that no result was written of so far."""
        return self.found - self.before - self.finished

    @property
    def finished(self) -> int:
        """Videos that this run has brought to their end, well or badly."""
        return self.done + self.partial + self.failed

    @property
    def media_now_s(self) -> float:
        """Seconds of media time that this run has gone through, units under way included."""
        return self.media_s + sum(self.running.values())

    @property
    def wall_s(self) -> float:
        """For how long it has run."""
        return time.monotonic() - self.started

    @property
    def speed(self) -> float:
        """Seconds of media time for each second."""
        return self.media_now_s / max(self.wall_s, 1e-9)

    @property
    def left_s(self) -> float | None:
        """How long it will still take, by the sizes of the videos; None when nobody can know.

        Those of which nothing could be read took no time, and say nothing of the others.
        """
        if not self.read_bytes or not self.todo_bytes:
            return None
        return self.wall_s * max(0, self.todo_bytes - self.done_bytes) / self.read_bytes

    def note(self, name: str, media_s: float) -> None:
        """A unit has come so far."""
        if media_s > self.running.get(name, 0.0):
            self.came_further_at = time.time()
        self.running[name] = media_s

    def ended(self, outcome: Outcome) -> None:
        """A unit is over."""
        self.came_further_at = time.time()
        self.running.pop(outcome.name, None)
        self.media_s += outcome.media_s
        self.audit = self.audit.plus(Audit(outcome.audited, outcome.missed, outcome.skipped))
        self.done_bytes += outcome.size_bytes
        self.read_bytes += outcome.size_bytes if outcome.media_s else 0
        if outcome.state is not None and outcome.key not in self.joined:
            if outcome.name != outcome.source:
                self.joined.add(outcome.key)
            setattr(self, outcome.state, getattr(self, outcome.state) + 1)
            self.events += outcome.events

    def lost(self, name: str) -> None:
        """The worker of a unit died; the unit begins again."""
        self.running.pop(name, None)
        self.workers_lost += 1

"""Signs of life of a live source, for whoever watches it from another thread."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from pipeline.media.retold import Content
from pipeline.records import Medium

State = Literal["opening", "playing", "waiting", "ended"]


@dataclass(slots=True)
class Pulse:
    """What a live source is doing; written by the thread that reads it.

    Times are of `time.monotonic`. `since` is when `state` began, `heard` when the latest packet
    came; `attempts` counts the tries since it last played, `connections` those that succeeded.
    `reason` says why it waits, or how it plays otherwise than wished; it holds no password.
    `late_s` is how much later than the promptest ones packets come now, `newest_at` the wall time
    (Unix seconds) of the latest one.
    """

    state: State = "opening"
    since: float = field(default_factory=time.monotonic)
    heard: float = field(default_factory=time.monotonic)
    connections: int = 0
    attempts: int = 0
    reason: str = ""
    late_s: float = 0.0
    newest_at: float | None = None
    _played_at: float = 0.0
    _excused: bool = False
    _excused_at: float = 0.0

    def turn(self, state: State, reason: str = "") -> None:
        """Notes a new state."""
        self.state, self.since, self.reason = state, time.monotonic(), reason

    def played(self, note: str = "") -> None:
        """Notes a connection that is open, with what there is to be told of it."""
        self.turn("playing", note)
        self.heard = self._played_at = self.since
        self.connections += 1
        self.attempts = 0

    @contextmanager
    def excused(self) -> Iterator[None]:
        """While the block runs, and until it ended, silence is not the source's fault."""
        self._excused = True
        try:
            yield
        finally:
            self._excused_at = time.monotonic()
            self._excused = False

    @property
    def played_s(self) -> float:
        """How long the last connection brought packets."""
        return max(0.0, self.heard - self._played_at)

    @property
    def silent_s(self) -> float:
        """For how long nothing came though something should: 0 while it waits on purpose."""
        if self.state in ("waiting", "ended") or self._excused:
            return 0.0
        since = self.heard if self.state == "playing" else self.since
        return time.monotonic() - max(since, self._excused_at)


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a live stream has come: what a reader needs to go on after another one.

    `ends` is how far each medium was given out, `frames` how many pictures were, and `epoch_s` the
    wall time (seconds since 1970) of media time 0; None before anything came. `keyframes` are those
    by which a new connection is recognised as going on.
    """

    ends: Mapping[Medium, Fraction] = field(default_factory=dict)
    frames: int = 0
    epoch_s: float | None = None
    keyframes: dict[Content, Fraction | None] = field(default_factory=dict)

    @property
    def position(self) -> Fraction:
        """The media time that the furthest medium has reached."""
        return max(self.ends.values(), default=Fraction(0))

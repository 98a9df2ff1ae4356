"""Between the thread that decodes one stream and whoever fetches its batches: the bounded queue.

What happens when it is full, or too late, is the stream's policy; whatever is given up is counted.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from threading import Condition
from typing import Literal

from pipeline.lanes.throttle import Governor
from pipeline.records import Span, Window

Policy = Literal["block", "drop_oldest", "lower_rate"]
Reason = Literal["drop_oldest", "lag", "closed"]


@dataclass(frozen=True, slots=True)
class Dropped:
    """Windows of one lane, one after the other, that were given up: frames or samples lost."""

    lane: str
    span: Span
    units: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Taken:
    """A batch of one lane, numbered without holes, and what was given up since the last one."""

    lane: str
    windows: list[Window]
    dropped: list[Dropped]


@dataclass(slots=True)
class _Line:
    """The windows of one lane that wait, each with the time of its coming."""

    batch: int
    unbroken: bool
    index: int
    waiting: deque[tuple[float, Window]]
    fresh: bool = False
    gated: Span | None = None


class Outbox:
    """Windows of one stream that wait to be fetched, at most `most_windows` of each lane.

    `batches` says how many windows of a lane go together. When a lane is full, `block` lets `put`
    wait, `drop_oldest` gives up the lane's oldest window, and `lower_rate` does so too while it
    raises `level`, by which the stream's throttles keep fewer. When the oldest window has waited
    longer than `max_lag_s`, all but the newest of that lane are given up: it is live again.

    A window gets its index when it is fetched, from `first_index` of its lane on, so that what was
    given up leaves no hole. In an `unbroken` lane (sound) the first window after a loss is fresh,
    and so it is in every lane after a jump to live.

    One thread puts, one takes; `dropped` and what else it tells of may be asked for by any.
    """

    def __init__(
        self,
        batches: Mapping[str, int],
        policy: Policy,
        *,
        most_windows: int,
        max_lag_s: float | None = None,
        unbroken: Collection[str] = (),
        first_index: Mapping[str, int] | None = None,
        governor: Governor | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if most_windows < 1:
            message = f"an outbox holds at least 1 window of a lane, not {most_windows}"
            raise ValueError(message)
        first = first_index or {}
        self._lines = {
            lane: _Line(batch, lane in unbroken, first.get(lane, 0), deque())
            for lane, batch in batches.items()
        }
        self._policy = policy
        self._most = most_windows
        self._max_lag_s = max_lag_s
        self._governor = governor or Governor()
        self._clock = clock
        self._changed = Condition()
        self._closed = False
        self._told_level: int | None = None
        self._lost: dict[tuple[str, Reason], Dropped] = {}
        self._dropped: dict[str, Counter[str]] = {lane: Counter() for lane in batches}

    def put(self, lane: str, window: Window) -> None:
        """Hands a window over; with `block` it waits for room, until `close` at the latest.

        After `close` a window is given up for the reason `closed`.
        """
        with self._changed:
            line = self._lines[lane]
            if self._policy == "block":
                self._changed.wait_for(lambda: self._closed or len(line.waiting) < self._most)
            if self._closed:
                self._lose(lane, window, "closed")
                return
            if len(line.waiting) == self._most:
                self._lose(lane, line.waiting.popleft()[1], "drop_oldest")
            line.waiting.append((self._clock(), window))
            self._govern()
            self._changed.notify_all()

    def take(self, wait_s: float, rivals: int = 1) -> Taken | None:
        """A batch of the lane whose oldest window waits longest; None if none came in `wait_s`.

        With more `rivals` than one it is this stream's part of a batch that so many share. Once
        closed, what still waits is given out, and then None at once.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._any(), wait_s)
            self._jump_to_live()
            waiting = {n: line.waiting[0][0] for n, line in self._lines.items() if line.waiting}
            if not waiting:
                return None
            lane = min(waiting, key=waiting.__getitem__)
            line = self._lines[lane]
            count = min(math.ceil(line.batch / rivals), len(line.waiting))
            windows = [self._numbered(line, line.waiting.popleft()[1]) for _ in range(count)]
            lost, self._lost = list(self._lost.values()), {}
            self._govern()
            self._changed.notify_all()
            return Taken(lane, windows, lost)

    def set_level(self, level: int) -> None:
        """Says what `level` is with `lower_rate`: streams that share networks lower alike."""
        with self._changed:
            self._told_level = level

    def close(self) -> None:
        """Takes nothing more; whoever waits in `put` or `take` goes on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def level(self) -> int:
        """What the stream's throttles are to be set to; 0 but for `lower_rate`."""
        with self._changed:
            self._govern()
            if self._told_level is not None and self._policy == "lower_rate":
                return self._told_level
            return self._governor.level

    @property
    def dropped(self) -> dict[str, dict[str, int]]:
        """Frames or samples given up so far, by lane and reason."""
        with self._changed:
            return {lane: dict(counts) for lane, counts in self._dropped.items() if counts}

    @property
    def waiting(self) -> dict[str, int]:
        """How many windows wait, by lane."""
        with self._changed:
            return {lane: len(line.waiting) for lane, line in self._lines.items()}

    @property
    def lag_s(self) -> float:
        """How long the oldest window of all has waited; 0 when none does."""
        with self._changed:
            return self._oldest_s()

    def _any(self) -> bool:
        return any(line.waiting for line in self._lines.values())

    def _oldest_s(self) -> float:
        came = [line.waiting[0][0] for line in self._lines.values() if line.waiting]
        return max(0.0, self._clock() - min(came)) if came else 0.0

    def _govern(self) -> None:
        if self._policy != "lower_rate":
            return
        fill = max(len(line.waiting) for line in self._lines.values()) / self._most
        if self._max_lag_s:
            fill = max(fill, self._oldest_s() / self._max_lag_s)
        self._governor.update(fill, self._clock())

    def _jump_to_live(self) -> None:
        if self._max_lag_s is None:
            return
        latest = self._clock() - self._max_lag_s
        for lane, line in self._lines.items():
            if not line.waiting or line.waiting[0][0] >= latest:
                continue
            line.fresh = line.fresh or len(line.waiting) > 1
            while len(line.waiting) > 1:
                self._lose(lane, line.waiting.popleft()[1], "lag")

    def _lose(self, lane: str, window: Window, reason: Reason) -> None:
        line, mark = self._lines[lane], window.mark
        self._dropped[lane][reason] += mark.units
        before = self._lost.get((lane, reason))
        span = Span(before.span.start if before else mark.span.start, mark.span.end)
        units = mark.units + (before.units if before else 0)
        self._lost[lane, reason] = Dropped(lane, span, units, reason)
        if reason != "closed":
            # What the lost window had to tell of the time before it, the next one tells.
            line.fresh = line.fresh or line.unbroken or mark.fresh
            line.gated = mark.gated or line.gated

    def _numbered(self, line: _Line, window: Window) -> Window:
        told = window.mark
        mark = replace(
            told,
            index=line.index,
            fresh=told.fresh or line.fresh,
            gated=told.gated or line.gated,
        )
        line.index += 1
        line.fresh, line.gated = False, None
        return Window(mark, window.data)

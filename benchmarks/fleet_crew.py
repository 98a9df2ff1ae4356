"""A crew that has no processes, and a clock of its own: what witness takes by itself can be seen.

The crew answers as readers and pool members would, at the rate of real ones: pictures twice a
second and sound twice a second of every stream. Readers were started at different moments.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from fractions import Fraction
from functools import wraps
from itertools import count
from typing import Any

cpu_now = time.thread_time
RATE = 2
"""Windows a second, of each of the two lanes."""
ANSWER_S = 0.002
VIDEO, AUDIO = "instances", "sound"


class Clock:
    """Seconds that go on by this thread's processor time, less what is excused, plus jumps.

    It stands still within a round: asking a clock this often would cost more than what is measured.
    """

    def __init__(self) -> None:
        self.excused = 0.0
        self._jumped = 1000.0
        self._now = 1000.0

    def __call__(self) -> float:
        """The moment at which it was looked at last."""
        return self._now

    def look(self) -> float:
        """Now."""
        self._now = self._jumped + cpu_now() - self.excused
        return self._now

    def jump_to(self, moment: float) -> None:
        """Nothing happens until then."""
        self._jumped += max(0.0, moment - self.look())
        self.look()


clock = Clock()


def excused(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, its processor time not counted."""

    @wraps(method)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        began = cpu_now()
        try:
            return method(*args, **kwargs)
        finally:
            clock.excused += cpu_now() - began

    return wrapped


@dataclass(eq=False, slots=True)
class Promise:
    """A call: when it is answered, by what, and the parts after the first."""

    due: float
    answer: Any = None
    make: Callable[[], Any] | None = None


@dataclass(eq=False, slots=True)
class Pretended:
    """A worker that has no process."""

    role: str
    name: str
    number: int
    next_due: dict[str, float] = field(default_factory=dict)
    windows: Counter[str] = field(default_factory=Counter)


class PretendedCrew:
    """Answers as a crew of processes would, in time; see `pipeline.run.crew.Crew`."""

    engine = "local"

    def __init__(self) -> None:
        self.answered = 0
        self._numbers = count()
        self._heap: list[tuple[float, int, Promise]] = []
        self._order = count()
        self._ready: set[Promise] = set()
        self._templates: dict[str, Any] = {}

    @excused
    def start(self, role: str, name: str, make: Any) -> Pretended:
        """At once."""
        worker = Pretended(role, name, next(self._numbers))
        now = clock()
        offset = worker.number % 97 / 97 / RATE
        worker.next_due = {VIDEO: now + offset, AUDIO: now + offset + 0.5 / RATE}
        return worker

    @excused
    def call(self, worker: Pretended, method: str, *args: Any, parts: int = 1) -> list[Promise]:
        """A promise for each part."""
        now = clock()
        if method == "step":
            lane = min(worker.next_due, key=worker.next_due.__getitem__)
            due = worker.next_due[lane]
            if due > now + args[0]:
                first = Promise(now + args[0], make=lambda: self._beat(worker, ""))
            else:
                worker.next_due[lane] = max(due, now - 2.0) + 1 / RATE
                first = Promise(max(now, due), make=lambda: self._beat(worker, lane))
        elif method == "idle":
            first = Promise(now, make=lambda: self._beat(worker, ""))
        elif method == "answer_each":
            self.answered += len(args) - 1
            first = Promise(now + ANSWER_S, answer=ANSWER_S)
        else:
            first = Promise(now, answer=self._kept(method))
        heapq.heappush(self._heap, (first.due, next(self._order), first))
        return [first, *(Promise(first.due) for _ in range(parts - 1))]

    @excused
    def wait(self, calls: Collection[Promise], timeout_s: float) -> list[Promise]:
        """Those that are answered; jumps to the first one where there is none yet."""
        self._take_due()
        found = self._ready.intersection(calls)
        if not found and timeout_s:
            until = clock.look() + timeout_s
            while not found and self._heap and self._heap[0][0] <= until:
                clock.jump_to(self._heap[0][0])
                self._take_due()
                found = self._ready.intersection(calls)
            if not found:
                clock.jump_to(until)
        self._ready -= found
        return list(found)

    def _take_due(self) -> None:
        now = clock.look()
        while self._heap and self._heap[0][0] <= now:
            self._ready.add(heapq.heappop(self._heap)[2])

    @excused
    def result(self, call: Promise) -> Any:
        """The answer."""
        if call.make is not None:
            call.answer, call.make = call.make(), None
        return call.answer

    def kill(self, worker: Pretended) -> None:
        """Nothing: there is no process."""

    def gone(self, worker: Pretended) -> bool:
        """It never was."""
        return True

    def pids(self) -> dict[int, str]:
        """None."""
        return {}

    def _kept(self, method: str) -> Any:
        from pipeline.ledger import Ledger
        from pipeline.run.live.keeper import Kept

        return Kept([], [0.05], Ledger()) if method in ("settle", "note", "finish") else b""

    def _beat(self, worker: Pretended, lane: str) -> Any:
        return beat_of(worker.name, lane, worker.windows)


def beat_of(stream: str, lane: str, windows: Counter[str]) -> Any:
    """What a reader says that has handed out these windows, and one more of `lane`."""
    from pipeline.cut import Progress
    from pipeline.media.pulse import Reached
    from pipeline.records import Mark, Span
    from pipeline.run.live.reader import Beat

    marks: tuple[Any, ...] = ()
    if lane:
        number = windows[lane]
        windows[lane] += 1
        span = Span(Fraction(number, RATE), Fraction(number + 1, RATE))
        units = 1 if lane == VIDEO else 24_000
        marks = (Mark(stream, lane, number, span, units, (640, 360)),)
    seen, heard = windows[VIDEO], windows[AUDIO]
    end = Fraction(max(seen, heard), RATE)
    progress = Progress(
        end, {"video": 8 * seen, "audio": 24_000 * heard}, {VIDEO: 7 * seen, AUDIO: 0}
    )
    return Beat(
        state="playing",
        silent_s=0.0,
        late_s=0.01,
        reason="",
        attempts=0,
        connections=1,
        progress=progress,
        handed={VIDEO: seen, AUDIO: 24_000 * heard},
        reached=Reached({"video": end, "audio": end}, 8 * seen, 1.7e9),
        tie=None,
        sender=None,
        info=None,
        lane=lane,
        marks=marks,
        newest_at=time.time(),
    )

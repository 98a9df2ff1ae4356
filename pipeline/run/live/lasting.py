"""A worker that is replaced when it dies or hangs, and whose successor goes on where it was.

Calls are answered in order, so its state is that of the last checkpoint plus the calls since then:
a successor takes the checkpoint and is told those calls again. What was answered before is not
answered twice.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from pipeline.run.crew import Crew, Role, Worker, WorkerDied
from pipeline.run.live.pauses import WELL_S, pause_s
from pipeline.run.live.spare import Spare

MOST_TRIES = 2
"""A call under which so many workers died is not made again."""
MOST_PATIENCE = 8
"""Workers that hang one after the other get ever more time, up to so many times the first's."""


Loss = Literal["died", "hung", "failed"]


class _FailedError(WorkerDied):
    """A worker that lives but cannot do what it must be able to do."""


@dataclass(slots=True, eq=False)
class Sent:
    """A call that was made, kept until a checkpoint covers it."""

    method: str
    args: tuple[Any, ...]
    parts: int
    answered: Callable[[list[Any]], None]
    given_up: Callable[[], None]
    calls: list[Any] = field(default_factory=list)
    done: bool = False
    tries: int = 0


class Lasting:
    """One place in the crew: the worker there now, and what its successor would have to know.

    The object in the worker has two methods of ours, `checkpoint() -> bytes` and
    `restore(bytes)`. `tick` is to be called now and then, with the calls that are answered. Who
    stands by as a `spare` takes the place first. Where nobody can do well, because a disk hangs,
    say, successors come ever more rarely. With `alone` none comes before the process of the one
    before it has ended: what it was writing to a disk may still arrive there. `losses` counts
    workers that were lost, by why.
    """

    def __init__(
        self,
        crew: Crew,
        role: Role,
        name: str,
        make: Callable[[], Any],
        *,
        checkpoint_s: float,
        hung_s: float,
        starting_s: float,
        spare: Spare | None = None,
        alone: bool = False,
    ) -> None:
        self.restarts = 0
        self.lost: str = ""
        self.losses: Counter[str] = Counter()
        self._crew = crew
        self._role: Role = role
        self._name = name
        self._make = make
        self._checkpoint_s = checkpoint_s
        self._hung_s = hung_s
        self._starting_s = starting_s
        self._spare = spare
        self._alone = alone
        self._log: deque[Sent] = deque()
        self._undone: dict[Sent, None] = {}
        self._kept: Any = None
        self._pending: tuple[Any, int] | None = None
        self._restoring: Any = None
        self._worker: Worker = crew.start(role, name, make)
        self._here = True
        self._ready = self._did_something = False
        self._failures, self._due = 0, 0.0
        self._heard = self._checkpointed = self._placed_at = time.monotonic()

    @property
    def worker(self) -> Worker:
        """The worker that holds the place now, or held it last."""
        return self._worker

    @property
    def problem(self) -> str:
        """Why nobody there does anything now; empty when somebody does, or did until just now."""
        return "" if self._did_something or not self._failures else self.lost

    @property
    def ready(self) -> bool:
        """True while the worker there has answered something, or stood by for it."""
        return self._ready

    @property
    def unanswered(self) -> int:
        """Calls that wait for their answer."""
        return len(self._undone)

    @property
    def remembered(self) -> int:
        """Calls that a successor would be told again."""
        return len(self._log)

    def call(
        self,
        method: str,
        *args: Any,
        parts: int = 1,
        answered: Callable[[list[Any]], None],
        given_up: Callable[[], None],
    ) -> None:
        """Makes a call; `answered` gets the parts of the answer, of which the first has come.

        `given_up` is called instead when worker after worker died of it.
        """
        if not self._waits:
            self._heard = time.monotonic()
        sent = Sent(method, args, parts, answered, given_up)
        self._log.append(sent)
        self._undone[sent] = None
        if self._here:
            self._send(sent)

    def waits_for(self) -> list[Any]:
        """The calls to wait for."""
        if not self._here:
            return []
        waiting = [sent.calls[0] for sent in self._undone]
        waiting += [self._restoring] if self._restoring is not None else []
        return waiting + ([self._pending[0]] if self._pending else [])

    def tick(self, ready: set[Any]) -> None:
        """Hands on answers, replaces the worker if it died or hangs, and asks for checkpoints."""
        if not self._here:
            self._fill()
            return
        try:
            self._take(ready)
        except WorkerDied as error:
            self._lose(str(error), "failed" if isinstance(error, _FailedError) else "died")
            return
        now = time.monotonic()
        if not self._waits:
            self._heard = now
        elif now - self._heard > self._patience_s:
            # An answer that lies there already was not looked at: then it is us who were late.
            if not self._crew.wait(self.waits_for(), 0):
                patience_s = self._hung_s if self._ready else self._starting_s
                why = f"the {self._role} {self._name} gave no answer for {patience_s:g} s"
                self._lose(why, "hung")
            return
        if self._log and not self._pending and now - self._checkpointed > self._checkpoint_s:
            [call] = self._crew.call(self._worker, "checkpoint")
            self._pending = (call, len(self._log))

    def checkpoint_soon(self) -> None:
        """Asks for a checkpoint at the next opportunity."""
        self._checkpointed = -math.inf

    def close(self) -> None:
        """Ends the worker."""
        self._crew.kill(self._worker)

    @property
    def _waits(self) -> bool:
        """True when there is a call to wait for."""
        asked = self._restoring is not None or self._pending is not None
        return self._here and (asked or bool(self._undone))

    @property
    def _patience_s(self) -> float:
        if not self._ready:
            return self._starting_s
        return self._hung_s * min(2.0 ** max(0, self._failures - 1), MOST_PATIENCE)

    def _take(self, ready: set[Any]) -> None:
        if self._restoring in ready:
            self._sound(self._restoring, "cannot go on where the one before it was")
            self._restoring = None
        for sent in [sent for sent in self._undone if sent.calls[0] in ready]:
            self._check(sent.calls[0])
            sent.done = self._did_something = True
            del self._undone[sent]
            self._ready, self._heard = True, time.monotonic()
            sent.answered(sent.calls)
        if self._pending and self._pending[0] in ready:
            call, covered = self._pending
            # News of an earlier answer may come after those of the checkpoint that covers it.
            if not all(sent.done for sent in islice(self._log, covered)):
                return
            self._kept = self._sound(call, "can give no checkpoint")
            self._pending = None
            self._ready, self._heard = True, time.monotonic()
            self._did_something = True
            self._checkpointed = self._heard
            for _ in range(covered):
                self._log.popleft()

    def _sound(self, call: Any, otherwise: str) -> Any:
        """The answer; a worker that cannot give this one is as good as dead."""
        try:
            return self._crew.result(call)
        except WorkerDied:
            raise
        except Exception as error:
            message = f"the {self._role} {self._name} {otherwise}: {error!r:.300}"
            raise _FailedError(message) from error

    def _check(self, call: Any) -> None:
        """WorkerDied, if that is the answer; any other error is for who made the call."""
        try:
            self._crew.result(call)
        except WorkerDied:
            raise
        except Exception:
            return

    def _send(self, sent: Sent) -> None:
        sent.calls = self._crew.call(self._worker, sent.method, *sent.args, parts=sent.parts)

    def _lose(self, why: str, loss: Loss) -> None:
        """Ends the worker; the call under which it died or hung gets the blame."""
        self.losses[loss] += 1
        self._crew.kill(self._worker)
        now = time.monotonic()
        well = self._did_something and now - self._placed_at > WELL_S
        self._failures = 1 if well else self._failures + 1
        self._due = now + pause_s(self._failures)
        self.restarts += 1
        self.lost = why
        blamed = self._restoring is None
        self._here = self._ready = self._did_something = False
        self._pending = self._restoring = None
        oldest = next(iter(self._undone), None)
        if oldest is not None and blamed:
            oldest.tries += 1
            if oldest.tries >= MOST_TRIES:
                self._log.remove(oldest)
                del self._undone[oldest]
                oldest.given_up()
        self._fill()

    def _fill(self) -> None:
        """Puts a worker in the empty place, when it is time and one can be had."""
        if time.monotonic() < self._due:
            return
        if self._alone and not self._crew.gone(self._worker):
            return
        try:
            self._worker, self._ready = self._next_worker()
        except WorkerDied as error:  # no process can be started now: at the next tick, perhaps
            self.lost = str(error)
            return
        self._here = True
        self._heard = self._checkpointed = self._placed_at = time.monotonic()
        if self._kept is not None:
            [self._restoring] = self._crew.call(self._worker, "restore", self._kept)
        for sent in self._log:
            calls = sent.calls
            self._send(sent)
            if sent.done:
                sent.calls = calls

    def _next_worker(self) -> tuple[Worker, bool]:
        """Another worker, and whether it can answer at once."""
        standing_by = self._spare.take() if self._spare else None
        return standing_by or (self._crew.start(self._role, self._name, self._make), False)

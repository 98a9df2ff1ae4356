"""Offline work in processes of this machine, without Ray: one loop hands units to them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from pipeline.batch.job import BatchJob
from pipeline.batch.member import BatchMember
from pipeline.batch.tally import Tally
from pipeline.batch.unit import Outcome, Unit
from pipeline.errors import LaneError
from pipeline.run.crew import Call, Crew, Worker, WorkerDied

WAIT_S = 0.5
DEATHS_IN_A_ROW = 12


@dataclass(slots=True)
class _Hand:
    """A worker, the unit it was given, and the call that it is at."""

    worker: Worker
    number: int
    unit: Unit | None = None
    doing: Literal["cutting", "running"] = "cutting"
    call: Call = field(default=None)
    since: float = 0.0


class LocalBatch:
    """Runs units in `workers` processes until none is left.

    A worker that dies is replaced and its unit begins again; a unit that takes one worker after
    the other with it is given up by the workers themselves, and one that does not say a word for
    longer than a unit may take is killed. LaneError when no worker can begin; OutputError when
    results cannot be written.
    """

    def __init__(self, job: BatchJob, crew: Crew, workers: int, tally: Tally) -> None:
        self._job = job
        self._crew = crew
        self._tally = tally
        self._started = 0
        self._deaths = 0
        self._cut: deque[Unit] = deque()
        self._hands = [_Hand(self._new(), number) for number in range(workers)]

    def run(self, units: Iterator[Unit], told: Callable[[Outcome | None], bool]) -> None:
        """Works through the units; `told` hears outcomes, and says False when it is enough.

        It is called with None when a while went by without any.
        """
        while True:
            for hand in self._hands:
                if hand.call is None:
                    self._give(hand, units)
            waiting = {hand.call: hand for hand in self._hands if hand.call is not None}
            if not waiting:
                return
            answered = self._crew.wait(list(waiting), WAIT_S)
            outcomes = [self._take(waiting[call]) for call in answered]
            for outcome in outcomes or [None]:
                if not told(outcome):
                    return
            self._end_silent()

    def _new(self) -> Worker:
        self._started += 1
        return self._crew.start("member", f"batch-{self._started}", partial(BatchMember, self._job))

    def _give(self, hand: _Hand, units: Iterator[Unit]) -> None:
        if self._cut:
            self._call(hand, self._cut.popleft(), "running", "begin")
            return
        unit = next(units, None)
        if unit is not None:
            self._call(hand, unit, "cutting", "units")

    def _call(
        self, hand: _Hand, unit: Unit, doing: Literal["cutting", "running"], method: str
    ) -> None:
        hand.unit, hand.doing = unit, doing
        self._ask(hand, method, unit)

    def _ask(self, hand: _Hand, method: str, *args: Unit) -> None:
        hand.since = time.monotonic()
        [hand.call] = self._crew.call(hand.worker, method, *args)

    def _end_silent(self) -> None:
        """Kills workers that a watchdog of their own cannot end: stopped ones, say."""
        latest = time.monotonic() - self._job.timeout_s - 2 * self._job.stall_s
        for hand in self._hands:
            if hand.call is not None and hand.since < latest:
                self._crew.kill(hand.worker)

    def _take(self, hand: _Hand) -> Outcome | None:
        call, hand.call = hand.call, None
        assert hand.unit is not None
        try:
            answer: Any = self._crew.result(call)
        except WorkerDied as error:
            self._died(hand, str(error))
            return None
        self._deaths = 0
        if hand.doing == "cutting":
            self._cut.extend(answer)
            return None
        if isinstance(answer, Outcome):
            self._tally.ended(answer)
            return answer
        self._tally.note(answer.name, answer.media_s)
        self._ask(hand, "go_on")
        return None

    def _died(self, hand: _Hand, why: str) -> None:
        self._deaths += 1
        if self._deaths == DEATHS_IN_A_ROW:
            message = f"one worker after the other died before it had done anything: {why}"
            raise LaneError(message)
        assert hand.unit is not None
        self._tally.lost(hand.unit.name)
        self._crew.kill(hand.worker)
        hand.worker = self._new()
        self._cut.appendleft(hand.unit)

"""A worker of an offline job as a driver sees it: it is given a unit, and told to go on."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pipeline.batch.cutter import Cutter
from pipeline.batch.job import BatchJob
from pipeline.batch.unit import Outcome, Unit
from pipeline.batch.work import Note, UnitWorker
from pipeline.errors import SourceError

TELLS_EVERY_S = 0.5


class BatchMember:
    """Cuts videos into units and runs units, a little with each call."""

    def __init__(self, job: BatchJob) -> None:
        self._cutter = Cutter(job)
        self._worker = UnitWorker(job)
        self._running: Iterator[Note | Outcome] = iter(())

    def units(self, unit: Unit) -> list[Unit]:
        """The units of a video; one that cannot be opened stays whole, and running it says why."""
        try:
            with self._worker.watched(unit):
                return self._cutter.units(unit)
        except SourceError:
            return [unit]

    def begin(self, unit: Unit) -> Note | Outcome:
        """How far the unit has come after a moment."""
        self._running = self._worker.run(unit)
        return self.go_on()

    def go_on(self) -> Note | Outcome:
        """How far the unit has come after another moment; an Outcome when it is over."""
        until = time.monotonic() + TELLS_EVERY_S
        for told in self._running:
            if isinstance(told, Outcome) or time.monotonic() > until:
                return told
        message = "a unit ends with its outcome"
        raise AssertionError(message)

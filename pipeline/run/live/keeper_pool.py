"""The keepers of a live fleet: which stream is whose, and who comes after one that is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any
from zlib import crc32

from pipeline.measure.values import Metrics
from pipeline.run.crew import Crew
from pipeline.run.live.keepers import LiveKeepers
from pipeline.run.live.lasting import Lasting
from pipeline.run.live.spare import Spare

CHECKPOINT_S = 1.0
HUNG_S = 8.0
STARTING_S = 30.0


class KeeperPool:
    """So many keepers, each replaced when it dies or hangs; one stands by for all of them.

    A stream's keeper follows from its name alone: whoever held its files before is gone when the
    next one opens them. `told(number, problem)` is called when a keeper cannot be had, and with no
    problem when there is one again, however many came and went meanwhile.
    """

    def __init__(
        self, crew: Crew, keepers: int, metrics: Metrics, told: Callable[[int, str], None]
    ) -> None:
        self._metrics = metrics
        self._told = told
        self._restarts = 0
        self._away: set[int] = set()
        metrics.keepers({})
        self._spare = Spare(crew, "keeper", LiveKeepers)
        self._keepers = [
            Lasting(
                crew,
                "keeper",
                str(number),
                LiveKeepers,
                checkpoint_s=CHECKPOINT_S,
                hung_s=HUNG_S,
                starting_s=STARTING_S,
                spare=self._spare,
                alone=True,
            )
            for number in range(keepers)
        ]

    def number(self, stream: str) -> int:
        """Which keeper is a stream's."""
        return crc32(stream.encode()) % len(self._keepers)

    def of(self, stream: str) -> Lasting:
        """A stream's keeper."""
        return self._keepers[self.number(stream)]

    def away(self, stream: str) -> bool:
        """True while a stream's keeper cannot be had."""
        return self.number(stream) in self._away

    def waits_for(self) -> list[Any]:
        """The calls to wait for."""
        calls = [call for keeper in self._keepers for call in keeper.waits_for()]
        return calls + self._spare.waits_for()

    def tick(self, ready: set[Any]) -> None:
        """Takes answers, and replaces keepers that died or hang."""
        self._spare.tick(ready)
        for number, keeper in enumerate(self._keepers):
            keeper.tick(ready)
            problem = keeper.problem
            if bool(problem) != (number in self._away):
                self._away ^= {number}
                self._told(number, problem)
        if any(keeper.ready for keeper in self._keepers):
            self._spare.prepare()
        restarts = sum(keeper.restarts for keeper in self._keepers)
        if restarts != self._restarts:
            self._restarts = restarts
            self._metrics.keepers(sum((one.losses for one in self._keepers), Counter[str]()))

    def close(self) -> None:
        """Ends them."""
        self._spare.close()
        for keeper in self._keepers:
            keeper.close()

"""The supervisor's side of the keeper: what it is told of live streams, and what came of that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.metrics import Metrics
from pipeline.records import Failure, Mark
from pipeline.run.crew import Crew
from pipeline.run.live.earlier import Earlier
from pipeline.run.live.keeper import Kept
from pipeline.run.live.keepers import LiveKeepers
from pipeline.run.live.lasting import Lasting
from pipeline.run.live.pool import nothing
from pipeline.run.live.spare import Spare
from pipeline.run.live.tended import StreamPlan, Tended

CHECKPOINT_S = 1.0
HUNG_S = 8.0
STARTING_S = 30.0


class Keeping:
    """Has a keeper open, settle, note and finish streams; it is replaced when it dies or hangs.

    `settled(stream)` is called once for every batch whose answers are in the books, or given up.
    """

    def __init__(
        self,
        crew: Crew,
        metrics: Metrics,
        tell: Callable[[str], None],
        settled: Callable[[str], None],
    ) -> None:
        self._crew = crew
        self._metrics = metrics
        self._tell = tell
        self._settled = settled
        self._open: set[str] = set()
        self._problems: dict[str, str] = {}
        self._spare = Spare(crew, "keeper", LiveKeepers)
        self._keeper = Lasting(
            crew,
            "keeper",
            "0",
            LiveKeepers,
            checkpoint_s=CHECKPOINT_S,
            hung_s=HUNG_S,
            starting_s=STARTING_S,
            spare=self._spare,
        )

    def open(
        self,
        plan: StreamPlan,
        folder: Path,
        left: Earlier,
        max_wait_s: float | None,
        about: dict[str, Any],
        tables: bool,
    ) -> None:
        """Begins a stream in its folder, after what an earlier watch left there."""
        position = round(float(left.begin.reached.position), 6)
        about = {"source": plan.address.shown, "from_s": position, **about}
        args = (plan.name, plan.lanes, folder, max_wait_s, about, left.marks, tables)
        failed = partial(self._given_up, plan.name)
        self._open.add(plan.name)
        self._keeper.call("open", *args, answered=nothing, given_up=failed)
        self._keeper.checkpoint_soon()

    def settle(self, name: str, lane: str, answers: Any, marks: Sequence[Mark]) -> None:
        """Hands answers over; `marks` are those of their windows, should the answers get lost."""
        taken = partial(self._took_answers, name, lane, marks)
        self._settle(name, lane, answers, marks, taken)

    def note(self, stream: Tended) -> None:
        """Tells how a stream is, and what is new of it."""
        name = stream.plan.name
        failed = partial(self._given_up, name)
        answered = partial(self._take, name)
        self._keeper.call("note", name, stream.note(), answered=answered, given_up=failed)

    def finish(self, stream: Tended, gone: Callable[[], None]) -> None:
        """Closes the books of a stream; then `gone`, in any case."""

        def finished(calls: list[Any]) -> None:
            self._take(stream.plan.name, calls)
            self._problems.pop(stream.plan.name, None)
            gone()

        self._open.discard(stream.plan.name)
        args = (stream.plan.name, stream.note())
        self._keeper.call("finish", *args, answered=finished, given_up=gone)

    def waits_for(self) -> list[Any]:
        """The calls to wait for."""
        return self._keeper.waits_for() + self._spare.waits_for()

    def tick(self, ready: set[Any]) -> None:
        """Takes answers, and replaces the keeper if it died or hangs."""
        self._spare.tick(ready)
        self._keeper.tick(ready)
        if self._keeper.ready:
            self._spare.prepare()

    def close(self) -> None:
        """Ends the keeper."""
        self._spare.close()
        self._keeper.close()

    def _took_answers(self, name: str, lane: str, marks: Sequence[Mark], calls: list[Any]) -> None:
        if self._took(name, calls) or name not in self._open:
            self._settled(name)
        else:  # the answers were lost on their way, with the machine they lay on
            self._settle_lost(name, lane, marks)

    def _took_lost(self, name: str, calls: list[Any]) -> None:
        self._took(name, calls)
        self._settled(name)

    def _given_up_answers(self, name: str, lane: str, marks: Sequence[Mark]) -> None:
        self._given_up(name)
        if name in self._open:
            self._settle_lost(name, lane, marks)
        else:
            self._settled(name)

    def _settle_lost(self, name: str, lane: str, marks: Sequence[Mark]) -> None:
        """Has it noted that there are no answers: all later ones of the lane wait for that."""
        answers = [Failure(mark, "answers_lost") for mark in marks]
        self._settle(name, lane, answers, marks, partial(self._took_lost, name))

    def _settle(
        self,
        name: str,
        lane: str,
        answers: Any,
        marks: Sequence[Mark],
        answered: Callable[[list[Any]], None],
    ) -> None:
        failed = partial(self._given_up_answers, name, lane, marks)
        self._keeper.call("settle", name, lane, answers, answered=answered, given_up=failed)

    def _given_up(self, name: str) -> None:
        self._tell(f"{name}: a call of the keeper failed twice and was given up")

    def _take(self, name: str, calls: list[Any]) -> None:
        self._took(name, calls)

    def _took(self, name: str, calls: list[Any]) -> bool:
        """Takes what the keeper answered; False when it could not do what it was told."""
        try:
            kept: Kept = self._crew.result(calls[0])
        except Exception as error:  # of this stream: the others go on
            told = f"the keeper could not take what it was told: {error!r:.300}"
            self._trouble(name, told)
            return False
        self._trouble(name, kept.problem)
        self._metrics.wrote(kept.digests)
        self._metrics.written(name, kept.delays_s)
        self._metrics.books(name, kept.ledger)
        return True

    def _trouble(self, name: str, problem: str) -> None:
        if problem != self._problems.get(name, ""):
            self._problems[name] = problem
            self._tell(f"{name}: {problem or 'its outputs can be written again'}")

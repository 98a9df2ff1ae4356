"""The supervisor's side of the keepers: what they are told of streams, and what came of that."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.ledger import Ledger
from pipeline.measure.values import Metrics
from pipeline.records import Failure, Mark
from pipeline.run.crew import Crew
from pipeline.run.live.earlier import Earlier
from pipeline.run.live.keeper import Kept
from pipeline.run.live.keeper_pool import KeeperPool
from pipeline.run.live.pauses import pause_s
from pipeline.run.live.pool import nothing
from pipeline.run.live.tended import StreamPlan, Tended

NOTES_AHEAD = 4
"""With so many notes of a stream unanswered, what is new waits: one note tells it all later."""


@dataclass(slots=True, eq=False)
class _Books:
    """A stream's books with the keeper; what comes before they are open waits."""

    args: tuple[Any, ...] = ()
    when_opened: Callable[[], None] = nothing
    opened: bool = False
    failures: int = 0
    due: float = 0.0
    notes: int = 0
    waiting: list[Callable[[], None]] = field(default_factory=list)


@dataclass(slots=True)
class _Known:
    """What the keeper told of a stream last: its books, and whether results can be written.

    `shown` is what the metrics were told of that.
    """

    ledger: Ledger | None = None
    problem: str = ""
    waiting: int = 0
    failures: int = 0
    shown: tuple[int, bool, int] | None = None


class Keeping:
    """Has keepers open, settle, note and finish streams; each has its own.

    `settled(stream)` is called once for every batch whose answers are in the books, or given up.
    Books that cannot be opened are tried again, ever more rarely.
    """

    def __init__(
        self,
        crew: Crew,
        metrics: Metrics,
        tell: Callable[[str], None],
        settled: Callable[[str], None],
        keepers: int = 1,
    ) -> None:
        self._crew = crew
        self._metrics = metrics
        self._tell = tell
        self._settled = settled
        self._books: dict[str, _Books] = {}
        self._known: defaultdict[str, _Known] = defaultdict(_Known)
        self._again: dict[str, _Books] = {}
        self._keepers = KeeperPool(crew, keepers, metrics, self._tell_of_a_keeper)

    def open(
        self,
        plan: StreamPlan,
        folder: Path,
        left: Earlier,
        max_wait_s: float | None,
        about: dict[str, Any],
        tables: bool,
        *,
        opened: Callable[[], None] = nothing,
    ) -> None:
        """Begins a stream in its folder, after what an earlier watch left there; then `opened`."""
        position = round(float(left.begin.reached.position), 6)
        about = {"source": plan.address.shown, "from_s": position, **about}
        args = (plan.name, plan.lanes, folder, max_wait_s, about, left.marks, tables)
        self._books[plan.name] = books = _Books(args, opened)
        self._known.pop(plan.name, None)
        self._begin(books)

    def settle(self, name: str, lane: str, answers: Any, marks: Sequence[Mark]) -> None:
        """Hands answers over; `marks` are those of their windows, should the answers get lost."""
        taken = partial(self._took_answers, name, lane, marks)
        settle = partial(self._settle, name, lane, answers, marks, taken)
        books = self._books.get(name)
        if books is None or books.opened:
            settle()
        else:
            books.waiting.append(settle)

    def opened(self, name: str) -> bool:
        """True while a stream's books are open."""
        books = self._books.get(name)
        return books is not None and books.opened

    def takes_notes(self, name: str) -> bool:
        """True unless it is better to wait with what is new of a stream."""
        books = self._books.get(name)
        return books is None or (books.opened and books.notes < NOTES_AHEAD)

    def ledger(self, name: str) -> Ledger | None:
        """A stream's books as they were told last."""
        return self._known[name].ledger if name in self._known else None

    def note(self, stream: Tended) -> None:
        """Tells how a stream is, and what is new of it."""
        name, note = stream.plan.name, stream.note()
        books = self._books.get(name) or _Books()
        books.notes += 1

        def answered(calls: list[Any]) -> None:
            books.notes -= 1
            if self._took(name, calls):
                stream.untold = 0
            else:
                stream.take_back(note)

        def given_up() -> None:
            books.notes -= 1
            stream.take_back(note)
            self._given_up(name)

        self._keepers.of(name).call("note", name, note, answered=answered, given_up=given_up)

    def finish(self, stream: Tended, gone: Callable[[], None]) -> None:
        """Closes the books of a stream; then `gone`, in any case."""
        name = stream.plan.name

        def over(*, well: bool) -> None:
            known = self._known.pop(name, _Known())
            self._metrics.closed(known.ledger if well else None)
            gone()

        def finished(calls: list[Any]) -> None:
            over(well=self._took(name, calls))

        def given_up() -> None:
            self._given_up(name)
            over(well=False)

        books = self._books.pop(name, None)
        for settle in books.waiting if books else ():
            settle()
        last = stream.note()
        self._keepers.of(name).call("finish", name, last, answered=finished, given_up=given_up)

    def waits_for(self) -> list[Any]:
        """The calls to wait for."""
        return self._keepers.waits_for()

    def tick(self, ready: set[Any]) -> None:
        """Takes answers, replaces keepers that died or hang, and opens what could not be opened."""
        self._keepers.tick(ready)
        now = time.monotonic()
        for name, books in list(self._again.items()):
            if self._books.get(name) is not books:  # it was finished, and may have begun anew
                del self._again[name]
            elif now >= books.due:
                del self._again[name]
                self._begin(books)

    def close(self) -> None:
        """Ends the keepers."""
        self._keepers.close()

    def _tell_of_a_keeper(self, number: int, problem: str) -> None:
        for name in self._books:
            if self._keepers.number(name) == number:
                self._known[name].failures += bool(problem)
                self._tell_of_sink(name)
        told = f"{problem}; what the next one is to be told waits" if problem else ""
        self._tell(told or f"the keeper {number} answers again")

    def _begin(self, books: _Books) -> None:
        """Has books opened; once more after a while if that cannot be done now."""
        name = str(books.args[0])

        def answered(calls: list[Any]) -> None:
            try:
                self._crew.result(calls[0])
            except Exception as error:  # of this stream: the others go on
                failed(f"its books cannot be opened: {error!r:.300}")
                return
            books.opened = True
            self._trouble(name, "")
            books.when_opened()
            waiting, books.waiting = books.waiting, []
            for settle in waiting:
                settle()

        def failed(problem: str) -> None:
            if self._books.get(name) is books:
                self._trouble(name, problem)
                books.failures += 1
                # The first is tried again soon, but not at once: it was no accident of a process.
                books.due = time.monotonic() + pause_s(books.failures + 1)
                self._again[name] = books

        lost = partial(failed, "its books cannot be opened: a keeper after the other failed")
        keeper = self._keepers.of(name)
        keeper.call("open", *books.args, answered=answered, given_up=lost)
        keeper.checkpoint_soon()

    def _took_answers(self, name: str, lane: str, marks: Sequence[Mark], calls: list[Any]) -> None:
        if self._took(name, calls, lane) or name not in self._books:
            self._settled(name)
        else:  # the answers were lost on their way, with the machine they lay on
            self._settle_lost(name, lane, marks)

    def _took_lost(self, name: str, calls: list[Any]) -> None:
        self._took(name, calls)
        self._settled(name)

    def _given_up_answers(self, name: str, lane: str, marks: Sequence[Mark]) -> None:
        self._given_up(name)
        if name in self._books:
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
        keeper = self._keepers.of(name)
        keeper.call("settle", name, lane, answers, answered=answered, given_up=failed)

    def _given_up(self, name: str) -> None:
        self._tell(f"{name}: a call of the keeper failed twice and was given up")

    def _took(self, name: str, calls: list[Any], lane: str = "") -> bool:
        """Takes what the keeper answered; False when it could not do what it was told.

        With a `lane` it was about answers of that lane.
        """
        try:
            kept: Kept = self._crew.result(calls[0])
        except Exception as error:  # of this stream: the others go on
            told = f"the keeper could not take what it was told: {error!r:.300}"
            self._trouble(name, told)
            return False
        known = self._known[name]
        known.ledger, known.waiting = kept.ledger, kept.waiting
        self._trouble(name, kept.problem)
        if kept.digests:
            self._metrics.wrote(kept.digests)
        self._metrics.written(name, kept.delays_s)
        if lane:
            self._metrics.settled(lane, kept.settle_s, kept.sink_s)
        return True

    def _trouble(self, name: str, problem: str) -> None:
        known = self._known[name]
        if problem != known.problem:
            known.failures += not known.problem
            known.problem = problem
            self._tell(f"{name}: {problem or 'its outputs can be written again'}")
        self._tell_of_sink(name)

    def _tell_of_sink(self, name: str) -> None:
        known = self._known[name]
        failing = bool(known.problem) or self._keepers.away(name)
        shown = (known.waiting, failing, known.failures)
        if shown != known.shown:
            known.shown = shown
            self._metrics.sink(name, known.waiting, failing=failing, failures=known.failures)

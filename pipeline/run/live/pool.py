"""The pool of a live fleet: members that are replaced, and whose turn it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pipeline.errors import LaneError, WitnessError
from pipeline.lane import Lane
from pipeline.measure.values import Metrics
from pipeline.predict import PoolMember
from pipeline.records import Failure, Mark
from pipeline.run.backlog import Backlog, Task
from pipeline.run.crew import Crew
from pipeline.run.live.lasting import Lasting
from pipeline.run.live.spare import Spare

CALLS_PER_MEMBER = 2  # one runs while the input of the next is already there
CHECKPOINT_S = 2.0
HUNG_S = 10.0
STARTING_S = 120.0
Settle = Callable[[str, str, Any, Sequence[Mark]], None]


class LivePool:
    """Members that answer windows; `settle` gets each task's stream, lane, answers and marks.

    With `spare` one more is loaded, and stands by for the one that will be lost.
    """

    def __init__(
        self,
        crew: Crew,
        lanes: Sequence[Lane],
        members: int,
        threads: int | None,
        metrics: Metrics,
        settle: Settle,
        *,
        spare: bool = True,
    ) -> None:
        self._crew = crew
        self._metrics = metrics
        self._settle = settle
        self._lanes = [lane.name for lane in lanes]
        self._backlog = Backlog(lanes)
        self._loaded = 0
        self._away: set[Task] = set()
        make = partial(PoolMember, tuple(lanes), threads)
        self._spares = spare
        self._spare = Spare(crew, "member", make)
        self.members = [
            Lasting(
                crew,
                "member",
                str(number),
                make,
                checkpoint_s=CHECKPOINT_S,
                hung_s=HUNG_S,
                starting_s=STARTING_S,
                spare=self._spare,
            )
            for number in range(members)
        ]
        self._told: tuple[int, int] | None = None
        self._tell()
        for member in self.members:  # loads its networks before the first stream has something
            member.call("ready", answered=self._load, given_up=_no_networks)

    @property
    def ready(self) -> bool:
        """True once every member has loaded its networks; one that is replaced counts as ready."""
        return self._loaded >= len(self.members)

    def share(self, stream: str, weight: float, *, priority: int) -> None:
        """Says what a stream is entitled to."""
        self._backlog.share(stream, weight, priority=priority)

    def add(self, task: Task) -> None:
        """Takes a batch of a stream."""
        self._backlog.add(task)
        self._metrics.queued(task.step.lane, len(task.step.marks))

    def waiting(self, stream: str) -> int:
        """How many batches of a stream wait for a member that has room."""
        return self._backlog.waiting(stream)

    def dispatch(self) -> set[str]:
        """Sends work to every member that has room; gives the streams of which some left."""
        streams: set[str] = set()
        for number, member in enumerate(self.members):
            while member.unanswered < CALLS_PER_MEMBER:
                tasks = self._backlog.take(number)
                if not tasks:
                    break
                self._predict(member, tasks)
                streams.update(task.stream for task in tasks)
        return streams

    def forget(self, stream: str) -> None:
        """Drops what waits, is under way and is cached for a stream that has ended.

        An answer that comes later is not taken for one of another stream of that name.
        """
        self._away = {task for task in self._away if task.stream != stream}
        for task in self._backlog.drop(stream):
            self._metrics.queued(task.step.lane, -len(task.step.marks))
        for member in self.members:
            member.call("forget", stream, answered=nothing, given_up=nothing)

    def waits_for(self) -> list[Any]:
        """The calls to wait for."""
        calls = [call for member in self.members for call in member.waits_for()]
        return calls + self._spare.waits_for()

    def tick(self, ready: set[Any]) -> None:
        """Takes answers, and replaces members that died or hang."""
        self._spare.tick(ready)
        for member in self.members:
            member.tick(ready)
        self._tell()
        # Not before: two that load at the same time take twice as long.
        if self._spares and all(member.ready for member in self.members):
            self._spare.prepare()

    def _tell(self) -> None:
        ready = sum(member.ready for member in self.members)
        restarts = sum(member.restarts for member in self.members)
        if (ready, restarts) != self._told:
            self._told = (ready, restarts)
            lost = sum((member.losses for member in self.members), Counter[str]())
            self._metrics.pool(len(self.members), ready, self._lanes, lost)

    def close(self) -> None:
        """Ends every member."""
        self._spare.close()
        for member in self.members:
            member.close()

    def _load(self, calls: list[Any]) -> None:
        try:
            self._crew.result(calls[0])
        except WitnessError:
            raise
        except Exception as error:
            message = f"the networks cannot be loaded: {error}"
            raise LaneError(message) from error
        self._loaded += 1

    def _predict(self, member: Lasting, tasks: list[Task]) -> None:
        lane = tasks[0].step.lane
        self._metrics.sent(tasks)
        self._away.update(tasks)
        member.call(
            "answer_each",
            lane,
            *(task.windows for task in tasks),
            parts=1 + len(tasks),
            answered=partial(self._predicted, tasks),
            given_up=partial(self._given_up, tasks),
        )

    def _predicted(self, tasks: list[Task], calls: list[Any]) -> None:
        lane = tasks[0].step.lane
        windows = sum(len(task.step.marks) for task in tasks)
        try:
            seconds = self._crew.result(calls[0])
        except Exception:  # the windows were lost on their way, with the machine they lay on
            self._given_up(tasks, "windows_lost")
            return
        self._metrics.answered(lane, windows, seconds)
        for task, answers in zip(tasks, calls[1:], strict=True):
            self._came(task, answers)

    def _given_up(self, tasks: list[Task], reason: str = "pool_member_lost") -> None:
        for task in tasks:
            self._came(task, [Failure(mark, reason) for mark in task.step.marks])

    def _came(self, task: Task, answers: Any) -> None:
        if task in self._away:
            self._away.remove(task)
            self._settle(task.stream, task.step.lane, answers, task.step.marks)


def nothing(*_: Any) -> None:
    """What is to be done about an answer that says nothing."""


def _no_networks() -> None:
    message = "the networks cannot be loaded: every process that tried died; is memory short?"
    raise LaneError(message)

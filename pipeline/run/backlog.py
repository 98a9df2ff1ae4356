"""Batches that wait for a pool member: whose turn it is, and what may share a call."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.lane import Lane
from pipeline.run.turns import Turns
from pipeline.run.workers import Step


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Windows of one stream and lane that wait; `windows` is only handed on, never looked into.

    `home` is the number of the member that keeps the stream's cached states, and `since` when it
    began to wait (`time.monotonic`).
    """

    stream: str
    home: int
    step: Step
    windows: Any
    since: float = field(default_factory=time.monotonic)


class Backlog:
    """Tasks that wait; what waits together for one lane is batched together.

    So batches grow by themselves when members are busy, and nothing waits for a batch to fill.
    Streams take turns by weight, tasks of a stream and lane leave in the order of their coming.
    """

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._batch = {lane.name: lane.batch for lane in lanes}
        self._pinned = {lane.name for lane in lanes if lane.pinned}
        self._tasks: list[Task] = []
        self._waiting: Counter[str] = Counter()
        self._turns = Turns()

    def __len__(self) -> int:
        return len(self._tasks)

    def waiting(self, stream: str) -> int:
        """How many tasks of a stream wait."""
        return self._waiting[stream]

    def share(self, stream: str, weight: float = 1.0, *, priority: int = 0) -> None:
        """Says how much of the pool a stream is entitled to, as `Turns.share`."""
        self._turns.share(stream, weight, priority=priority)

    def add(self, task: Task) -> None:
        """Puts a task at the end of its stream's."""
        self._tasks.append(task)
        self._waiting[task.stream] += 1
        self._turns.wait(task.stream)

    def take(self, member: int) -> list[Task]:
        """Tasks of one lane that fit one batch and that `member` may take; they leave.

        The first is the oldest of the stream whose turn it is. Tasks of a pinned lane go to their
        stream's home only, so its state is always there.
        """
        mine = [task for task in self._tasks if self._may(task, member)]
        if not mine:
            return []
        lane = self._first(mine).step.lane
        mine = [task for task in mine if task.step.lane == lane]
        room = self._batch[lane]
        taken: list[Task] = []
        while mine:
            task = self._first(mine)
            if taken and len(task.step.marks) > room:
                break
            self._turns.serve(task.stream, len(task.step.marks))
            room -= len(task.step.marks)
            mine = [other for other in mine if other is not task]
            taken.append(task)
        self._leave(taken)
        return taken

    def drop(self, stream: str) -> list[Task]:
        """The tasks of a stream that has ended; they leave, and its share is forgotten."""
        gone = [task for task in self._tasks if task.stream == stream]
        self._leave(gone)
        self._turns.forget(stream)
        return gone

    def _may(self, task: Task, member: int) -> bool:
        return task.step.lane not in self._pinned or task.home == member

    def _first(self, tasks: Sequence[Task]) -> Task:
        stream = self._turns.next(task.stream for task in tasks)
        return next(task for task in tasks if task.stream == stream)

    def _leave(self, gone: Sequence[Task]) -> None:
        numbers = {id(task) for task in gone}  # comparing tasks would look into their windows
        self._tasks = [task for task in self._tasks if id(task) not in numbers]
        self._waiting.subtract(task.stream for task in gone)
        for stream in {task.stream for task in gone}:
            if not self._waiting[stream]:
                del self._waiting[stream]
                self._turns.rest(stream)

"""Batches that wait for a pool member: whose turn it is, and what may share a call."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.lane import Lane
from pipeline.run.workers import Step


@dataclass(frozen=True, slots=True)
class Task:
    """Windows of one stream and lane that wait; `windows` is only handed on, never looked into.

    `home` is the number of the member that keeps the stream's cached states.
    """

    stream: str
    home: int
    step: Step
    windows: Any


class Backlog:
    """Tasks in the order of their coming; what waits together for one lane is batched together.

    So batches grow by themselves when members are busy, and nothing waits for a batch to fill.
    """

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._batch = {lane.name: lane.batch for lane in lanes}
        self._pinned = {lane.name for lane in lanes if lane.pinned}
        self._tasks: deque[Task] = deque()

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, task: Task) -> None:
        """Puts a task at the end."""
        self._tasks.append(task)

    def take(self, member: int) -> list[Task]:
        """The oldest tasks of one lane that fit one batch and that `member` may take; they leave.

        Tasks of a pinned lane go to their stream's home only, so its state is always there.
        """
        taken: list[Task] = []
        room = 0
        for task in self._tasks:
            lane = task.step.lane
            if lane in self._pinned and task.home != member:
                continue
            if not taken:
                room = self._batch[lane]
            elif lane != taken[0].step.lane:
                continue
            if len(task.step.marks) > room:
                break
            taken.append(task)
            room -= len(task.step.marks)
        for task in taken:
            self._tasks.remove(task)
        return taken

    def drop(self, stream: str) -> list[Task]:
        """The tasks of a stream that has ended; they leave."""
        gone = [task for task in self._tasks if task.stream == stream]
        for task in gone:
            self._tasks.remove(task)
        return gone

"""Batches that wait for a pool member: whose turn it is, and what may share a call."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace
from operator import itemgetter
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


Turn = tuple[tuple[int, float], int]
"""The rank of a stream, and when its oldest task came: the least is next."""


class _Queue:
    """The tasks of one lane that one member may take, or any, by stream.

    Streams lie in a heap, each once, by the turn that they had when they were put there. Turns only
    come later (who is served is behind), so a stream that is on top for no reason any more is put
    where it belongs when it is met; `ranked_anew` is for one that may come sooner.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._tasks: dict[str, deque[tuple[int, Task]]] = {}
        self._heap: list[tuple[Turn, str]] = []

    def __bool__(self) -> bool:
        return bool(self._tasks)

    def add(self, number: int, task: Task) -> None:
        """Puts the task with this number, higher than any before, at the end of its stream's."""
        tasks = self._tasks.setdefault(task.stream, deque())
        tasks.append((number, task))
        if len(tasks) == 1:
            heappush(self._heap, (self._turn_of(task.stream), task.stream))

    def turn(self) -> Turn:
        """That of the stream which is next; only while tasks wait."""
        while True:
            turn, stream = self._heap[0]
            now = self._turn_of(stream)
            if now == turn:
                return turn
            heapreplace(self._heap, (now, stream))

    def first(self) -> Task:
        """The oldest task of the stream which is next; only while tasks wait."""
        self.turn()
        return self._tasks[self._heap[0][1]][0][1]

    def pop(self) -> Task:
        """Lets that task go."""
        task = self.first()
        self._tasks[task.stream].popleft()
        if not self._tasks[task.stream]:
            del self._tasks[task.stream]
            heappop(self._heap)
        return task

    def drop(self, stream: str) -> Iterable[tuple[int, Task]]:
        """Lets all tasks of a stream go; gives them with their numbers."""
        if stream not in self._tasks:
            return ()
        self._heap = [one for one in self._heap if one[1] != stream]
        heapify(self._heap)
        return self._tasks.pop(stream)

    def ranked_anew(self, stream: str) -> None:
        """Takes note of a stream whose turn may come sooner now."""
        if stream in self._tasks:
            self._heap = [(self._turn_of(one), one) for one in self._tasks]
            heapify(self._heap)

    def _turn_of(self, stream: str) -> Turn:
        return self._turns.rank(stream), self._tasks[stream][0][0]


class Backlog:
    """Tasks that wait; what waits together for one lane is batched together.

    So batches grow by themselves when members are busy, and nothing waits for a batch to fill.
    Streams take turns by weight, tasks of a stream and lane leave in the order of their coming.
    What a call costs grows with the tasks that it takes, hardly with those that wait.
    """

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._batch = {lane.name: lane.batch for lane in lanes}
        self._pinned = {lane.name for lane in lanes if lane.pinned}
        self._turns = Turns()
        self._queues: dict[tuple[str, int | None], _Queue] = {}
        self._waiting: Counter[str] = Counter()
        self._count = 0

    def __len__(self) -> int:
        return self._waiting.total()

    def waiting(self, stream: str) -> int:
        """How many tasks of a stream wait."""
        return self._waiting[stream]

    def share(self, stream: str, weight: float = 1.0, *, priority: int = 0) -> None:
        """Says how much of the pool a stream is entitled to, as `Turns.share`."""
        self._turns.share(stream, weight, priority=priority)
        for queue in self._queues.values():
            queue.ranked_anew(stream)

    def add(self, task: Task) -> None:
        """Puts a task at the end of its stream's."""
        lane = task.step.lane
        place = (lane, task.home if lane in self._pinned else None)
        if place not in self._queues:
            self._queues[place] = _Queue(self._turns)
        self._turns.wait(task.stream)
        self._queues[place].add(self._count, task)
        self._count += 1
        self._waiting[task.stream] += 1

    def take(self, member: int) -> list[Task]:
        """Tasks of one lane that fit one batch and that `member` may take; they leave.

        The first is the oldest of the stream whose turn it is. Tasks of a pinned lane go to their
        stream's home only, so its state is always there.
        """
        mine = [self._queues.get((lane, self._at(lane, member))) for lane in self._batch]
        full = [queue for queue in mine if queue]
        if not full:
            return []
        queue, room = min(full, key=_Queue.turn), 0
        taken: list[Task] = []
        while queue:
            task = queue.first()
            room = room if taken else self._batch[task.step.lane]
            if taken and len(task.step.marks) > room:
                break
            room -= len(task.step.marks)
            taken.append(queue.pop())
            self._turns.serve(task.stream, len(task.step.marks))
        for task in taken:
            self._leave(task.stream, 1)
        return taken

    def drop(self, stream: str) -> list[Task]:
        """The tasks of a stream that has ended; they leave, and its share is forgotten."""
        gone = [one for queue in self._queues.values() for one in queue.drop(stream)]
        if gone:
            self._leave(stream, len(gone))
        self._turns.forget(stream)
        return [task for _, task in sorted(gone, key=itemgetter(0))]

    def _at(self, lane: str, member: int) -> int | None:
        return member if lane in self._pinned else None

    def _leave(self, stream: str, count: int) -> None:
        self._waiting[stream] -= count
        if not self._waiting[stream]:
            del self._waiting[stream]
            self._turns.rest(stream)

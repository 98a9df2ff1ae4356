"""The pool of a job on Ray: which member is at what, and how many were lost."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import ray
from ray.exceptions import ActorDiedError, RayError

from pipeline.errors import LaneError
from pipeline.measure.values import Metrics
from pipeline.predict import PoolMember
from pipeline.records import Failure
from pipeline.run.backlog import Task
from pipeline.run.job import Job
from pipeline.run.ray_cluster import brief

CALLS_PER_MEMBER = 2  # one runs while the input of the next is already there


class RayPool:
    """Actors that each have every network loaded; they are known by their number from 0 on."""

    def __init__(self, job: Job, metrics: Metrics) -> None:
        pool = job.config.pool
        gpus = pool.gpus if job.device == "cuda" else 0
        threads = pool.threads or max(1, (os.cpu_count() or 1) // pool.members)
        member = ray.remote(PoolMember).options(num_cpus=1, num_gpus=gpus, max_restarts=2)
        self._members = [member.remote(job.lanes, threads) for _ in range(pool.members)]
        self._calls_of = [0] * pool.members
        self._lanes = [lane.name for lane in job.lanes]
        self._metrics = metrics
        self._lost: Counter[str] = Counter()
        self._tell(ready=0)

    def __len__(self) -> int:
        return len(self._members)

    def load(self) -> None:
        """Waits until every member has loaded its networks; LaneError when one cannot."""
        try:
            ray.get([member.ready.remote() for member in self._members])
        except RayError as error:
            message = f"the networks cannot be loaded: {brief(error)}"
            raise LaneError(message) from error
        self._tell(ready=len(self._members))

    def has_room(self, member: int) -> bool:
        """True when the member may be given another batch."""
        return self._calls_of[member] < CALLS_PER_MEMBER

    def predict(self, member: int, tasks: list[Task]) -> tuple[Any, list[Any]]:
        """Gives the member a batch: references to its cost, and to the answers of each task."""
        self._calls_of[member] += 1
        call = self._members[member].answer_each.options(num_returns=1 + len(tasks))
        cost, *answers = call.remote(tasks[0].step.lane, *[task.windows for task in tasks])
        self._metrics.sent(tasks)
        return cost, answers

    def predicted(self, member: int, tasks: list[Task], answers: list[Any], cost: Any) -> list[Any]:
        """The answers of each task once their cost is there, or failures if the member was lost.

        LaneError when it was lost for good.
        """
        self._calls_of[member] -= 1
        try:
            seconds: float = ray.get(cost)
        except ActorDiedError as error:
            message = f"the networks cannot run: {brief(error)}"
            raise LaneError(message) from error
        except RayError:
            self._lost["died"] += 1
            self._tell(ready=len(self._members))
            return [[Failure(m, "pool_member_lost") for m in t.step.marks] for t in tasks]
        windows = sum(len(task.step.marks) for task in tasks)
        self._metrics.answered(tasks[0].step.lane, windows, seconds)
        return answers

    def forget(self, stream: str) -> None:
        """Drops what every member has cached of a stream that has ended."""
        for member in self._members:
            member.forget.remote(stream)

    def _tell(self, ready: int) -> None:
        self._metrics.pool(len(self._members), ready, self._lanes, self._lost)

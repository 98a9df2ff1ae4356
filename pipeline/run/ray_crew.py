"""A crew of Ray actors, on this machine or on a cluster."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipeline.run.crew import Role, WorkerDied
from pipeline.run.descent import none_survives
from pipeline.run.ray_cluster import brief, start_ray_for
from pipeline.run.ray_host import Host

CPUS: dict[Role, float] = {"reader": 0.1, "keeper": 0.1, "member": 1.0}
LEASE_S = 8.0
"""A reader that nobody asks for anything for so long ends: it may be cut off, and replaced."""
LEASE_SLACK_S = 1.0
FETCH_S = 2.0
"""What is here already takes no time to fetch; what does was lost at that moment."""
KILL_S = 0.3
STANDS_BY_S = 2.0
"""So long after a reader began another process is made ready for the next one: not beside it."""
ANSWER_S = 0.3
"""Who stands by answers in milliseconds; one that does not may be lost with its machine."""


@dataclass(slots=True, eq=False)
class RayWorker:
    """An actor; `whereabouts` becomes (node id, pid) once it lives, and `place` once seen."""

    role: Role
    name: str
    actor: Any
    whereabouts: Any
    ending: Ending | None = None
    place: tuple[str, int] | None = None


@dataclass(slots=True)
class Ending:
    """A worker that was told to end: gone for certain at `gone_by`, or as soon as somebody saw it.

    `pid` is set for one of this machine; `killed` is what kills one of another machine there.
    """

    gone_by: float
    pid: int | None = None
    killed: Any = None

    @property
    def over(self) -> bool:
        """True when its process does nothing any more."""
        if time.monotonic() > self.gone_by:
            return True
        if self.pid is not None:
            return not lives(self.pid)
        if self.killed is None or not ray.wait([self.killed], timeout=0)[0]:
            return False
        try:
            ray.get(self.killed, timeout=FETCH_S)
        except RayError:  # nobody answers there: the reader's lease runs out
            self.killed = None
            return False
        return True


class RayCrew:
    """Workers as Ray actors; see `Crew`. Ray runs already, and is not ended with the crew.

    No stream is read twice, whatever became of its first reader: a second one is refused until the
    first was seen to be gone, or its lease has run out. The keeper stays on this machine, whose
    folders it writes; the others are spread. `gpus` is each member's share. Once there is a reader,
    a process stands by that has imported what the next one needs.
    """

    engine = "ray"

    def __init__(self, gpus: float = 0.0) -> None:
        self._gpus = gpus
        self._like: Callable[[], Any] | None = None
        self._spare: tuple[RayWorker, Any] | None = None
        self._spare_due = 0.0
        self._workers: set[RayWorker] = set()
        self._ending: dict[str, Ending] = {}
        self._here = ray.get_runtime_context().get_node_id()

    def __enter__(self) -> RayCrew:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @property
    def workers(self) -> tuple[RayWorker, ...]:
        """Those that were started and not killed."""
        return tuple(self._workers)

    @property
    def stands_by(self) -> bool:
        """True while a process is ready for the next reader."""
        return self._spare is not None and bool(ray.wait([self._spare[1]], timeout=0)[0])

    def start(self, role: Role, name: str, make: Callable[[], Any]) -> RayWorker:
        """A worker that is being started; WorkerDied while a reader of that stream may live."""
        worker = None
        if role == "reader":
            self._check_lease(name)
            self._like, self._spare_due = make, time.monotonic() + STANDS_BY_S
            worker = self._taken()
        if worker is None:
            worker = self._begun(role, name, make)
        else:
            worker.name = name
            worker.actor.begin.remote(make, LEASE_S)
        self._workers.add(worker)
        return worker

    def call(self, worker: RayWorker, method: str, *args: Any, parts: int = 1) -> list[Any]:
        """One reference for each part of the answer."""
        made = worker.actor.call.options(num_returns=parts).remote(method, parts, *args)
        return list(made) if parts > 1 else [made]

    def wait(self, calls: Collection[Any], timeout_s: float) -> list[Any]:
        """Those that are answered, and whose answer is here: asking for it blocks nobody."""
        self._stand_by()
        waiting = list(calls)
        ready, _ = ray.wait(waiting, num_returns=1, timeout=timeout_s)
        if ready and len(waiting) > 1:
            ready, _ = ray.wait(waiting, num_returns=len(waiting), timeout=0)
        return list(ready)

    def result(self, call: Any) -> Any:
        """The answer; waits for it a while."""
        try:
            return ray.get(call, timeout=FETCH_S)
        except RayTaskError:
            raise  # an instance of what the method raised, too
        except (RayActorError, GetTimeoutError, RayError) as error:
            raise WorkerDied(brief(error)) from error

    def kill(self, worker: RayWorker) -> None:
        """Ends its process through Ray, and directly if that does nothing: it may be stopped."""
        self._workers.discard(worker)
        with suppress(RayError):
            ray.kill(worker.actor)
        ending = Ending(time.monotonic() + LEASE_S + LEASE_SLACK_S)
        worker.ending = ending
        ready, _ = ray.wait([worker.whereabouts], timeout=0)
        with suppress(RayError):
            if ready:
                node, pid = ray.get(worker.whereabouts, timeout=FETCH_S)
                there = NodeAffinitySchedulingStrategy(node, soft=False)
                if node == self._here:
                    ending.pid = pid
                    if worker.role == "keeper":  # it has no lease: it may hang in a disk for long
                        ending.gone_by = math.inf
                    threading.Timer(KILL_S, kill_process, (pid,)).start()
                else:
                    task = ray.remote(kill_process).options(scheduling_strategy=there, num_cpus=0)
                    ending.killed = task.remote(pid)
        if worker.role == "reader" and worker.name:
            self._ending[worker.name] = ending

    def gone(self, worker: RayWorker) -> bool:
        """True when a killed worker does nothing any more, or its lease has run out."""
        return worker.ending is not None and worker.ending.over

    def pids(self) -> dict[int, Role]:
        """The roles of the processes on this machine, by their ids."""
        return self.places().get(self._here, {})

    def places(self) -> dict[str, dict[int, Role]]:
        """The roles of the processes on every node, by node and process id. Any thread may ask."""
        found: dict[str, dict[int, Role]] = {}
        spare = self._spare
        for worker in (*self.workers, *(spare[:1] if spare else ())):
            if worker.place is None and ray.wait([worker.whereabouts], timeout=0)[0]:
                with suppress(RayError):
                    worker.place = ray.get(worker.whereabouts, timeout=FETCH_S)
            if worker.place is not None:
                node, pid = worker.place
                found.setdefault(node, {})[pid] = worker.role
        return found

    def close(self) -> None:
        """Ends every actor of the crew."""
        for worker in self.workers:
            self.kill(worker)
        if self._spare is not None:
            self.kill(self._spare[0])
            self._spare = self._like = None

    def _check_lease(self, name: str) -> None:
        lives = any(one.role == "reader" and one.name == name for one in self._workers)
        ending = self._ending.get(name)
        if lives or (ending is not None and not ending.over):
            message = f"the reader {name} that was there before has not ended yet"
            raise WorkerDied(message)
        self._ending.pop(name, None)

    def _begun(self, role: Role, name: str, make: Callable[[], Any] | None) -> RayWorker:
        """An actor, and its process."""
        here = NodeAffinitySchedulingStrategy(self._here, soft=False)
        options = {
            "num_cpus": CPUS[role],
            "num_gpus": self._gpus if role == "member" else 0,
            "max_restarts": 0,
            "scheduling_strategy": here if role == "keeper" else "SPREAD",
        }
        lease_s = LEASE_S if role == "reader" and make else None
        actor = ray.remote(Host).options(**options).remote(make, lease_s)
        return RayWorker(role, name, actor, actor.whereabouts.remote())

    def _stand_by(self) -> None:
        """Has a process made ready for the next reader, if none is and it is time."""
        if self._like is None or self._spare is not None or time.monotonic() < self._spare_due:
            return
        worker = self._begun("reader", "", None)
        self._spare = worker, worker.actor.warm.remote(self._like)

    def _taken(self) -> RayWorker | None:
        """The one that stands by, if it is ready and answers now."""
        if self._spare is None or not self.stands_by:
            return None
        (worker, _), self._spare = self._spare, None
        try:
            ray.get(worker.actor.whereabouts.remote(), timeout=ANSWER_S)
        except RayError:
            self.kill(worker)
            return None
        return worker


@contextmanager
def started(processes: int, gpus: float) -> Iterator[RayCrew]:
    """A crew on the user's cluster, or on one that is embedded here and has room for so many.

    Ray's agents would outlive a killed driver for a minute.
    """
    start_ray_for(processes, "--engine local")
    try:
        with none_survives(), RayCrew(gpus) as crew:
            yield crew
    finally:
        ray.shutdown()


def kill_process(pid: int) -> None:
    """Ends a process of this machine, if it is still there."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def lives(pid: int) -> bool:
    """True while a process of this machine is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of somebody else: the number was given away again
        return False
    return True

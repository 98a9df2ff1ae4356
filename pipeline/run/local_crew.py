"""A crew of plain processes on this machine, without Ray.

Each worker has a process, a pipe, and in the owner a thread that sends a call and waits for its
answer: so neither a stopped process nor a full pipe ever holds up who makes the calls.
"""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from threading import Condition
from typing import Any

from pipeline.run.crew import Role, WorkerDied
from pipeline.run.warm import SUPPORTED, Fork, WarmParent, start_process
from pipeline.run.worker import Packed, Raised

END_S = 2.0
ANEW_S = 30.0
"""A warm parent that was lost is followed by another one no sooner than after so long."""


class LocalCall(Future[Any]):
    """A promise of which can be seen without a lock that it was kept: thousands are looked at."""

    answered = False


@dataclass(slots=True, eq=False)
class LocalWorker:
    """A process, the owner's end of its pipe, and the thread that talks to it."""

    role: Role
    name: str
    process: subprocess.Popen[bytes] | Fork
    pipe: Connection
    talk: ThreadPoolExecutor

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid


class LocalCrew:
    """Workers as processes of this machine; see `Crew`. A context manager.

    Use it in a thread that lives as long as the crew: when that thread ends, Linux ends the
    workers. An argument that is a call, and a part of an answer after the first, is not unpickled
    on its way. With `warm`, the modules that readers import, readers are forked from a process
    that has imported them already, where that can be done.
    """

    engine = "local"

    def __init__(self, warm: tuple[str, ...] = ()) -> None:
        self._workers: set[LocalWorker] = set()
        self._answered = Condition()
        self._answers = 0
        self._modules = warm if SUPPORTED else ()
        self._parents: list[WarmParent] = []
        self._parent_due = 0.0
        self.warm_parent()

    def __enter__(self) -> LocalCrew:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @property
    def workers(self) -> tuple[LocalWorker, ...]:
        """Those that were started and not killed."""
        return tuple(self._workers)

    def start(self, role: Role, name: str, make: Callable[[], Any]) -> LocalWorker:
        """A worker that is being started; WorkerDied when the machine has no room for one."""
        try:
            process, pipe = self._begun(role, name)
        except OSError as error:
            message = f"no process can be started for the {role} {name}: {error.strerror}"
            raise WorkerDied(message) from error
        talk = ThreadPoolExecutor(1, thread_name_prefix=f"talk-{role}")
        worker = LocalWorker(role, name, process, pipe, talk)
        self._workers.add(worker)
        first = pickle.dumps((sys.path, pickle.dumps(make, protocol=5)), protocol=5)
        talk.submit(_send, pipe, first)
        return worker

    def call(self, worker: LocalWorker, method: str, *args: Any, parts: int = 1) -> list[LocalCall]:
        """One future for each part of the answer."""
        calls = [LocalCall() for _ in range(parts)]
        for call in calls:
            call.add_done_callback(self._count)
        try:
            worker.talk.submit(_talk, worker, method, args, calls)
        except RuntimeError:  # it was killed, and its thread takes nothing more
            _fail(worker, calls)
        return calls

    def wait(self, calls: Collection[LocalCall], timeout_s: float) -> list[LocalCall]:
        """Those that are answered."""
        until = time.monotonic() + timeout_s
        while True:
            seen = self._answers
            done = [call for call in calls if call.answered]
            left = until - time.monotonic()
            if done or left <= 0:
                return done
            with self._answered:
                self._answered.wait_for(partial(self._more_than, seen), left)

    def result(self, call: Future[Any]) -> Any:
        """The answer; waits for it."""
        answer = call.result()
        return pickle.loads(answer.data) if isinstance(answer, Packed) else answer

    def kill(self, worker: LocalWorker) -> None:
        """Ends its process; calls that wait for it fail."""
        if worker not in self._workers:
            return
        self._workers.discard(worker)
        worker.process.kill()
        # A process in the kernel's hands does not end yet: who waits for its answer shall know.
        with suppress(OSError), socket.socket(fileno=os.dup(worker.pipe.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
        worker.talk.submit(_bury, worker)
        worker.talk.shutdown(wait=False)

    def gone(self, worker: LocalWorker) -> bool:
        """True when its process has ended."""
        return worker.process.poll() is not None

    def pids(self) -> dict[int, Role]:
        """The roles of the processes, by their ids."""
        return {worker.pid: worker.role for worker in self.workers}

    def close(self) -> None:
        """Ends every process."""
        gone = self.workers
        for worker in gone:
            self.kill(worker)
        for worker in gone:
            worker.talk.shutdown(wait=True)
        for parent in self._parents:
            parent.close()
        self._parents.clear()
        self._modules = ()

    def _count(self, call: Future[Any]) -> None:
        assert isinstance(call, LocalCall)
        call.answered = True
        with self._answered:
            self._answers += 1
            self._answered.notify_all()

    def _more_than(self, seen: int) -> bool:
        return self._answers != seen

    def _begun(self, role: Role, name: str) -> tuple[subprocess.Popen[bytes] | Fork, Connection]:
        """A worker's process and the owner's end of its pipe."""
        parent = self.warm_parent() if role == "reader" else None
        if parent is not None:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                fork = parent.fork(role, name, theirs.fileno())
                if fork is not None:
                    return fork, Connection(ours.detach())
        ours, theirs = socket.socketpair()
        with ours, theirs:
            return start_process(theirs.fileno(), role, name, {}), Connection(ours.detach())

    def warm_parent(self) -> WarmParent | None:
        """The one that forks; none where there shall be none, or none can be started now."""
        if not self._modules:
            return None
        lost = not self._parents or self._parents[-1].over or not self._parents[-1].sound
        now = time.monotonic()
        if lost and now >= self._parent_due:
            self._parent_due = now + ANEW_S
            with suppress(OSError):
                self._parents.append(WarmParent(self._modules))
        return self._parents[-1] if self._parents else None


def _talk(worker: LocalWorker, method: str, args: tuple[Any, ...], calls: list[LocalCall]) -> None:
    """In the owner's thread for this worker: one call and its answer."""
    try:
        # The answer of another worker may be that it died: then this call has no sense either.
        ready = [arg.result() if isinstance(arg, Future) else arg for arg in args]
    except Exception as error:
        for call in calls:
            call.set_exception(error)
        return
    try:
        worker.pipe.send_bytes(pickle.dumps((method, ready, len(calls)), protocol=5))
        answers = pickle.loads(worker.pipe.recv_bytes())
    except (OSError, EOFError):
        _fail(worker, calls)
        return
    except Exception as error:  # what cannot be pickled: a defect, told to who waits
        for call in calls:
            call.set_exception(error)
        return
    for number, call in enumerate(calls):
        if isinstance(answers, Raised):
            call.set_exception(answers.error)
        else:
            call.set_result(answers[number])


def _send(pipe: Connection, data: bytes) -> None:
    with suppress(OSError):  # the first call will tell that the process is gone
        pipe.send_bytes(data)


def _fail(worker: LocalWorker, calls: list[LocalCall]) -> None:
    message = f"the {worker.role} {worker.name} ended: killed, crashed or out of memory"
    for call in calls:
        call.set_exception(WorkerDied(message))


def _bury(worker: LocalWorker) -> None:
    with suppress(subprocess.TimeoutExpired):
        worker.process.wait(END_S)
    worker.pipe.close()

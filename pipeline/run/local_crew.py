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
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from pipeline.run.crew import Role, WorkerDied
from pipeline.run.worker import Packed, Raised

END_S = 2.0


@dataclass(slots=True, eq=False)
class LocalWorker:
    """A process, the owner's end of its pipe, and the thread that talks to it."""

    role: Role
    name: str
    process: subprocess.Popen[bytes]
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
    on its way.
    """

    def __init__(self) -> None:
        self._workers: set[LocalWorker] = set()

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
            process, pipe = _begun(role, name)
        except OSError as error:
            message = f"no process can be started for the {role} {name}: {error.strerror}"
            raise WorkerDied(message) from error
        talk = ThreadPoolExecutor(1, thread_name_prefix=f"talk-{role}")
        worker = LocalWorker(role, name, process, pipe, talk)
        self._workers.add(worker)
        first = pickle.dumps((sys.path, pickle.dumps(make, protocol=5)), protocol=5)
        talk.submit(_send, pipe, first)
        return worker

    def call(
        self, worker: LocalWorker, method: str, *args: Any, parts: int = 1
    ) -> list[Future[Any]]:
        """One future for each part of the answer."""
        calls: list[Future[Any]] = [Future() for _ in range(parts)]
        try:
            worker.talk.submit(_talk, worker, method, args, calls)
        except RuntimeError:  # it was killed, and its thread takes nothing more
            _fail(worker, calls)
        return calls

    def wait(self, calls: Collection[Future[Any]], timeout_s: float) -> list[Future[Any]]:
        """Those that are answered."""
        return list(wait(calls, timeout_s, FIRST_COMPLETED).done)

    def result(self, call: Future[Any]) -> Any:
        """The answer; waits for it."""
        answer = call.result()
        return pickle.loads(answer.data) if isinstance(answer, Packed) else answer

    def kill(self, worker: LocalWorker) -> None:
        """Ends its process; calls that wait for it fail."""
        self._workers.discard(worker)
        worker.process.kill()
        worker.talk.submit(_bury, worker)
        worker.talk.shutdown(wait=False)

    def close(self) -> None:
        """Ends every process."""
        gone = self.workers
        for worker in gone:
            self.kill(worker)
        for worker in gone:
            worker.talk.shutdown(wait=True)


def _begun(role: Role, name: str) -> tuple[subprocess.Popen[bytes], Connection]:
    """A worker's process and the owner's end of its pipe."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [sys.executable, "-m", "pipeline.run.worker"]
        process = subprocess.Popen(
            [*command, str(theirs.fileno()), str(os.getpid()), role, name],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,  # Ctrl-C reaches the owner alone, and the owner acts
        )
        return process, Connection(ours.detach())


def _talk(
    worker: LocalWorker, method: str, args: tuple[Any, ...], calls: list[Future[Any]]
) -> None:
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


def _fail(worker: LocalWorker, calls: list[Future[Any]]) -> None:
    message = f"the {worker.role} {worker.name} ended: killed, crashed or out of memory"
    for call in calls:
        call.set_exception(WorkerDied(message))


def _bury(worker: LocalWorker) -> None:
    with suppress(subprocess.TimeoutExpired):
        worker.process.wait(END_S)
    worker.pipe.close()

"""Processes that begin in milliseconds: forks of one that has imported everything already.

An import of PyAV and NumPy takes the better part of a second of a core, which streams beside the
one that lost its process would miss.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress

from pipeline.run.crew import Role
from pipeline.run.worker import MOST_BYTES, READY, WARM

ANSWER_S = 1.0
"""A fork takes some milliseconds; a parent that takes so long is not asked again."""
NAME_ROOM = 200
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""Who forks had better have no other threads, and readers need none for their arithmetic."""
SUPPORTED = sys.platform == "linux" and hasattr(os, "pidfd_open")


class Fork:
    """A child of the warm parent, as `Popen` stands for one of ours."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._descriptor = descriptor

    def kill(self) -> None:
        """Ends it, if it has not ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def poll(self) -> int | None:
        """0 once it has ended, however; nobody knows its exit code."""
        return self._ended(0.0)

    def wait(self, timeout: float) -> int:
        """Returns once it has ended; TimeoutExpired if that takes too long."""
        if self._ended(timeout) is None:
            raise subprocess.TimeoutExpired([WARM], timeout)
        return 0

    def _ended(self, within_s: float) -> int | None:
        return 0 if _readable(self._descriptor, within_s) else None

    def __del__(self) -> None:
        os.close(self._descriptor)


class WarmParent:
    """Forks workers once it is warm; what it has forked ends with it, and it with its owner.

    Begins to import these modules at once, in its own process, which has one thread.
    """

    def __init__(self, modules: tuple[str, ...]) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.setblocking(False)
        self._warm = False
        self._sound = True
        with theirs:
            # The room that this takes on the command line is what names of workers have there.
            words = " ".join(modules).ljust(NAME_ROOM)
            self._process = start_process(theirs.fileno(), WARM, words, ONE_THREAD)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def over(self) -> bool:
        """True when its process has ended."""
        return self._process.poll() is not None

    @property
    def warm(self) -> bool:
        """True once it can fork."""
        if not self._warm:
            with suppress(OSError):
                self._warm = self._line.recv(MOST_BYTES) == READY
        return self._warm and self._sound

    def fork(self, role: Role, name: str, descriptor: int) -> Fork | None:
        """A worker that has this end of its pipe; None when it cannot be had at once."""
        if not self.warm:
            return None
        try:
            socket.send_fds(self._line, [json.dumps([role, name]).encode()], [descriptor])
            if not _readable(self._line.fileno(), ANSWER_S):
                raise TimeoutError
            told, [process], _, _ = socket.recv_fds(self._line, MOST_BYTES, 1)
        except (OSError, ValueError):
            # It may live, and what it has forked with it; a late child finds its pipe closed.
            self._sound = False
            return None
        return Fork(int(told), process)

    @property
    def sound(self) -> bool:
        """False once it did not answer."""
        return self._sound

    def close(self) -> None:
        """Ends it, and all that it has forked."""
        self._process.kill()
        self._process.wait()
        self._line.close()


def _readable(descriptor: int, within_s: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(within_s * 1000))


def start_process(
    descriptor: int, role: str, name: str, variables: dict[str, str]
) -> subprocess.Popen[bytes]:
    """A process that imports everything itself, with more variables of environment; OSError."""
    command = [sys.executable, "-m", "pipeline.run.worker"]
    return subprocess.Popen(
        [*command, str(descriptor), str(os.getpid()), role, name],
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            **variables,
        },
        start_new_session=True,  # Ctrl-C reaches the owner alone, and the owner acts
    )

"""The process of one worker of a local crew: `python -m pipeline.run.worker FD OWNER ROLE NAME`.

Role and name are there for whoever looks at the process list. With the role `warm` it is none
itself: it imports what the modules of that name import, and then forks workers on request.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import pickle
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

WARM = "warm"
READY = b"ready"
MOST_BYTES = 4096
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Packed:
    """A part of an answer that the owner of the crew only hands on: its pickled bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Raised:
    """What a method raised."""

    error: Exception


def serve(pipe: Connection) -> None:
    """Makes the worker's object, then answers calls until nobody is left to make any."""
    try:
        sys.path[:], make = pickle.loads(pipe.recv_bytes())
        made: Any = None
        while True:
            method, args, parts = pickle.loads(pipe.recv_bytes())
            try:
                made = _made(make) if made is None else made
                opened = [pickle.loads(a.data) if isinstance(a, Packed) else a for a in args]
                answer: Any = packed(getattr(made, method)(*opened), parts)
            except Exception as error:
                answer = Raised(_plain(error))
            pipe.send_bytes(pickle.dumps(answer, protocol=5))
    except (EOFError, OSError):
        os._exit(0)  # a thread that hangs inside FFmpeg shall not hold up the end


def fork_on_request(line: socket.socket, modules: str) -> None:
    """Imports the modules, named in one word each, says so, and forks a worker for each request.

    A request is role and name, with the worker's end of its pipe; the answer is the process id,
    with a descriptor that stands for the process. Returns when nobody asks any more.
    """
    for module in modules.split():
        importlib.import_module(module)
    gc.freeze()  # or the first collection in each child would copy everything
    # Children that end leave nothing behind; their owner looks at their descriptors.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    me = os.getpid()
    with suppress(OSError, ValueError):
        line.send(READY)
        while True:
            request, [descriptor], _, _ = socket.recv_fds(line, MOST_BYTES, 1)
            # Held by both sides until the child has begun: or it might be gone, and its number
            # another's, before there is a descriptor that stands for it.
            begun, begin = os.pipe()
            pid = os.fork()
            if pid == 0:
                line.close()
                os.close(begin)
                _be_worker(descriptor, begun, me, *json.loads(request))
            os.close(descriptor)
            os.close(begun)
            process = os.pidfd_open(pid)
            os.close(begin)
            socket.send_fds(line, [str(pid).encode()], [process])
            os.close(process)


def _be_worker(descriptor: int, begun: int, parent: int, role: str, name: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _die_with(parent)
    os.setsid()
    os.read(begun, 1)
    os.close(begun)
    with suppress(OSError, ValueError):
        _be_called(f"{role}\0{name}\0".encode())
    try:
        serve(Connection(descriptor))
    finally:
        os._exit(1)


def _be_called(last: bytes) -> None:
    """Writes the last words of the command line anew, in the room that the old ones have."""
    if sys.platform != "linux":
        return
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    words = b"\0".join(word.encode() for word in sys.orig_argv[:3]) + b"\0"
    room = end - start - len(words)
    last = last[-room + 1 :]
    padded = words + b" " * (room - len(last) - 1) + b"\0" + last
    ctypes.memmove(start, padded, end - start)


def packed(answer: Any, parts: int) -> tuple[Any, ...]:
    """An answer in its parts, those after the first closed for the journey."""
    if parts == 1:
        return (answer,)
    first, *rest = answer
    return (first, *(Packed(pickle.dumps(part, protocol=5)) for part in rest))


def _made(make: bytes) -> Any:
    factory: Callable[[], Any] = pickle.loads(make)
    return factory()


def _plain(error: Exception) -> Exception:
    """The error, if it survives the journey; else one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _die_with(owner: int) -> None:
    """Has the kernel kill this process when its owner ends, even while it is stopped."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != owner:
            os._exit(0)


def main() -> None:
    """What the process does."""
    descriptor, owner, role, name = sys.argv[1:5]
    _die_with(int(owner))
    if role == WARM:
        fork_on_request(socket.socket(fileno=int(descriptor)), name)
    else:
        serve(Connection(int(descriptor)))


if __name__ == "__main__":
    # Under its own name, so that what is pickled here can be unpickled by the owner.
    from pipeline.run import worker

    worker.main()

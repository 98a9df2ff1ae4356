"""The process of one worker of a local crew: `python -m pipeline.run.worker FD OWNER ROLE NAME`.

Role and name are there for whoever looks at the process list.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

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
    _die_with(int(sys.argv[2]))
    serve(Connection(int(sys.argv[1])))


if __name__ == "__main__":
    # Under its own name, so that what is pickled here can be unpickled by the owner.
    from pipeline.run import worker

    worker.main()

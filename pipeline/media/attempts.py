"""How often a live source is tried: at once, then ever more rarely, and never given up."""

from __future__ import annotations

import os
import select
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from threading import Event
from urllib.parse import urlsplit

from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.stop import stop_when_event_set
from tenacity.wait import wait_base, wait_exponential_jitter

from pipeline.errors import SourceAbsent, SourceError, SourceRefused
from pipeline.media.address import LiveAddress
from pipeline.media.kinds import PORTS

KNOCK_S = 2.0
"""How long a sender's machine may take to take a call."""
CALL_AGAIN_S = 0.5
# Knocking costs the sender nothing, so one that is back is seen at once; opening costs it.
WAIT_ABSENT = wait_exponential_jitter(multiplier=0.1, max=0.5, jitter=0.1)
WAIT_BROKEN = wait_exponential_jitter(multiplier=0.25, max=15, jitter=0.5)
# What has brought something is worth being in step with again soon.
WAIT_SHORT = wait_exponential_jitter(multiplier=0.125, max=1, jitter=0.1)
WAIT_REFUSED = wait_exponential_jitter(multiplier=30, max=300, jitter=10)


def knock(address: LiveAddress) -> None:
    """Returns when the sender's machine takes a call, at any address; SourceAbsent if none does.

    Raises what the address policy raises for a host that it does not let in, or that nobody knows.
    Not done where nobody is called: datagrams, files, devices.
    """
    parts = urlsplit(address.url)
    if parts.scheme not in PORTS or not parts.hostname:
        return
    port = parts.port or PORTS[parts.scheme]
    what = "no answer"
    for host in address.allow.resolve(parts.hostname, port, address.shown):
        family = socket.AF_INET if host.version == 4 else socket.AF_INET6
        try:
            _call(family, (str(host), port))
        except OSError as error:
            what = error.strerror or "no answer"
        else:
            return
    message = f"{address.shown}: no connection ({what}); is the sender running?"
    raise SourceAbsent(message)


def _call(family: socket.AddressFamily, door: tuple[str, int]) -> None:
    """Calls until a call is taken; OSError when it is refused, or none is for too long.

    It calls again while the first call still rings: one that a network swallowed is repeated only
    after one second, then after two more, and a sender would be back for that long.
    """
    began = time.monotonic()
    with ExitStack() as hung_up:
        calls: list[socket.socket] = []
        while time.monotonic() < began + KNOCK_S:
            call = hung_up.enter_context(socket.socket(family))
            call.setblocking(False)
            calls.append(call)
            with suppress(BlockingIOError):
                call.connect(door)
            answered = select.select([], calls, [], CALL_AGAIN_S)[1]
            for one in answered:
                if code := one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    raise OSError(code, os.strerror(code))
                return
    raise TimeoutError


def retrying(stopped: Event, failed: Callable[[RetryCallState], None]) -> Retrying:
    """Tries what it is given until it works, or until `stopped` (RetryError).

    After each SourceError it calls `failed` and waits; any other error is raised.
    """

    def sleep(seconds: float) -> None:
        stopped.wait(seconds)

    return Retrying(
        retry=retry_if_exception_type(SourceError),
        stop=stop_when_event_set(stopped),
        wait=_Pauses(),
        sleep=sleep,
        before_sleep=failed,
    )


def pause_after(shorts: int, *, brought: bool) -> float:
    """How long to wait after so many connections in a row that did not hold.

    No more than a second when the last one `brought` something that could be decoded.
    """
    return _after(WAIT_SHORT if brought else WAIT_BROKEN, shorts - 1) if shorts > 1 else 0.0


class _Pauses:
    """Pauses that grow with each failure of the same sort: a sender that was away may be slow."""

    def __init__(self) -> None:
        self._failures: Counter[wait_base] = Counter()

    def __call__(self, retry: RetryCallState) -> float:
        error = retry.outcome.exception() if retry.outcome else None
        wait = WAIT_ABSENT if isinstance(error, SourceAbsent) else WAIT_BROKEN
        if isinstance(error, SourceRefused):
            wait = WAIT_REFUSED
        self._failures[wait] += 1
        return _after(wait, self._failures[wait])


def _after(wait: wait_base, failures: int) -> float:
    retry = RetryCallState(Retrying(), None, (), {})
    retry.attempt_number = failures
    return wait(retry)

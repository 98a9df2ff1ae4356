"""How often a live source is tried: at once, then ever more rarely, and never given up."""

from __future__ import annotations

import socket
from collections.abc import Callable
from threading import Event
from urllib.parse import urlsplit

from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.stop import stop_when_event_set
from tenacity.wait import wait_exponential_jitter

from pipeline.errors import SourceAbsent, SourceError, SourceRefused
from pipeline.media.address import LiveAddress
from pipeline.media.kinds import PORTS

KNOCK_S = 2.0
"""How long a sender's machine may take to take a call."""
# Knocking costs the sender nothing, so one that is back is seen at once; opening costs it.
WAIT_ABSENT = wait_exponential_jitter(multiplier=0.1, max=0.5, jitter=0.1)
WAIT_BROKEN = wait_exponential_jitter(multiplier=0.25, max=15, jitter=0.5)
WAIT_REFUSED = wait_exponential_jitter(multiplier=30, max=300, jitter=10)


def knock(address: LiveAddress) -> None:
    """Returns when the sender's machine takes a call; SourceAbsent when it does not.

    Raises what the address policy raises for a host that it does not let in, or that nobody knows.
    Not done where nobody is called: datagrams, files, devices.
    """
    parts = urlsplit(address.url)
    if parts.scheme not in PORTS or not parts.hostname:
        return
    port = parts.port or PORTS[parts.scheme]
    host = address.allow.resolve(parts.hostname, port, address.shown)[0]
    try:
        socket.create_connection((str(host), port), KNOCK_S).close()
    except OSError as error:
        what = error.strerror or "no answer"
        message = f"{address.shown}: no connection ({what}); is the sender running?"
        raise SourceAbsent(message) from error


def retrying(stopped: Event, failed: Callable[[RetryCallState], None]) -> Retrying:
    """Tries what it is given until it works, or until `stopped` (RetryError).

    After each SourceError it calls `failed` and waits; any other error is raised.
    """

    def sleep(seconds: float) -> None:
        stopped.wait(seconds)

    return Retrying(
        retry=retry_if_exception_type(SourceError),
        stop=stop_when_event_set(stopped),
        wait=_pause,
        sleep=sleep,
        before_sleep=failed,
    )


def pause_after(shorts: int) -> float:
    """How long to wait after so many connections in a row that did not hold."""
    if shorts < 2:
        return 0.0
    retry = RetryCallState(Retrying(), None, (), {})
    retry.attempt_number = shorts - 1
    return WAIT_BROKEN(retry)


def _pause(retry: RetryCallState) -> float:
    error = retry.outcome.exception() if retry.outcome else None
    if isinstance(error, SourceRefused):
        return WAIT_REFUSED(retry)
    return (WAIT_ABSENT if isinstance(error, SourceAbsent) else WAIT_BROKEN)(retry)

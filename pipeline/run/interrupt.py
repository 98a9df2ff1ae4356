"""Ctrl-C as a note that is read when it suits, not as an exception at any line."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, current_thread, main_thread

SAME_S = 0.3
"""A terminal signals all its processes, and a wrapper hands its own on: that is one, come twice."""


@contextmanager
def ctrl_c_noted() -> Iterator[Event]:
    """Set at the first Ctrl-C or SIGTERM; a second raises KeyboardInterrupt wherever it arrives.

    An exception at any point of the loop would lose whatever answer was in hand just then.
    """
    noted = Event()
    first = 0.0

    def note(_number: int, _frame: object) -> None:
        nonlocal first
        now = time.monotonic()
        if not noted.is_set():
            first = now
            noted.set()
        elif now - first > SAME_S:
            raise KeyboardInterrupt

    if current_thread() is not main_thread():
        yield noted
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

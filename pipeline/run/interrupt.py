"""Ctrl-C as a note that is read when it suits, not as an exception at any line."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, current_thread, main_thread


@contextmanager
def ctrl_c_noted() -> Iterator[Event]:
    """Set at the first Ctrl-C or SIGTERM; a second raises KeyboardInterrupt wherever it arrives.

    An exception at any point of the loop would lose whatever answer was in hand just then.
    """
    noted = Event()

    def note(_number: int, _frame: object) -> None:
        if noted.is_set():
            raise KeyboardInterrupt
        noted.set()

    if current_thread() is not main_thread():
        yield noted
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

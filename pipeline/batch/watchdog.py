"""Ends the process of a unit that hangs: FFmpeg's calls cannot be interrupted, a process can."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")

GIVEN_UP = 75
"""The exit code of a process that ended itself because its unit hung."""
LOOKS = 10


class Watchdog:
    """Looks on while a unit waits for its source; ends this process when nothing moves.

    Only waiting counts: whoever was given something may take all the time in the world with it.
    """

    def __init__(self, stall_s: float) -> None:
        self._stall_s = stall_s
        self._waits_since: float | None = None

    @contextmanager
    def over(
        self, hung: Callable[[], None], moved: Callable[[], int] = lambda: 0
    ) -> Iterator[None]:
        """Watches the block: while it waits `moved()` has to change, else `hung()` is called.

        That is the last thing this process does, whatever comes of it.
        """
        done = Event()
        self._waits_since = time.monotonic()
        look = Thread(target=self._look, args=(done, hung, moved), name="watchdog", daemon=True)
        look.start()
        try:
            yield
        finally:
            done.set()
            look.join()

    def waited_for(self, items: Iterator[T]) -> Iterator[T]:
        """The items; inside of `over`, what is done with them is no waiting."""
        for item in items:
            self._waits_since = None
            yield item
            self._waits_since = time.monotonic()

    def _look(self, done: Event, hung: Callable[[], None], moved: Callable[[], int]) -> None:
        last = moved()
        while not done.wait(self._stall_s / LOOKS):
            now, since = moved(), self._waits_since
            if now != last and since is not None:
                last, self._waits_since = now, time.monotonic()
            elif since is not None and time.monotonic() - since > self._stall_s:
                try:
                    hung()
                finally:
                    os._exit(GIVEN_UP)

"""What runs in an actor of a crew: any object, made when it is first needed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import ray

LEASE_LOOK_S = 0.25


class Host:
    """Makes its object at the first call, and holds the stream's lease.

    One that is given nothing to make stands by until it is told to `begin`.
    """

    def __init__(self, make: Callable[[], Any] | None, lease_s: float | None) -> None:
        self._made: Any = None
        self.begin(make, lease_s)

    def whereabouts(self) -> tuple[str, int]:
        """The node and the process."""
        return ray.get_runtime_context().get_node_id(), os.getpid()

    def warm(self, like: Callable[[], Any]) -> None:
        """Returns at once: what such an object needs was imported when `like` was received."""

    def begin(self, make: Callable[[], Any] | None, lease_s: float | None) -> None:
        """Says what to make; when nobody asks it for anything for `lease_s`, the process ends."""
        self._make = make
        self._asked = time.monotonic()
        if lease_s is not None:
            threading.Thread(target=self._expire, args=(lease_s,), daemon=True).start()

    def call(self, method: str, parts: int, *args: Any) -> Any:
        """What the object's method answers, in so many parts."""
        self._asked = time.monotonic()
        if self._made is None:
            assert self._make is not None
            self._made = self._make()
        answer = getattr(self._made, method)(*args)
        self._asked = time.monotonic()
        return tuple(answer) if parts > 1 else answer

    def _expire(self, lease_s: float) -> None:
        while time.monotonic() - self._asked < lease_s:
            time.sleep(LEASE_LOOK_S)
        os._exit(0)

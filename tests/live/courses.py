"""Streams that are tried beside one another in one fleet, each at its own pace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from tests.live.watching import WITHIN_S, Watching

Course = Iterator[Callable[[], bool]]
"""What happens to a stream, step by step: it gives what has to be true before its next step."""


def follow(watching: Watching, *courses: Course) -> None:
    """Lets the fleet work until each course is over; fails when one waits too long at a step."""
    waits = {course: next(course, None) for course in courses}
    since = dict.fromkeys(courses, time.time())
    while any(waits.values()):
        watching.supervisor.tick()
        for course, there in waits.items():
            if there is None:
                continue
            if there():
                waits[course], since[course] = next(course, None), time.time()
            else:
                assert time.time() - since[course] < WITHIN_S, (course, watching.told[-8:])


def after(seconds: float) -> Callable[[], bool]:
    """True once so much time has passed."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end

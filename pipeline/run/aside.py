"""Work that may hang, such as asking a disk, in a thread of its own that holds nobody up."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Aside(Generic[T]):
    """Begins to work at once; the process ends without waiting for it."""

    def __init__(self, name: str, work: Callable[[], T]) -> None:
        self._work = work
        self._made: Future[T] = Future()
        Thread(target=self._do, name=name, daemon=True).start()

    @property
    def done(self) -> bool:
        """True once `result` has something to give."""
        return self._made.done()

    def result(self) -> T:
        """What came of it; waits for that, and raises what the work raised."""
        return self._made.result()

    def _do(self) -> None:
        try:
            self._made.set_result(self._work())
        except BaseException as error:  # it is raised where somebody listens
            self._made.set_exception(error)

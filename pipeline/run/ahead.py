"""An iterator that works a little ahead, in a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import Generic, Self, TypeVar

T = TypeVar("T")
LOOK_S = 0.2


class _Ended:
    """The last thing in the queue: the iterator is exhausted, or raised `error`."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Ahead(Generic[T]):
    """Gives what an iterator gives, in its order; at most `most` things are made in advance.

    FFmpeg and torch let go of the interpreter, so a source is decoded while the networks run. Use
    it as a context manager: when the block ends nothing runs any more, and the iterator's owner
    may look at it again. What was made in advance and not asked for is lost. What the iterator
    raises is raised here, after all that it gave before.
    """

    def __init__(self, items: Iterator[T], most: int) -> None:
        self._items = items
        self._made: Queue[T | _Ended] = Queue(most)
        self._stop = Event()
        self._thread = Thread(target=self._make, name="ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Ends the thread, at the next thing that the iterator gives."""
        self._stop.set()
        self._thread.join()

    def __iter__(self) -> Iterator[T]:
        """Each thing once."""
        while True:
            made = self._made.get()
            if isinstance(made, _Ended):
                if made.error is not None:
                    raise made.error
                return
            yield made

    def _make(self) -> None:
        try:
            for item in self._items:
                self._put(item)
                if self._stop.is_set():
                    return
        except BaseException as error:  # whatever it is, it belongs to who asks
            self._put(_Ended(error))
        else:
            self._put(_Ended(None))

    def _put(self, made: T | _Ended) -> None:
        while not self._stop.is_set():
            try:
                self._made.put(made, timeout=LOOK_S)
            except Full:
                continue
            return

"""A crew whose workers are objects of this process: every interleaving of theirs can be had."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from pipeline.run.crew import Role, WorkerDied


@dataclass(eq=False)
class Promise:
    """An answer that may come."""

    done: bool = False
    answer: Any = None
    error: Exception | None = None


@dataclass(eq=False)
class Here:
    """A worker in this process: it answers a call when it is told to, and dies when it is."""

    made: Any
    asked: deque[tuple[Promise, str, tuple[Any, ...]]] = field(default_factory=deque)
    dead: bool = False

    def answer_one(self, *, dies_before_telling: bool = False) -> None:
        if not self.asked or self.dead:
            return
        promise, method, args = self.asked[0]
        answer, error = None, None
        try:
            answer = getattr(self.made, method)(*args)
        except Exception as raised:
            error = raised
        if dies_before_telling:
            self.die()
            return
        self.asked.popleft()
        promise.done, promise.answer, promise.error = True, answer, error

    def die(self) -> None:
        if not self.dead:
            self.made.close()
        self.dead = True
        for promise, _, _ in self.asked:
            promise.done, promise.error = True, WorkerDied("it died")
        self.asked.clear()


class Inside:
    """Keepers, and who stands by; `keeper` is the one that was asked last."""

    engine = "local"

    def __init__(self) -> None:
        self.keeper: Here | None = None

    def start(self, role: Role, name: str, make: Callable[[], Any]) -> Here:
        return Here(make())

    def call(self, worker: Here, method: str, *args: Any, parts: int = 1) -> list[Promise]:
        assert parts == 1
        promise = Promise()
        if method == "ready":  # it stands by
            promise.done = True
            return [promise]
        self.keeper = worker
        if worker.dead:
            promise.done, promise.error = True, WorkerDied("it is dead")
        else:
            worker.asked.append((promise, method, args))
        return [promise]

    def wait(self, calls: Collection[Promise], timeout_s: float) -> list[Promise]:
        return [call for call in calls if call.done]

    def result(self, call: Promise) -> Any:
        assert call.done
        if call.error is not None:
            raise call.error
        return call.answer

    def kill(self, worker: Here) -> None:
        worker.die()

    def gone(self, worker: Here) -> bool:
        return worker.dead

    def pids(self) -> dict[int, Role]:
        return {}

    def close(self) -> None:
        """Nobody is left."""

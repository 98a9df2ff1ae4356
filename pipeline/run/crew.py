"""What runs work in other processes, whatever engine does it: workers, calls, and waiting."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Literal, Protocol

from pipeline.errors import WitnessError

Role = Literal["reader", "member", "keeper"]


class WorkerDied(WitnessError):  # noqa: N818 - named for what happened
    """The process that was to answer a call is gone; whether the call took effect is unknown."""


Worker = Any
"""An object in a process of its own, which answers calls one after the other: the crew's own."""
Call = Any
"""A promise of an answer, or of a part of it; it may be an argument of another call."""


class Crew(Protocol):
    """Starts workers, sends them calls, kills them.

    No method blocks for longer than it says, whatever state a worker is in. When the process that
    owns the crew ends, however it ends, its workers end too.
    """

    @property
    def engine(self) -> str:
        """`local` or `ray`."""

    def start(self, role: Role, name: str, make: Callable[[], Any]) -> Worker:
        """A worker that is being started; `make` is called in its process, and travels there."""

    def call(self, worker: Worker, method: str, *args: Any, parts: int = 1) -> list[Call]:
        """Calls, one for each of the `parts` of the answer, which is a tuple if they are several.

        Arguments that are calls stand for their answers, which go to the worker directly.
        """

    def wait(self, calls: Collection[Call], timeout_s: float) -> list[Call]:
        """Those that are answered, or whose worker died; at least one unless time ran out."""

    def result(self, call: Call) -> Any:
        """The answer. WorkerDied when there will be none; what the method raised is raised."""

    def kill(self, worker: Worker) -> None:
        """Ends its process at once, even a stopped or hanging one."""

    def gone(self, worker: Worker) -> bool:
        """True when the process of a killed worker has ended: one in the kernel's hands may not."""

    def pids(self) -> dict[int, Role]:
        """The roles of the processes on this machine, by their ids. Any thread may ask."""

    def close(self) -> None:
        """Ends every process of the crew."""

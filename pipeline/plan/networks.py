"""What windows cost a pool member: measured in a real one, on windows of the clip that ships."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.cut import Reader
from pipeline.lane import Lane
from pipeline.predict import PoolMember
from pipeline.records import Failure, Window
from pipeline.run.live.pool import CHECKPOINT_S
from pipeline.run.local_crew import LocalCrew, LocalWorker

CALLS, WARM_CALLS = 8, 2
"""Of each kind, and before those that count."""
STREAMS = 8
"""They take turns, so that a checkpoint holds what is known of as many."""
PAUSE_S = 0.05
"""Between calls, as in life: back to back, each would find all that it needs in the caches."""


@dataclass(frozen=True, slots=True)
class Network:
    """Means in ms of processor time, all that a member does for it included.

    `call_ms` is of a call with one window, `full_ms` of a window of a full call, `journey_ms` of a
    window that no network looks at.
    """

    call_ms: float
    full_ms: float
    journey_ms: float


@dataclass(frozen=True, slots=True)
class Networks:
    """The costs of each lane by name, and of checkpoints: ms for a second of a stream."""

    lanes: dict[str, Network]
    stream_ms: float


class Counting:
    """What tells how much processor time its process has taken."""

    def spent_ms(self) -> float:
        """So far, of all its threads."""
        return time.process_time() * 1000


class CountingMember(Counting, PoolMember):
    """A pool member that tells."""


class IdleMember(Counting):
    """Takes windows as a pool member does, and knows nothing of them."""

    def answer_each(self, lane: str, *parts: Sequence[Window]) -> tuple[Any, ...]:
        """As `PoolMember`'s, in no time."""
        del lane
        return (0.0, *([None for _ in part] for part in parts))


def networks(
    clip: Path, lanes: Sequence[Lane], went_on: Callable[[], None] = lambda: None
) -> Networks:
    """The costs on this machine; `went_on` is called after each lane."""
    windows = windows_of(clip, lanes)
    found = {}
    with LocalCrew() as crew:
        idle = Timed(crew, IdleMember)
        member = Timed(crew, partial(CountingMember, tuple(lanes), 1))
        for lane in lanes:
            there = windows[lane.name]
            found[lane.name] = Network(
                member.window_ms(lane.name, there, 1),
                member.window_ms(lane.name, there, lane.batch),
                idle.window_ms(lane.name, there, 1),
            )
            went_on()
        checkpoint_ms = member.checkpoint_ms()
    return Networks(found, checkpoint_ms / STREAMS / CHECKPOINT_S)


class Timed:
    """A worker of a crew that is called, and asked what it took."""

    def __init__(self, crew: LocalCrew, make: Callable[[], Counting]) -> None:
        self._crew = crew
        self._worker: LocalWorker = crew.start("member", "bench", make)
        self._asking_ms = self._asked_ms()

    def window_ms(self, lane: str, windows: Sequence[Window], size: int) -> float:
        """What a window takes, in calls of so many."""
        calls = [
            [windows[(number * size + at) % len(windows)] for at in range(size)]
            for number in range(WARM_CALLS + CALLS)
        ]
        for call in calls[:WARM_CALLS]:
            self._answer(lane, call)
        with self._counted() as took:
            for call in calls[WARM_CALLS:]:
                self._answer(lane, call)
                time.sleep(PAUSE_S)
        return took[0] / CALLS / size

    def checkpoint_ms(self) -> float:
        """What a checkpoint takes."""
        self._do("checkpoint")
        with self._counted() as took:
            for _ in range(CALLS):
                self._do("checkpoint")
                time.sleep(PAUSE_S)
        return took[0] / CALLS

    @contextmanager
    def _counted(self) -> Iterator[list[float]]:
        took: list[float] = []
        before = self._spent_ms()
        yield took
        took.append(max(0.0, self._spent_ms() - before - self._asking_ms))

    def _asked_ms(self) -> float:
        """What it takes to be asked."""
        first = self._spent_ms()
        return self._spent_ms() - first

    def _spent_ms(self) -> float:
        return float(self._do("spent_ms"))

    def _answer(self, lane: str, windows: Sequence[Window]) -> None:
        seconds, answers = self._crew.call(self._worker, "answer_each", lane, windows, parts=2)
        self._crew.result(seconds)
        told = self._crew.result(answers)
        assert not any(isinstance(answer, Failure) for answer in told), told

    def _do(self, method: str) -> Any:
        [call] = self._crew.call(self._worker, method)
        return self._crew.result(call)


def windows_of(clip: Path, lanes: Sequence[Lane]) -> dict[str, list[Window]]:
    """As many windows of each lane as are measured, of streams that take turns."""
    wanted = {lane.name: CALLS * lane.batch for lane in lanes}
    found: defaultdict[str, list[Window]] = defaultdict(list)
    reader = Reader(str(clip), "bench", lanes)
    for cut in reader.cuts():
        found[cut.lane] += cut.windows
        if all(len(found[name]) >= count for name, count in wanted.items()):
            break
    reader.close()
    return {
        name: [_of(number, w) for number, w in enumerate(there)] for name, there in found.items()
    }


def _of(number: int, window: Window) -> Window:
    """The window as another stream's."""
    return replace(window, mark=replace(window.mark, stream=f"bench-{number % STREAMS}"))

"""What the networks of lanes cost: measured on windows of the clip that ships, with one thread."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.cut import Reader
from pipeline.lane import Lane
from pipeline.predict import PoolMember
from pipeline.records import Failure, Window

CALLS = 7
"""Of each kind; the first is not counted."""


@dataclass(frozen=True, slots=True)
class Network:
    """Medians in ms of processor time: of a call with one window, of a window of a full call."""

    call_ms: float
    full_ms: float


def networks(
    clip: Path, lanes: Sequence[Lane], went_on: Callable[[], None] = lambda: None
) -> dict[str, Network]:
    """The costs of each lane by name; `went_on` is called after each lane."""
    found = {}
    windows = windows_of(clip, lanes)
    for lane in lanes:
        member = PoolMember([lane], threads=1)
        there = windows[lane.name]
        alone = [there[number : number + 1] for number in range(CALLS)]
        full = [
            there[number * lane.batch : (number + 1) * lane.batch]
            for number in range(CALLS, 2 * CALLS)
        ]
        found[lane.name] = Network(
            _call_ms(member, lane.name, alone), _call_ms(member, lane.name, full) / lane.batch
        )
        went_on()
    return found


def windows_of(clip: Path, lanes: Sequence[Lane]) -> dict[str, list[Window]]:
    """As many windows of each lane as are measured, from the clip's beginning, round and round."""
    wanted = {lane.name: 2 * CALLS * lane.batch for lane in lanes}
    found: defaultdict[str, list[Window]] = defaultdict(list)
    reader = Reader(str(clip), "bench", lanes)
    for cut in reader.cuts():
        found[cut.lane] += cut.windows
        if all(len(found[name]) >= count for name, count in wanted.items()):
            break
    reader.close()
    return {
        name: (found[name] * (1 + count // len(found[name])))[:count]
        for name, count in wanted.items()
    }


def _call_ms(member: PoolMember, lane: str, calls: Sequence[Sequence[Window]]) -> float:
    """The median; the first call warms up."""
    took = []
    for windows in calls:
        began = time.thread_time()
        answers = member.predict(lane, windows).answers
        took.append((time.thread_time() - began) * 1000)
        assert not any(isinstance(answer, Failure) for answer in answers), answers
    return statistics.median(took[1:])

"""Too little of the processor for all: every stream gets its share, and nothing piles up."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.live.conftest import Footage
from tests.live.lanes import number_lane
from tests.live.load import quantiles
from tests.live.servers import RtspServer
from tests.live.watching import FULL, Watching, report

LEAST_SHARE = 0.8
# One window more or less is chance, so each stream has to have some.
LEAST_WINDOWS = 25
pytestmark = [pytest.mark.slow, pytest.mark.soak]

STREAMS = 16 if FULL else 6
RUN_S = 120.0 if FULL else 25.0
RATE_HZ = 5.0
# All streams together want one and a half times what one core can do.
COST_S = 1.5 / (STREAMS * RATE_HZ)
MAX_LAG_S = 3.0


def test_half_the_processor_is_shared_fairly(street: Footage, tmp_path: Path) -> None:
    names = [f"s{number:02}" for number in range(STREAMS)]
    lanes = [number_lane(rate_hz=RATE_HZ, cost_s=COST_S)]
    delays: list[float] = []
    queued, late = 0.0, 0.0
    with (
        RtspServer({f"/{name}": {"feed": street.feed} for name in names}) as server,
        Watching(tmp_path, lanes=lanes) as watching,
    ):
        for name in names:
            watching.add(name, server.url(f"/{name}"), max_lag_s=MAX_LAG_S)
        watching.until(watching.plays(*names))
        watching.metrics.written = lambda _, new: delays.extend(new)  # type: ignore[method-assign]
        with half_the_processor(watching):
            # Streams that began first were alone for a while: counted is from here on.
            watching.run_for(3)
            before = {name: analysed(watching, name) for name in names}
            began = time.monotonic()
            while (ran_s := time.monotonic() - began) < RUN_S or (
                ran_s < 4 * RUN_S
                and sum(analysed(watching, name) - before[name] for name in names)
                < STREAMS * LEAST_WINDOWS
            ):
                watching.run_for(1)
                told = watching.metric("witness_queued_windows", lane="numbers")
                queued = max(queued, told or 0.0)
                late = max([late, *(status.late_s for status in watching.supervisor.statuses())])
            waits = quantiles(delays)
            done = {name: analysed(watching, name) - before[name] for name in names}
        watching.end()
    books = {name: watching.of(name).ledger["lanes"]["numbers"] for name in names}
    reasons = {reason for book in books.values() for reason in book["dropped"]}
    share = min(done.values()) / max(done.values())
    report(
        "fair",
        {
            "streams": STREAMS,
            "seconds": round(ran_s, 1),
            "analysed": done,
            "min_by_max": round(share, 3),
            "most_queued": queued,
            "late_s": late,
            "delay_s": waits,
            "dropped": sorted(reasons),
        },
    )
    for name in names:
        watching.of(name).check_books()
    assert reasons, "there was no overload, so nothing was tried"
    assert share >= LEAST_SHARE, done
    assert queued <= STREAMS * watching.in_flight * lanes[0].batch
    # What waited longer than this is given up, and what is under way takes its time.
    assert waits["max"] <= 3 * MAX_LAG_S
    assert late <= MAX_LAG_S + 1


def analysed(watching: Watching, name: str) -> float:
    return watching.metric("witness_analysed_total", stream=name, lane="numbers") or 0.0


@contextmanager
def half_the_processor(watching: Watching) -> Iterator[None]:
    """All processes of the fleet on one core of two: of more, on half of them."""
    cores = sorted(os.sched_getaffinity(0))
    half = cores[: max(1, len(cores) // 2)]
    pids = [
        os.getpid(),
        *(p for role in ("reader", "member", "keeper") for p in watching.pids(role)),
    ]
    for pid in pids:
        set_cores(pid, half)
    try:
        yield
    finally:
        set_cores(os.getpid(), cores)


def set_cores(pid: int, cores: list[int]) -> None:
    for thread in psutil.Process(pid).threads():
        os.sched_setaffinity(thread.id, cores)

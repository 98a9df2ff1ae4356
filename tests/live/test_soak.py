"""Eight streams for an hour, a fault every twenty seconds: nothing grows, and the books close."""

from __future__ import annotations

import os
import random
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from tests.live.conftest import Footage
from tests.live.faults import Unlucky
from tests.live.lanes import number_lane, tone_lane
from tests.live.servers import RtspServer
from tests.live.watching import FULL, Use, Watching, report

MINUTES = float(os.environ.get("WITNESS_SOAK_MINUTES", "60"))
# The short form is the same trial, long enough to see that it runs.
RUN_S = 60 * MINUTES if FULL else 18.0
STREAMS = 8 if FULL else 3
EVERY_S = 20.0 if FULL else 6.0
HURT_S = 6.0 if FULL else 2.0
SEED = 2026
LOG_BYTES_AN_HOUR = 1_000_000

pytestmark = pytest.mark.slow


def test_a_fleet_that_is_never_left_alone(street: Footage, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    names = [f"s{number}" for number in range(STREAMS)]
    series: list[int] = []
    memory: list[int] = []
    with ExitStack() as stack:
        unlucky = {
            name: stack.enter_context(
                Unlucky(RtspServer({"/a": {"feed": street.feed}}), SEED + number)
            )
            for number, name in enumerate(names)
        }
        lanes = [number_lane(rate_hz=2.0), tone_lane()]
        watching = stack.enter_context(Watching(tmp_path, lanes=lanes))
        for name in names:
            watching.add(name, unlucky[name].url("/a"))
        watching.until(watching.plays(*names))
        began = time.time()
        while time.time() - began < RUN_S:
            watching.run_for(EVERY_S - HURT_S)
            series.append(count_series(watching))
            memory.append(anonymous(watching))
            victim = unlucky[chance.choice(names)]
            victim.hurt()
            watching.run_for(HURT_S)
            victim.heal()
        watching.until(watching.plays(*names))
        hours = (time.time() - began) / 3600
        faults = sum(len(one.hurts) for one in unlucky.values())
        watching.end()
    logged = sum(len(told.line) + 10 for told in watching.told)
    lefts = {name: watching.of(name) for name in names}
    third = max(1, len(memory) // 3)
    first, last = max(memory[:third]), max(memory[-third:])
    report(
        "soak",
        {
            "minutes": round(60 * hours, 1),
            "faults": faults,
            "rss_anon_mib": [round(first / 2**20), round(last / 2**20)],
            "series": [min(series), max(series)],
            "log_bytes_a_stream_and_hour": round(logged / STREAMS / hours),
            "gaps": {name: len(left.gaps()) for name, left in lefts.items()},
        },
    )
    for left in lefts.values():
        left.check_books()
    assert last < 1.1 * first
    if FULL:
        # Every kind of trouble has been met in the first third.
        assert max(series[-third:]) <= max(series[:third])
        assert logged / STREAMS / hours < LOG_BYTES_AN_HOUR


def count_series(watching: Watching) -> int:
    text = generate_latest(watching.metrics.registry).decode()
    # The lane that reads numbers off the pictures has a label for each: no network has so many.
    lines = (line for line in text.splitlines() if not line.startswith(("#", "witness_events_")))
    return sum(map(bool, lines))


def anonymous(watching: Watching) -> int:
    pids = [
        os.getpid(),
        *(p for role in ("reader", "member", "keeper") for p in watching.pids(role)),
    ]
    return Use.of(pids).rss_anon_bytes

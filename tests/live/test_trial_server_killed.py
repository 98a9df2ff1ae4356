"""A camera that is killed again and again."""

import os
import random
from pathlib import Path

import pytest

from pipeline.metrics import OUTAGES
from tests.live.conftest import Footage
from tests.live.footage import Clock
from tests.live.outages import Outage, check_outages, until_back
from tests.live.servers import RtspServer
from tests.live.watching import FULL, Use, Watching, report

pytestmark = pytest.mark.slow

KILLS, UP_S, DOWN_S = (20, (15.0, 28.0), (0.3, 15.0)) if FULL else (3, (2.0, 4.0), (0.3, 4.0))
BACK_WITHIN_S = 1.5
NEAR_S = 0.5
BROKE = "witness_stream_outages_total"
GROWTH_BYTES = 8 << 20


def test_a_camera_that_is_killed_comes_back_and_only_the_outages_are_missing(
    tmp_path: Path, street: Footage
) -> None:
    chance = random.Random(4)
    outages, uses, series = [], [], list[int]()
    with (
        RtspServer({"/street": {"feed": street.feed}}) as server,
        Watching(tmp_path) as watching,
    ):
        watching.add("street", server.url("/street"))
        watching.until(watching.plays("street"))
        for _ in range(KILLS):
            watching.run_for(chance.uniform(*UP_S))
            uses.append(_use(watching))
            outages.append(_killed(server, watching, chance.uniform(*DOWN_S)))
            series.append(_series(watching))
        watching.run_for(UP_S[0])
        uses.append(_use(watching))
        broke = [watching.metric(BROKE, stream="street", reason=why) or 0.0 for why in OUTAGES]
        away_s = watching.metric("witness_stream_outage_seconds_total", stream="street") or 0.0
        watching.end()
    assert sum(broke) == KILLS, broke
    down_s, until_seen_s = (
        sum(outage.there - outage.lost for outage in outages),
        sum(outage.back - outage.lost for outage in outages),
    )
    assert down_s - KILLS * NEAR_S < away_s < until_seen_s + KILLS * NEAR_S, outages
    assert len(set(series[KILLS // 2 :])) == 1, series
    clock = Clock(street.clip, server.epoch)
    figures = check_outages(watching.of("street", clock), clock, outages)
    assert figures["back_s_max"] < BACK_WITHIN_S, outages
    early, late = uses[len(uses) // 2], uses[-1]
    grown = {
        "grown_bytes": late.rss_anon_bytes - early.rss_anon_bytes,
        "grown_threads": late.threads - early.threads,
        "grown_descriptors": late.descriptors - early.descriptors,
    }
    report("server_killed", {**figures, **grown})
    assert grown["grown_bytes"] < GROWTH_BYTES, uses
    assert not grown["grown_threads"], uses
    assert not grown["grown_descriptors"], uses


def _series(watching: Watching) -> int:
    """How many there are, but for labels of events: these are numbers without end."""
    lines = watching.metrics.page().splitlines()
    return sum(not line.startswith(("#", "witness_events_")) for line in lines)


def _killed(server: RtspServer, watching: Watching, down_s: float) -> Outage:
    lost = _now(watching)
    server.kill()
    watching.run_for(down_s)
    there = server.restart()
    return Outage(lost, there, until_back(watching, "street"))


def _now(watching: Watching) -> float:
    return watching.until(lambda: True)


def _use(watching: Watching) -> Use:
    """Of what an outage concerns: not of the networks, whose memory breathes by megabytes."""
    roles = ("reader", "keeper")
    return Use.of([os.getpid(), *(pid for role in roles for pid in watching.pids(role))])

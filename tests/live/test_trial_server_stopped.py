"""A camera that hangs: it is there for the network, and silent."""

from pathlib import Path

import pytest

from tests.live.conftest import Footage
from tests.live.footage import Clock
from tests.live.outages import Outage, check_outages, until_back
from tests.live.servers import RtspServer
from tests.live.watching import FULL, Watching, report

pytestmark = pytest.mark.slow

STOPS, STOPPED_S, BETWEEN_S = (10, 15.0, 10.0) if FULL else (2, 7.0, 3.0)
DETECTED_S, TOLD_S, RESUMED_S = 5.0, 6.0, 3.0


def test_a_camera_that_hangs_is_seen_to_and_is_taken_up_again(
    tmp_path: Path, street: Footage
) -> None:
    outages, detected, told = [], [], []
    with (
        RtspServer({"/street": {"feed": street.feed}}) as server,
        Watching(tmp_path) as watching,
    ):
        watching.add("street", server.url("/street"))
        watching.until(watching.plays("street"))
        for _ in range(STOPS):
            watching.run_for(BETWEEN_S)
            assert _up(watching) == 1
            stopped = watching.until(lambda: True)
            server.stop()
            seen = watching.until(lambda: watching.status("street").state != "playing")
            dark = watching.until(lambda: _up(watching) == 0)
            detected.append(seen - stopped)
            told.append(dark - stopped)
            watching.run_for(stopped + STOPPED_S - dark)
            server.cont()
            there = watching.until(lambda: True)
            outages.append(Outage(stopped, there, until_back(watching, "street")))
        watching.run_for(BETWEEN_S)
        watching.end()
    clock = Clock(street.clip, server.epoch)
    figures = check_outages(watching.of("street", clock), clock, outages)
    figures |= {"detected_s_max": round(max(detected), 3), "metric_0_s_max": round(max(told), 3)}
    report("server_stopped", figures)
    assert max(detected) < DETECTED_S, detected
    assert max(told) < TOLD_S, told
    assert figures["back_s_max"] < RESUMED_S, outages


def _up(watching: Watching) -> float | None:
    return watching.metric("witness_stream_up", stream="street")

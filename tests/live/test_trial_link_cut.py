"""A cable that is pulled and put back."""

from pathlib import Path
from typing import Literal

import pytest

from pipeline.media.address import LiveAddress
from tests.live.conftest import Footage
from tests.live.footage import Clock
from tests.live.netns import Network
from tests.live.outages import Outage, check_outages, until_back
from tests.live.servers import RtspServer
from tests.live.watching import FULL, Watching, report

pytestmark = pytest.mark.slow

CUTS, OUT_S, BETWEEN_S = (5, 30.0, 10.0) if FULL else (2, 6.0, 3.0)
BACK_WITHIN_S = 1.5


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_cable_that_is_put_back_is_noticed_and_only_the_outages_are_missing(
    tmp_path: Path, street: Footage, transport: Literal["tcp", "udp"]
) -> None:
    outages = []
    with (
        Network() as net,
        RtspServer(
            # A viewer of its own each: a late one of several waits for the next key frame.
            {"/street": {"feed": street.feed, "shared": False}},
            address=net.camera,
            prefix=net.prefix,
        ) as server,
        Watching(tmp_path) as watching,
    ):
        address = LiveAddress("rtsp", server.url("/street"), transport=transport)
        watching.add("street", address)
        watching.until(watching.plays("street"))
        for _ in range(CUTS):
            watching.run_for(BETWEEN_S)
            with net.unplugged():
                lost = watching.until(lambda: True)
                watching.run_for(OUT_S)
                assert watching.metric("witness_stream_up", stream="street") == 0
            there = watching.until(lambda: True)
            outages.append(Outage(lost, there, until_back(watching, "street")))
        watching.run_for(BETWEEN_S)
        watching.end()
    clock = Clock(street.clip, server.epoch)
    figures = check_outages(watching.of("street", clock), clock, outages)
    report(f"link_cut_{transport}", figures)
    assert figures["back_s_max"] < BACK_WITHIN_S, outages

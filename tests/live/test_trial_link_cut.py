"""A cable that is pulled and put back."""

from pathlib import Path
from typing import Literal

import pytest

from pipeline.media.address import LiveAddress
from tests.live.conftest import Footage
from tests.live.footage import Clock
from tests.live.netns import Network
from tests.live.outages import Outage, check_outages, until_all_back
from tests.live.servers import RtspServer
from tests.live.watching import FULL, Watching, report

pytestmark = pytest.mark.slow

Transport = Literal["tcp", "udp"]
# In full each is tried by itself, otherwise both have one cable.
TOGETHER: list[list[Transport]] = [["tcp"], ["udp"]] if FULL else [["tcp", "udp"]]
CUTS, OUT_S, BETWEEN_S = (5, 30.0, 10.0) if FULL else (2, 6.0, 3.0)
BACK_WITHIN_S = 1.5


@pytest.mark.parametrize("transports", TOGETHER)
def test_a_cable_that_is_put_back_is_noticed_and_only_the_outages_are_missing(
    tmp_path: Path, street: Footage, transports: list[Transport]
) -> None:
    outages: dict[str, list[Outage]] = {transport: [] for transport in transports}
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
        for transport in transports:
            address = LiveAddress("rtsp", server.url("/street"), transport=transport)
            watching.add(transport, address)
        watching.until(watching.plays(*transports))
        for _ in range(CUTS):
            watching.run_for(BETWEEN_S)
            with net.unplugged():
                lost = watching.until(lambda: True)
                watching.run_for(OUT_S)
                for transport in transports:
                    assert watching.metric("witness_stream_up", stream=transport) == 0
            there = watching.until(lambda: True)
            for transport, back in until_all_back(watching, transports).items():
                outages[transport].append(Outage(lost, there, back))
        watching.run_for(BETWEEN_S)
        watching.end()
    clock = Clock(street.clip, server.epoch)
    for transport, those in outages.items():
        figures = check_outages(watching.of(transport, clock), clock, those)
        report(f"link_cut_{transport}", figures)
        assert figures["back_s_max"] < BACK_WITHIN_S, (transport, those)

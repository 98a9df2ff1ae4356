"""A network that loses packets."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import pytest

from pipeline.media.address import LiveAddress
from tests.live.conftest import Footage
from tests.live.footage import Clock
from tests.live.netns import Network
from tests.live.servers import RtspServer
from tests.live.watching import FULL, Left, Watching, report

pytestmark = pytest.mark.slow

Case = tuple[Literal["tcp", "udp"], float]
UDP: list[Case] = [("udp", 0.03), ("udp", 0.10)]
TCP: list[Case] = [("tcp", 0.03), ("tcp", 0.10)]
# In full each is tried by itself, otherwise all beside one another.
TOGETHER = [[one] for one in UDP + TCP] if FULL else [UDP + TCP]
LASTS_S = 120.0 if FULL else 12.0
COUNTED_WITHIN = 0.20


@pytest.mark.parametrize("cases", TOGETHER)
def test_over_udp_what_is_lost_is_counted_and_over_tcp_nothing_is(
    tmp_path: Path, street: Footage, cases: list[Case]
) -> None:
    for (transport, loss), (left, lost) in _watched(tmp_path, street, cases).items():
        if transport == "udp":
            _check_counted(left, lost, loss)
        else:
            _check_nothing_is_lost(left, lost, loss)


def _check_counted(left: Left, lost: int, loss: float) -> None:
    """Fails when it is not counted, or something damaged is looked at."""
    troubles = left.ledger["troubles"]
    counted = troubles["video_missing_packets"] + troubles["audio_missing_packets"]
    seen = left.numbers
    sent = seen[-1].number - seen[0].number + 1
    report(
        f"loss_udp_{loss:g}",
        {
            "packets_lost": lost,
            "packets_counted": counted,
            "frames_sent": sent,
            "frames_read": len(seen),
            "frames_damaged": troubles["video_damaged_frames"],
            "frames_unread": left.unread,
        },
    )
    assert lost > 5
    assert counted == pytest.approx(lost, rel=COUNTED_WITHIN)
    assert left.unread == 0
    assert 0 < len(seen) < sent
    # What was damaged or never came is in no window, and each stretch of it is a gap.
    assert troubles["video_damaged_frames"] > 0.5 * (sent - len(seen))
    assert any("pictures are damaged" in gap["reason"] for gap in left.gaps())


def _check_nothing_is_lost(left: Left, lost: int, loss: float) -> None:
    seen = left.numbers
    report(f"loss_tcp_{loss:g}", {"packets_lost": lost, "frames_read": len(seen)})
    assert lost > 5
    assert left.unread == 0
    assert len(seen) == seen[-1].number - seen[0].number + 1, left.ledger["lanes"]
    assert "video_damaged_frames" not in left.ledger["troubles"]
    assert not left.gaps()


def _watched(tmp_path: Path, street: Footage, cases: list[Case]) -> dict[Case, tuple[Left, int]]:
    """What streams left that were lossy all the time, and how many packets each of them lost."""
    names = {case: f"{case[0]}_{case[1]:g}" for case in cases}
    with ExitStack() as stack:
        networks = {case: stack.enter_context(Network()) for case in cases}
        servers = {
            case: stack.enter_context(
                RtspServer(
                    {"/street": {"feed": street.feed}}, address=net.camera, prefix=net.prefix
                )
            )
            for case, net in networks.items()
        }
        # Room for what comes in a burst, sent again: the network is tried, not the pool.
        watching = stack.enter_context(Watching(tmp_path, in_flight=30))
        for case, server in servers.items():
            address = LiveAddress("rtsp", server.url("/street"), transport=case[0])
            watching.add(names[case], address, max_lag_s=None)
        watching.until(watching.plays(*names.values()))
        watching.run_for(1.0)
        lost = _lost(watching, networks)
        watching.run_for(2.0)
        assert all(watching.status(name).connections == 1 for name in names.values())
        watching.end()
    lefts = {
        case: watching.of(name, Clock(street.clip, servers[case].epoch))
        for case, name in names.items()
    }
    for left in lefts.values():
        left.check()
    return {case: (left, lost[case]) for case, left in lefts.items()}


def _lost(watching: Watching, networks: dict[Case, Network]) -> dict[Case, int]:
    """How many packets each network lost while it works for so long."""
    with ExitStack() as stack:
        counters = {
            case: stack.enter_context(net.loss(case[1], case[0])) for case, net in networks.items()
        }
        watching.run_for(LASTS_S)
        return {case: counter.read()[0] for case, counter in counters.items()}

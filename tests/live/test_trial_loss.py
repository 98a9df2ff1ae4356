"""A network that loses packets."""

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

LOSSES = (0.03, 0.10)
LASTS_S = 120.0 if FULL else 12.0
COUNTED_WITHIN = 0.20


@pytest.mark.parametrize("loss", LOSSES)
def test_over_udp_what_is_lost_is_counted_and_nothing_damaged_is_looked_at(
    tmp_path: Path, street: Footage, loss: float
) -> None:
    left, lost = _watched(tmp_path, street, "udp", loss)
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


@pytest.mark.parametrize("loss", LOSSES)
def test_over_tcp_nothing_is_lost(tmp_path: Path, street: Footage, loss: float) -> None:
    left, lost = _watched(tmp_path, street, "tcp", loss)
    seen = left.numbers
    report(f"loss_tcp_{loss:g}", {"packets_lost": lost, "frames_read": len(seen)})
    assert lost > 5
    assert left.unread == 0
    assert len(seen) == seen[-1].number - seen[0].number + 1
    assert "video_damaged_frames" not in left.ledger["troubles"]
    assert not left.gaps()


def _watched(
    tmp_path: Path, street: Footage, transport: Literal["tcp", "udp"], loss: float
) -> tuple[Left, int]:
    """What a stream left that was lossy all the time, and how many packets it lost."""
    with (
        Network() as net,
        RtspServer(
            {"/street": {"feed": street.feed}}, address=net.camera, prefix=net.prefix
        ) as server,
        Watching(tmp_path) as watching,
    ):
        address = LiveAddress("rtsp", server.url("/street"), transport=transport)
        watching.add("street", address, max_lag_s=None)
        watching.until(watching.plays("street"))
        watching.run_for(1.0)
        with net.loss(loss, transport) as counters:
            watching.run_for(LASTS_S)
            lost, _ = counters.read()
        watching.run_for(2.0)
        assert watching.status("street").connections == 1
        watching.end()
    left = watching.of("street", Clock(street.clip, server.epoch))
    left.check()
    return left, lost

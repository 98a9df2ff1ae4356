"""A network that carries only half of what the camera sends, for a while."""

from pathlib import Path

import pytest

from pipeline.media.address import LiveAddress
from tests.live.conftest import Footage
from tests.live.footage import Clock
from tests.live.netns import Network
from tests.live.outages import decoded
from tests.live.servers import RtspServer
from tests.live.watching import FULL, Watching, report

pytestmark = pytest.mark.slow

SLOW_S = 60.0 if FULL else 12.0
LATE_S, RISES_WITHIN_S = 0.5, 5.0
PROMPT_S, FALLS_WITHIN_S = 1.0, 15.0


def test_a_slow_network_makes_a_stream_late_and_it_catches_up(
    tmp_path: Path, street: Footage
) -> None:
    with (
        Network() as net,
        RtspServer(
            {"/street": {"feed": street.feed}}, address=net.camera, prefix=net.prefix
        ) as server,
        Watching(tmp_path) as watching,
    ):
        address = LiveAddress("rtsp", server.url("/street"), transport="tcp")
        watching.add("street", address)
        watching.until(watching.plays("street"))
        watching.run_for(3.0)
        before_s = _lag_s(watching)
        with net.rate(_bits_per_s(street) / 2):
            slowed = watching.until(lambda: True)
            rose = watching.until(lambda: _lag_s(watching) > LATE_S, RISES_WITHIN_S)
            most_s = _most_lag_s(watching, slowed + SLOW_S - rose)
        healed = watching.until(lambda: True)
        fell = watching.until(lambda: _lag_s(watching) < PROMPT_S, FALLS_WITHIN_S)
        count, since = decoded(watching, "street"), watching.until(lambda: True)
        watching.run_for(3.0)
        rate = (decoded(watching, "street") - count) / (watching.until(lambda: True) - since)
        after_s = _lag_s(watching)
        watching.end()
    left = watching.of("street", Clock(street.clip, server.epoch))
    seen = left.numbers
    figures = {
        "lag_before_s": round(before_s, 3),
        "rose_s": round(rose - slowed, 3),
        "lag_most_s": round(most_s, 3),
        "fell_s": round(fell - healed, 3),
        "lag_after_s": round(after_s, 3),
        "rate_after_hz": round(rate, 1),
        "frames_sent": seen[-1].number - seen[0].number + 1,
        "frames_read": len(seen),
        "packets_jumped": left.ledger["troubles"].get("video_jumped_packets", 0),
    }
    report("slow_link", figures)
    left.check()
    assert before_s < LATE_S
    assert most_s > PROMPT_S, figures
    assert after_s < PROMPT_S, figures
    # Faster is well: what was still on its way is being caught up.
    assert rate > 0.8 * street.clip.rate


def _bits_per_s(footage: Footage) -> float:
    return 8 * footage.feed.stat().st_size / footage.clip.seconds


def _lag_s(watching: Watching) -> float:
    return watching.metric("witness_stream_lag_seconds", stream="street") or 0.0


def _most_lag_s(watching: Watching, seconds: float) -> float:
    """The greatest lag while it works for so long."""
    end = watching.until(lambda: True) + seconds
    lags = [_lag_s(watching)]

    def over() -> bool:
        lags.append(_lag_s(watching))
        return watching.until(lambda: True) > end

    watching.until(over, seconds + 5)
    return max(lags)

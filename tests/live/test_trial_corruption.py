"""A wire that turns bytes."""

from pathlib import Path

import pytest

from tests.live.conftest import Footage
from tests.live.footage import Clock
from tests.live.outages import unix, until_back
from tests.live.proxy import Proxy
from tests.live.servers import RtspServer
from tests.live.watching import FULL, Watching, report

pytestmark = pytest.mark.slow

TIMES, CORRUPT_S, CLEAN_S = (10, 15.0, 8.0) if FULL else (2, 6.0, 5.0)
SHARE = 0.05
SYNCED_WITHIN_S = 3.0
# Time stamps that were turned may move media time ahead by ten seconds each, seldom believed.
AHEAD_S = 60.0


def test_turned_bytes_end_no_stream_and_are_counted_by_kind(
    tmp_path: Path, street: Footage
) -> None:
    healed, synced = [], []
    with (
        RtspServer({"/street": {"feed": street.feed}}) as server,
        Proxy(server.address, server.port, seed=8) as proxy,
        Watching(tmp_path) as watching,
    ):
        watching.add("street", f"rtsp://127.0.0.1:{proxy.port}/street")
        began = watching.until(watching.plays("street"))
        for _ in range(TIMES):
            watching.run_for(CLEAN_S)
            with proxy.failing(flip=SHARE):
                watching.run_for(CORRUPT_S)
            healed.append(watching.until(lambda: True))
            # A second's frames, not one that was on its way.
            synced.append(until_back(watching, "street", frames=street.clip.rate))
        watching.run_for(CLEAN_S)
        lasted = watching.until(lambda: True) - began
        status, kinds = watching.status("street"), _kinds(watching)
        watching.end()
    left = watching.of("street", Clock(street.clip, server.epoch))
    troubles, seen = left.ledger["troubles"], left.numbers
    took = [time - begun for begun, time in zip(healed, synced, strict=True)]
    figures = {
        "bytes_turned": proxy.counted.flipped,
        "synced_s_max": round(max(took), 3),
        "media_ahead_s": round(left.summary["media_s"] - lasted, 3),
        "connections": status.connections,
        "readers_lost": status.restarts,
        "frames_read": len(seen),
        "frames_unread": left.unread,
        "troubles": troubles,
    }
    report("corruption", figures)
    left.check_books()
    assert status.state == "playing"
    assert proxy.counted.flipped > 20
    assert max(took) < SYNCED_WITHIN_S, took
    assert left.summary["media_s"] - lasted < AHEAD_S
    assert sum(count for kind, count in troubles.items() if "corrupt" in kind) > 0, troubles
    assert kinds <= set(troubles)
    assert any("corrupt" in kind for kind in kinds)
    # From then on every frame is read again, one after the other.
    late = [one.number for one in seen if unix(one.utc) > synced[-1]]
    assert len(late) > (CLEAN_S - 2) * street.clip.rate
    assert late == list(range(late[0], late[-1] + 1))


def _kinds(watching: Watching) -> set[str]:
    """The kinds of errors that the metrics tell of."""
    return {
        sample.labels["kind"]
        for metric in watching.metrics.registry.collect()
        for sample in metric.samples
        if metric.name == "witness_decode_troubles" and sample.value
    }

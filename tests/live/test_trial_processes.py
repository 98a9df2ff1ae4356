"""Readers, members and keepers are killed and stopped: replaced each time, and nothing twice."""

from __future__ import annotations

import random
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from tests.live.conftest import Footage
from tests.live.footage import Clock
from tests.live.servers import RtspServer
from tests.live.watching import FULL, Left, Use, Watching, report

pytestmark = pytest.mark.slow

ROLES = ("reader", "member", "keeper")
ROUNDS = 7 if FULL else 1
WITHIN_S = {signal.SIGKILL: 3.0, signal.SIGSTOP: 15.0}
# What a process held when it was hit is lost with it: up to a second of what was under way.
HELD_S = 1.0


@dataclass(frozen=True)
class Fault:
    """A process of this role was hit, and when frames of afterwards were written (Unix seconds)."""

    role: str
    at: float
    back: float

    @property
    def dead_s(self) -> float:
        return self.back - self.at


@pytest.mark.parametrize("hit", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_process_is_replaced(street: Footage, tmp_path: Path, hit: signal.Signals) -> None:
    chance = random.Random(11)
    faults: list[Fault] = []
    with (
        RtspServer({"/a": {"feed": street.feed}}) as server,
        Watching(tmp_path) as watching,
    ):
        clock = Clock(street.clip, server.epoch)
        watching.add("yard", server.url("/a"))
        watching.until(watching.shows_after("yard", clock, time.time()))
        watching.run_for(2)
        before = _use(watching)
        for role in ROLES * ROUNDS:
            at = time.time()
            watching.signal(role, hit)
            back = watching.until(watching.shows_after("yard", clock, at))
            faults.append(Fault(role, at, back))
            watching.run_for(2 + chance.random())
        after = _use(watching)
        told = _lost(watching, hit)
        watching.end()
    assert told == dict.fromkeys(ROLES, float(ROUNDS))
    left = watching.of("yard", clock)
    left.check()
    figures = {role: [round(f.dead_s, 2) for f in faults if f.role == role] for role in ROLES}
    lost = sum(b.number - a.number - 1 for a, b in left.holes)
    counted = _counted(left, street.clip.rate)
    report(
        f"processes_{hit.name}",
        {
            "dead_s": figures,
            "lost_frames": lost,
            "counted_frames": counted,
            "use": [asdict(before), asdict(after)],
        },
    )
    assert max(fault.dead_s for fault in faults) < WITHIN_S[hit], figures
    assert not left.unread
    _check_loss(left, clock, faults)
    # What a gap holds is seconds times the rate: each may be off by a frame or two at either end.
    assert abs(lost - counted) <= 3 * len(faults), (lost, counted)
    assert after.descriptors <= before.descriptors + 6
    assert after.rss_anon_bytes < 1.2 * before.rss_anon_bytes


def _lost(watching: Watching, hit: signal.Signals) -> dict[str, float | None]:
    """How many of each role the metrics say were lost, for the reason that it was."""
    killed = hit == signal.SIGKILL
    why = "died" if killed else "hung"
    reader = "reader_lost" if killed else "reader_hung"
    return {
        "reader": watching.metric("witness_readers_lost_total", stream="yard", reason=reader),
        "member": watching.metric("witness_pool_members_lost_total", reason=why),
        "keeper": watching.metric("witness_keepers_lost_total", reason=why),
    }


def _check_loss(left: Left, clock: Clock, faults: list[Fault]) -> None:
    """Fails when frames are missing that were not due while something was dead."""
    for a, b in left.holes:
        first, last = clock.time_of(a.number + 1), clock.time_of(b.number - 1)
        near = [f for f in faults if f.at - HELD_S < first and last < f.back + HELD_S]
        assert near, (a, b, first, last, faults)


def _counted(left: Left, rate: int) -> float:
    """Frames that the books say were not analysed: given up, and in gaps."""
    given_up = sum(left.ledger["lanes"]["numbers"]["dropped"].values())
    gaps = sum(gap["end_s"] - gap["start_s"] for gap in left.gaps())
    return float(given_up + gaps * rate)


def _use(watching: Watching) -> Use:
    return Use.of([pid for role in ROLES for pid in watching.pids(role)])

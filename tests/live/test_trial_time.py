"""A source's clock jumps, wraps and begins anew, and sound stays with the pictures through it."""

from __future__ import annotations

import random
import statistics
import time
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.media.address import LiveAddress
from tests.live.conftest import Footage
from tests.live.footage import Clock
from tests.live.senders import Sender, free_port
from tests.live.servers import RtspServer
from tests.live.watching import FULL, Left, Watching, report

pytestmark = pytest.mark.slow

WRAP_S = 2**33 / 90_000
JUMP_AT_S = 8.0
# The first key frame has the time 20 s.
WRAPPING = [(0.0, WRAP_S - 20 - JUMP_AT_S)]
CASES = {
    "an_hour_ahead": [(JUMP_AT_S, 3600.0)],
    "ten_seconds_back": [(JUMP_AT_S, -10.0)],
    "wrap": WRAPPING,
    "begins_anew": [(0.0, 500.0), (JUMP_AT_S, -20.0)],
}
SHORT = list(zip(CASES, ["tcp", "udp"] * 2, strict=True))
LONG = [(case, transport) for case in CASES for transport in ("tcp", "udp")]
# In full each is tried by itself, otherwise all beside one another.
TOGETHER = [[one] for one in LONG] if FULL else [SHORT]


@pytest.mark.parametrize("cases", TOGETHER)
def test_a_clock_that_jumps(street: Footage, tmp_path: Path, cases: list[tuple[str, str]]) -> None:
    epoch = time.time()
    urls = {case: f"{transport}://127.0.0.1:{free_port()}" for case, transport in cases}
    senders = {
        case: Sender(street.path, url, "mpegts", epoch=epoch, shifts=CASES[case])
        for case, url in urls.items()
    }
    with ExitStack() as stack:
        watching = stack.enter_context(Watching(tmp_path))
        for case, sender in senders.items():
            watching.beside(partial(stack.enter_context, sender))
            watching.add(case, LiveAddress("mpegts", urls[case]))
        watching.until(watching.plays(*senders))
        ready_at = max(sender.ready_at for sender in senders.values())
        watching.run_for(max(0.0, ready_at + JUMP_AT_S + 4 - time.time()))
        watching.end()
    clock = Clock(street.clip, epoch)
    for case, transport in cases:
        check(watching.of(case, clock), clock, senders[case].ready_at + JUMP_AT_S, case, transport)


def check(left: Left, clock: Clock, jumped: float, case: str, transport: str) -> None:
    """Fails unless all was read before and after, and only what was lost is told of as a gap."""
    seen = left.numbers
    gaps = [gap for gap in left.gaps() if gap["end_s"] > gap["start_s"]]
    off = utc_errors(left, clock)
    report(
        f"time_{case}_{transport}",
        {"frames": len(seen), "gaps": gaps, "utc_off_s": [round(min(off), 3), round(max(off), 3)]},
    )
    left.check()
    assert clock.time_of(seen[0].number) < jumped - 0.5
    assert clock.time_of(seen[-1].number) > jumped + 2.5
    assert all(b.number > a.number for a, b in pairwise(seen))
    assert max(one.end_s - one.start_s for one in seen) <= 2 / clock.clip.rate + 1e-6
    # Nothing was lost on the way; a muxer that begins anew may cost its last frame.
    assert sum(b.number - a.number - 1 for a, b in left.holes) <= 2
    assert bool(gaps) == (case != "wrap"), (case, gaps)
    assert all("clock jumped" in gap["reason"] or "damaged" in gap["reason"] for gap in gaps)
    assert max(off) - min(off) < 1.0


def utc_errors(left: Left, clock: Clock) -> list[float]:
    """How much later than it was due each frame is said to have been, in seconds."""
    return [
        datetime.fromisoformat(seen.utc).timestamp() - clock.time_of(seen.number)
        for seen in left.numbers
    ]


def test_sound_stays_with_the_pictures(street: Footage, tmp_path: Path) -> None:
    chance = random.Random(5)
    with RtspServer({"/a": {"feed": street.feed}}) as server, Watching(tmp_path) as watching:
        clock = Clock(street.clip, server.epoch)
        watching.add("yard", server.url("/a"))
        watching.until(watching.plays("yard"))
        for _ in range(10 if FULL else 3):
            watching.run_for((30 if FULL else 3) + chance.random())
            server.kill()
            watching.run_for(0.5 + chance.random())
            server.start()
            watching.until(watching.shows_after("yard", clock, server.ready_at))
        watching.run_for(30 if FULL else 4)
        watching.end()
    left = watching.of("yard", clock)
    left.check()
    parts = offsets(left, clock)
    spread = [round(1000 * (max(part) - min(part)), 1) for part in parts]
    told = [round(1000 * statistics.median(part), 1) for part in parts]
    report("time_sound", {"sound_minus_pictures_ms": told, "spread_ms": spread})
    assert len(parts) == (11 if FULL else 4)
    assert all(abs(offset) < 0.080 for part in parts for offset in part), told
    # Within a connection nothing drifts: sound and pictures have one clock.
    assert max(spread) < 30


def offsets(left: Left, clock: Clock) -> list[list[float]]:
    """How much later than its picture each tone is in media time, by connection, in seconds."""
    pictures = {seen.number: seen.start_s for seen in left.numbers}
    rate, parts, before = clock.clip.rate, [], -1
    ends = [gap["end_s"] for gap in left.gaps()]
    for second, start in left.tones:
        near = min(left.numbers, key=lambda seen: abs(seen.start_s - start))
        due = clock.unwrap_second(second, clock.time_of(near.number))
        part = sum(end <= start for end in ends)
        if part != before:
            parts.append([])
            before = part
        if due * rate in pictures:
            parts[-1].append(start - pictures[due * rate])
    return [part for part in parts if part]

"""Outages that a trial made, against what was written of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.live.footage import Clock
from tests.live.watching import Left, Seen, Watching

TOLD_WITHIN_S = 1.0
SHORTEST_S = 1.2
"""A sender that is back sooner tells again all that was lost: its newest key frame is older."""


@dataclass(frozen=True)
class Outage:
    """When a sender went, when it was there again, and when a picture came again (Unix seconds)."""

    lost: float
    there: float
    back: float

    @property
    def back_s(self) -> float:
        """How long the sender was there before a picture came."""
        return self.back - self.there


def decoded(watching: Watching, name: str) -> int:
    """How many pictures of a stream were decoded so far."""
    return watching.status(name).decoded.get("video", 0)


def until_back(watching: Watching, name: str, within_s: float = 30.0) -> float:
    """Lets it work until another picture comes; when that was (Unix seconds)."""
    before = decoded(watching, name)
    return watching.until(lambda: decoded(watching, name) > before, within_s)


def counted_on(left: Left, clock: Clock) -> list[Seen]:
    """The frames, their numbers counted on through the clip's rounds, in the order of writing."""
    return [
        Seen(clock.unwrap(seen.number, unix(seen.utc)), seen.start_s, seen.end_s, seen.utc)
        for seen in left.numbers
    ]


def check_outages(left: Left, clock: Clock, outages: Sequence[Outage]) -> dict[str, Any]:
    """Figures; fails unless nothing came twice, nothing is missing but in outages, each a gap.

    Gaps have to be where the outages were, to a second, and media time has to go on by so much as
    the numbers do, to a second: a connection begins with a key frame that is up to a second old.
    """
    assert left.ledger["closed"], left.ledger
    seen = counted_on(left, clock)
    assert all(a.number < b.number and a.start_s < b.start_s for a, b in pairwise(seen))
    holes = [(a, b) for a, b in pairwise(seen) if b.number != a.number + 1]
    gaps = {medium: _long_gaps(left, medium) for medium in ("video", "audio")}
    sure = [outage for outage in outages if outage.there - outage.lost > SHORTEST_S]
    for medium, told in gaps.items():
        assert len(sure) <= len(told) <= len(outages), (medium, told, outages)
    off = [_off(gap, outages) for told in gaps.values() for gap in told]
    assert max(off, default=0.0) <= TOLD_WITHIN_S, (off, gaps, outages)
    assert len(holes) == len(gaps["video"]), (holes, gaps)
    strayed = [_strayed(a, b, clock) for a, b in holes]
    assert max(strayed, default=0.0) <= TOLD_WITHIN_S, (strayed, holes)
    return {
        "outages": len(outages),
        "gaps": {medium: len(told) for medium, told in gaps.items()},
        "frames_read": len(seen),
        "frames_unread": left.unread,
        "frames_twice": 0,
        "frames_missing_outside_outages": 0,
        "back_s_max": round(max((one.back_s for one in outages), default=0.0), 3),
        "gap_off_s_max": round(max(off, default=0.0), 3),
        "time_strayed_s_max": round(max(strayed, default=0.0), 4),
    }


def unix(utc: str) -> float:
    """Unix seconds of a time as it is written."""
    return datetime.fromisoformat(utc).timestamp()


def _long_gaps(left: Left, medium: str) -> list[dict[str, Any]]:
    return [gap for gap in left.gaps(medium) if gap["end_s"] > gap["start_s"]]


def _off(gap: dict[str, Any], outages: Sequence[Outage]) -> float:
    """How far a gap is from the outage that it is of, in seconds, at its worse end."""
    start, end = unix(gap["start_utc"]), unix(gap["end_utc"])
    return min(max(abs(start - one.lost), abs(end - one.there)) for one in outages)


def _strayed(a: Seen, b: Seen, clock: Clock) -> float:
    """By how much media time and the number of frames differ over a hole."""
    return abs((b.start_s - a.start_s) - (b.number - a.number) / clock.clip.rate)

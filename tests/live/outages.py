"""Outages that a trial made, against what was written of them."""

from __future__ import annotations

import time
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


@dataclass(frozen=True)
class Truth:
    """Missing frames: when the first one and the next one after them were due, when that came."""

    first: float
    next_due: float
    next_came: float


def decoded(watching: Watching, name: str) -> int:
    """How many pictures of a stream were decoded so far."""
    return watching.status(name).decoded.get("video", 0)


def until_back(watching: Watching, name: str, *, frames: int = 1, within_s: float = 30.0) -> float:
    """Lets it work until so many more pictures came; when that was (Unix seconds)."""
    return until_all_back(watching, [name], frames=frames, within_s=within_s)[name]


def until_all_back(
    watching: Watching, names: Sequence[str], *, frames: int = 1, within_s: float = 30.0
) -> dict[str, float]:
    """The same of several streams: when so many more pictures of each came (Unix seconds)."""
    enough = {name: decoded(watching, name) + frames for name in names}
    back: dict[str, float] = {}

    def there() -> bool:
        for name in names:
            if name not in back and decoded(watching, name) >= enough[name]:
                back[name] = time.time()
        return len(back) == len(enough)

    watching.until(there, within_s)
    return back


def check_outages(left: Left, clock: Clock, outages: Sequence[Outage]) -> dict[str, Any]:
    """Figures; fails unless nothing came twice, nothing is missing but in outages, each a gap.

    `left` has to have the same clock. Frames may be missing where the outages were, gaps have to be
    where frames are missing, and media time has to go on by so much as the numbers do, all to a
    second: a connection begins with a key frame that is up to a second old.
    """
    left.check()
    seen, holes = left.numbers, left.holes
    assert all(a.number < b.number for a, b in pairwise(seen))
    gaps = {medium: _long_gaps(left, medium) for medium in ("video", "audio")}
    sure = [outage for outage in outages if outage.there - outage.lost > SHORTEST_S]
    for medium, told in gaps.items():
        assert len(sure) <= len(told) <= len(outages), (medium, told, outages)
    assert len(holes) == len(gaps["video"]), (holes, gaps)
    truths = [
        _truth_of(clock.time_of(a.number + 1), clock.time_of(b.number), outages, clock.clip.gop_s)
        for a, b in holes
    ]
    off = [_off(gap, truths) for told in gaps.values() for gap in told]
    assert max(off, default=0.0) <= TOLD_WITHIN_S, (off, gaps, truths)
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


def _truth_of(first: float, next_one: float, outages: Sequence[Outage], gop_s: float) -> Truth:
    """The missing frames and their outage; fails when they are a second or more off any outage.

    The sender begins anew with its newest key frame, or the network when it is heard again.
    """

    def outside(one: Outage) -> float:
        return max(abs(first - one.lost), one.there - gop_s - next_one, next_one - one.back)

    nearest = min(outages, key=outside, default=None)
    assert nearest is not None, (first, next_one)
    assert outside(nearest) <= TOLD_WITHIN_S, (first, next_one, nearest)
    return Truth(first, next_one, max(next_one, nearest.back))


def _off(gap: dict[str, Any], truths: Sequence[Truth]) -> float:
    """How far a gap is from the missing frames that it is of, in seconds, at its worse end.

    The first picture after an outage is a little old: a gap may end when it was due, or when it
    came.
    """
    start, end = unix(gap["start_utc"]), unix(gap["end_utc"])
    return min(max(abs(start - t.first), t.next_due - end, end - t.next_came) for t in truths)


def _strayed(a: Seen, b: Seen, clock: Clock) -> float:
    """By how much media time and the number of frames differ over a hole."""
    return abs((b.start_s - a.start_s) - (b.number - a.number) / clock.clip.rate)

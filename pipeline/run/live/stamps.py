"""Media time as wall time (UTC), in what a live stream's keeper writes."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from pipeline.media.lateness import Tie
from pipeline.records import Event


def when(event: Event, tie: Tie | None) -> dict[str, str | None]:
    """When an event was, for its row; None where nothing ties media time to a clock."""
    told = span(event.span.start, event.span.end, tie)
    return {"start_utc": told["start_utc"], "end_utc": told["end_utc"]}


def span(
    start: Fraction, end: Fraction, tie: Tie | None, start_tie: Tie | None = None
) -> dict[str, Any]:
    """A span for a row, in media time and UTC; its start may have a tie of its own."""
    start_tie = start_tie or tie
    return {
        "start_s": round(float(start), 6),
        "end_s": round(float(end), 6),
        "start_utc": utc(start_tie.wall_of(start)) if start_tie else None,
        "end_utc": utc(tie.wall_of(end)) if tie else None,
    }


def at(tie: Tie) -> dict[str, Any]:
    """A tie for a row."""
    return {"media_s": round(float(tie.media), 6), "utc": utc(tie.wall_s)}


def utc(wall_s: float) -> str:
    """A Unix time as people read it, to the millisecond."""
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds")

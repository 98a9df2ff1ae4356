"""An event as a row of JSON or Parquet, and back: exact times beside the readable ones."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from pipeline.records import Event, InstanceMask, Rle, Span

ROWS_VERSION = 1
"""Which form rows have; docs/reference/events.md says what may change within one."""
ROWS_METADATA = {"witness_rows_version": str(ROWS_VERSION)}
"""In the schema of every Parquet file."""


def row_from(event: Event) -> dict[str, Any]:
    """One flat row: decimals for people, `start` and `end` as exact fractions of a second."""
    instance = event.instance
    return {
        "stream": event.stream,
        "lane": event.lane,
        "start_s": round(float(event.span.start), 6),
        "end_s": round(float(event.span.end), 6),
        "start": str(event.span.start),
        "end": str(event.span.end),
        "label": event.label,
        "score": round(event.score, 4),
        "track_id": instance.track_id if instance else None,
        "box": [round(edge, 2) for edge in instance.box] if instance else None,
        "mask": (
            {"size": [instance.rle.height, instance.rle.width], "counts": instance.rle.counts}
            if instance
            else None
        ),
        "model": event.model,
        "model_sha256": event.model_sha256,
    }


def event_from(row: dict[str, Any]) -> Event:
    """The event of a row; the exact fractions win over the decimals."""
    instance = None
    if row["mask"] is not None:
        height, width = row["mask"]["size"]
        x1, y1, x2, y2 = row["box"]
        instance = InstanceMask(
            label=row["label"],
            score=row["score"],
            box=(x1, y1, x2, y2),
            rle=Rle(height, width, row["mask"]["counts"]),
            track_id=row["track_id"],
        )
    return Event(
        stream=row["stream"],
        lane=row["lane"],
        span=Span(Fraction(row["start"]), Fraction(row["end"])),
        label=row["label"],
        score=row["score"],
        model=row["model"],
        model_sha256=row["model_sha256"],
        instance=instance,
    )

"""The Parquet tables of a unit of offline work: events, ledger, failures.

The same content gives the same bytes: no time of writing, fixed compression and row groups.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.ledger import Ledger
from pipeline.media.gops import GopRow
from pipeline.sinks.parquet import SCHEMA as EVENTS_SCHEMA
from pipeline.sinks.parquet import ParquetSink as EventsSink
from pipeline.sinks.rows import ROWS_METADATA

__all__ = [
    "EVENTS_SCHEMA",
    "FAILURES_SCHEMA",
    "GOPS_SCHEMA",
    "LEDGER_SCHEMA",
    "EventsSink",
    "FailureRow",
    "failures_bytes",
    "gops_bytes",
    "ledger_bytes",
]

_COUNTS = pa.map_(pa.string(), pa.int64())
LEDGER_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("medium", pa.string()),
        ("lane", pa.string()),
        ("unit", pa.string()),
        ("decoded", pa.int64()),
        ("offered", pa.int64()),
        ("analysed", pa.int64()),
        ("not_sampled", pa.int64()),
        ("gated", pa.int64()),
        ("dropped", _COUNTS),
        ("failed", _COUNTS),
        ("gated_s", pa.float64()),
        ("media_s", pa.float64()),
        ("troubles", _COUNTS),
        (
            "gaps",
            pa.list_(
                pa.struct(
                    [("start_s", pa.float64()), ("end_s", pa.float64()), ("reason", pa.string())]
                )
            ),
        ),
    ]
)
FAILURES_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("segment", pa.int32()),
        ("kind", pa.string()),
        ("reason", pa.string()),
        ("position_s", pa.float64()),
        ("partial", pa.bool_()),
    ]
)


GOPS_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("fate", pa.string()),
        ("reason", pa.string()),
        ("gops", pa.int64()),
        ("frames", pa.int64()),
        ("decoded", pa.int64()),
        ("score", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class FailureRow:
    """What went wrong with a source, or with a segment of it.

    `kind` is a word to group by, `reason` a sentence; `position_s` is how far it was read, in
    seconds of media time. `partial` says that what was found before is among the events.
    """

    source: str
    kind: str
    reason: str
    segment: int | None = None
    position_s: float | None = None
    partial: bool = False


def ledger_bytes(source: str, ledger: Ledger, media_s: float) -> bytes:
    """The ledger's file: a row for each lane, and one without a lane for a medium that has none."""
    return _bytes(_ledger_rows(source, ledger, media_s), LEDGER_SCHEMA)


def failures_bytes(failures: Iterable[FailureRow]) -> bytes:
    """The file of failures, in the order given."""
    return _bytes([asdict(failure) for failure in failures], FAILURES_SCHEMA)


def gops_bytes(source: str, scan: Iterable[GopRow]) -> bytes:
    """The file that says of every group of pictures why it was decoded, or was not."""
    rows = [
        {
            "source": source,
            "start_s": round(float(row.span.start), 6),
            "end_s": round(float(row.span.end), 6),
            "fate": row.fate,
            "reason": row.reason,
            "gops": row.gops,
            "frames": row.frames,
            "decoded": row.decoded,
            "score": round(row.score, 3),
        }
        for row in scan
    ]
    return _bytes(rows, GOPS_SCHEMA)


def _ledger_rows(source: str, ledger: Ledger, media_s: float) -> list[dict[str, Any]]:
    alone = {"source": source, "media_s": round(media_s, 6)}
    rows = []
    for name, book in sorted(ledger.lanes.items()):
        told = book.to_json() | {
            "lane": name,
            "dropped": sorted(book.dropped.items()),
            "failed": sorted(book.failed.items()),
        }
        rows.append(alone | told | _of_medium(ledger, book.medium))
    laneless = set(ledger.decoded) - {book.medium for book in ledger.lanes.values()}
    for medium in sorted(laneless):
        rows.append(alone | {"medium": medium} | _of_medium(ledger, medium))
    return rows


def _of_medium(ledger: Ledger, medium: str) -> dict[str, Any]:
    return {
        "decoded": ledger.decoded[medium],
        "troubles": sorted(
            (kind, count)
            for kind, count in ledger.troubles.items()
            if kind.startswith((f"{medium}_", "container_"))
        ),
        "gaps": [gap for gap in ledger.gaps if gap["medium"] == medium],
    }


def _bytes(rows: list[dict[str, Any]], schema: pa.Schema) -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(rows, schema=schema.with_metadata(ROWS_METADATA))
    pq.write_table(table, sink, compression="zstd", row_group_size=65_536)
    return bytes(sink.getvalue())

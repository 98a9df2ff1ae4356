"""Events as Parquet: the same rows as the JSON lines, typed, for people with a data frame."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.records import Event
from pipeline.sinks.rows import ROWS_METADATA, row_from
from pipeline.whole import WholeFile

ROWS_IN_MEMORY = 1024

SCHEMA = pa.schema(
    [
        ("stream", pa.string()),
        ("lane", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("start", pa.string()),
        ("end", pa.string()),
        ("label", pa.string()),
        ("score", pa.float32()),
        ("track_id", pa.int64()),
        ("box", pa.list_(pa.float32())),
        ("mask", pa.struct([("size", pa.list_(pa.int32())), ("counts", pa.string())])),
        ("model", pa.string()),
        ("model_sha256", pa.string()),
    ]
)


class ParquetSink:
    """Writes `events.parquet` in row groups of bounded size; it appears with the other outputs."""

    def __init__(self, file: WholeFile, note: dict[str, Any] | None = None) -> None:
        self._file = file
        metadata = {**ROWS_METADATA, "witness": json.dumps(note or {})}
        self._writer = pq.ParquetWriter(
            self._file, SCHEMA.with_metadata(metadata), compression="zstd"
        )
        self._rows: list[dict[str, Any]] = []

    def write(self, event: Event) -> None:
        """Adds one row."""
        self._rows.append(row_from(event))
        if len(self._rows) >= ROWS_IN_MEMORY:
            self._flush()

    def close(self) -> None:
        """Every row is on the disk, and the footer that tells where."""
        self._flush()
        self._writer.close()
        self._file.seal()

    def abandon(self) -> None:
        """Removes what was written."""
        self._file.abandon()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=SCHEMA))
            self._rows = []

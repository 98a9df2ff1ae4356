"""A journal's finished hours as Parquet, beside the JSON lines."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.sinks.parquet import ROWS_IN_MEMORY, SCHEMA
from pipeline.sinks.rows import ROWS_METADATA
from pipeline.whole import whole_file

LIVE_SCHEMA = pa.schema(
    [
        *SCHEMA,
        ("start_utc", pa.string()),
        ("end_utc", pa.string()),
        ("warming_up", pa.bool_()),
    ],
    ROWS_METADATA,
)


def write_finished_hours(folder: Path, growing: str | None, most: int | None = None) -> list[Path]:
    """The Parquet files that were written: one for each hour that has none and does not grow.

    `growing` is the name of the file that is still written to; a row is a line of the journal. At
    most so many of them, oldest first: a busy hour takes more than a second. Raises OutputError.
    """
    written = []
    for lines in sorted(folder.glob("*.jsonl")):
        table = lines.with_suffix(".parquet")
        if lines.name == growing or (table.exists() and not _older(table, lines)):
            continue
        with whole_file(table) as part:
            _convert(lines, part)
        written.append(table)
        if len(written) == most:
            break
    return written


def _older(table: Path, lines: Path) -> bool:
    return table.stat().st_mtime_ns < lines.stat().st_mtime_ns


def _convert(lines: Path, table: Path) -> None:
    with (
        lines.open(encoding="utf-8") as rows,
        pq.ParquetWriter(table, LIVE_SCHEMA, compression="zstd") as writer,
    ):
        held = []
        for row in rows:
            held.append(json.loads(row))
            if len(held) == ROWS_IN_MEMORY:
                writer.write_table(pa.Table.from_pylist(held, schema=LIVE_SCHEMA))
                held = []
        writer.write_table(pa.Table.from_pylist(held, schema=LIVE_SCHEMA))

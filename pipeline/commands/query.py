"""`witness query`: SQL over the results of `witness batch`."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.batch.query import Answer, Results
from pipeline.batch.stores import open_store
from pipeline.errors import ConfigError, OutputError, SourceError
from pipeline.whole import whole_file

GOOD, USAGE, FAILED = 0, 2, 3
MOST_SHOWN = 1000
EXAMPLES = (
    "select label, count(*) n from events group by label order by n desc",
    "select source, start_s, label from events where lane = 'sound' order by source, start_s",
    "select source, reason from failures",
)


def query_command(results: str, sql: str | None, form: str | None, out: Path | None) -> int:
    """The exit code: 0, or 2 for SQL or options that are wrong, or 3 where RESULTS or OUT fail."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        form = _form(form, out)
        asked = Results(open_store(results))
        if sql is None:
            _list_views(asked, results)
            return GOOD
        answer = asked.ask(sql)
        if answer is None:
            message = "the query gives no table; `select ...` does"
            raise ConfigError(message)
        _written(answer, form, out)
    except (ConfigError, OutputError, SourceError) as error:
        console.print(f"[red]error[/] {escape(str(error))}")
        return USAGE if isinstance(error, ConfigError) else FAILED
    except BrokenPipeError:  # `| head` has seen enough; Python would complain at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return GOOD


def _form(form: str | None, out: Path | None) -> str:
    """The format asked for, or that of the file's ending, or a table."""
    endings = {".csv": "csv", ".json": "json", ".parquet": "parquet"}
    if form is None and out is not None and out.suffix not in endings:
        message = f"{out}: say --format csv, json or parquet, or give it such an ending"
        raise ConfigError(message)
    chosen = form or (endings[out.suffix] if out else "table")
    if out is None and chosen == "parquet":
        message = "--format parquet is not for reading: say --out FILE with it"
        raise ConfigError(message)
    if out is not None and chosen == "table":
        message = f"{out}: a table is for the terminal; say --format csv, json or parquet"
        raise ConfigError(message)
    return chosen


def _written(answer: Answer, form: str, out: Path | None) -> None:
    if form == "table":
        _show(answer)
        return
    write: Callable[[Answer, IO[bytes]], None]
    write = {"csv": _as_csv, "json": _as_json, "parquet": _as_parquet}[form]
    if out is None:
        write(answer, sys.stdout.buffer)
        return
    with whole_file(out) as part, part.open("wb") as file:
        write(answer, file)


def _show(answer: Answer) -> None:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for field in answer.schema:
        right = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        right = right or pa.types.is_decimal(field.type)
        table.add_column(escape(field.name), justify="right" if right else "left", overflow="fold")
    rows = answer.rows()
    for row in islice(rows, MOST_SHOWN):
        table.add_row(*(escape(_shown(value)) for value in row.values()))
    console = Console(highlight=False)
    console.print(table)
    if next(rows, None) is not None:
        console.print(f"the first {MOST_SHOWN:,} rows; --format csv or --out FILE gives them all")


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value, default=str) if isinstance(value, dict | list) else str(value)


def _as_csv(answer: Answer, file: IO[bytes]) -> None:
    text = TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    try:
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(answer.schema.names)
        for row in answer.rows():
            rows.writerow(
                json.dumps(value, default=str) if isinstance(value, dict | list) else value
                for value in row.values()
            )
    finally:
        text.detach()


def _as_json(answer: Answer, file: IO[bytes]) -> None:
    """An array with a row a line, as it comes."""
    comma = b"[\n"
    for row in answer.rows():
        file.write(comma + json.dumps(row, default=_plain).encode())
        comma = b",\n"
    file.write(b"\n]\n" if comma != b"[\n" else b"[]\n")
    file.flush()


def _plain(value: Any) -> Any:
    from decimal import Decimal

    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)


def _as_parquet(answer: Answer, file: IO[bytes]) -> None:
    with pq.ParquetWriter(file, answer.schema, compression="zstd") as writer:
        for batch in answer.batches:
            writer.write_batch(batch)


def _list_views(asked: Results, results: str) -> None:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("view")
    table.add_column("rows", justify="right")
    table.add_column("columns", overflow="fold")
    for view in asked.views():
        columns = ", ".join(f"{name} {kind.lower()}" for name, kind in view.columns)
        if view.name.startswith("all_"):
            columns = f"those of {view.name.removeprefix('all_')}, and key, config_hash, newest"
        table.add_row(view.name, f"{view.rows:,}", escape(columns))
    console = Console(highlight=False, soft_wrap=False)
    console.print(table)
    console.print("The views all_... hold what earlier jobs found, too. Ask for example:")
    for example in EXAMPLES:
        console.print(f'  witness query {escape(results)} "{escape(example)}"', soft_wrap=True)

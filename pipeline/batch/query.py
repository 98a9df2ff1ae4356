"""SQL over the results of a job: DuckDB views of the Parquet files of what is done.

DuckDB is given Arrow data sets and locked before it sees a question: it can open no file, write
none, and load no extension. So a question cannot change the results, wherever they lie.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from itertools import compress
from operator import and_
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from pipeline.batch.features import FEATURES_SCHEMA
from pipeline.batch.store import Store
from pipeline.batch.tables import (
    EVENTS_SCHEMA,
    FAILURES_SCHEMA,
    GOPS_SCHEMA,
    LEDGER_SCHEMA,
)
from pipeline.errors import ConfigError, OutputError
from pipeline.redaction import redact

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation
    from pyarrow.fs import FileSystem

JOB, UNITS = "job.json", "units"
TABLES = {
    "events": EVENTS_SCHEMA,
    "ledger": LEDGER_SCHEMA,
    "failures": FAILURES_SCHEMA,
    "gops": GOPS_SCHEMA,
    "features": FEATURES_SCHEMA,
}
_UNREAD = "reading the stream registered as "
READ_AT_ONCE, ROWS_AT_ONCE = 16, 4096
_TEXT = pa.string()
_FIRST = [("source", _TEXT), ("day", _TEXT)]
_LAST = [("key", _TEXT), ("config_hash", _TEXT), ("newest", pa.bool_())]
UNITS_SCHEMA = pa.schema(
    [
        *_FIRST,
        ("state", _TEXT),
        ("media_s", pa.float64()),
        ("events", pa.int64()),
        ("error", _TEXT),
        ("size_bytes", pa.int64()),
        ("version", _TEXT),
        ("address", _TEXT),
    ]
)


@dataclass(frozen=True, slots=True)
class View:
    """A table that can be asked: its columns with their types, and how many rows it has."""

    name: str
    columns: tuple[tuple[str, str], ...]
    rows: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gives: its columns, and its rows as they come, once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Row by row, as plain values; maps as dictionaries."""
        for batch in self.batches:
            yield from batch.to_pylist(maps_as_pydicts="lossy")


class Results:
    """The results in a store, ready to be asked.

    `events`, `ledger`, `failures` and `units` hold what the newest job finished of each video as
    it is now; `all_events` and so on everything that was ever finished, with `key`, `config_hash`
    and `newest` to tell it apart. Raises ConfigError when no job was ever started there.
    """

    def __init__(self, store: Store) -> None:
        import duckdb

        self._store = store
        self._units = sorted(committed_units(store), key=lambda unit: str(unit["key"]))
        _mark_newest(store, self._units)
        self._connection: DuckDBPyConnection = duckdb.connect(":memory:")
        marked = [(_mark(unit), unit["files"]) for unit in self._units]
        for name, schema in TABLES.items():
            self._add(name, _dataset(store, marked, name, schema))
        self._add("units", _units_table(self._units))
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def _add(self, name: str, everything: ds.Dataset) -> None:
        self._connection.register(f"all_{name}", everything)
        without = ", ".join(column for column, _ in _LAST)
        self._connection.execute(
            f"CREATE VIEW {name} AS SELECT * EXCLUDE ({without}) FROM all_{name} WHERE newest"
        )

    def ask(self, sql: str) -> Answer | None:
        """The answer; None where the SQL asks nothing.

        ConfigError for bad SQL, and OutputError when a table cannot be read, now or on the way.
        """
        import duckdb

        try:
            asked: DuckDBPyRelation | None = self._connection.sql(sql)
            reader = None if asked is None else asked.to_arrow_reader(ROWS_AT_ONCE)
        except (duckdb.Error, OSError) as error:
            raise self._failed(error) from None
        return None if reader is None else Answer(reader.schema, self._batches(reader))

    def _batches(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        import duckdb

        try:
            yield from reader
        except (duckdb.Error, OSError) as error:
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> ConfigError | OutputError:
        text = str(error)
        _, unread, why = text.partition(_UNREAD)
        if unread:
            place = self._store.location()
            return OutputError(f"{place}: a table cannot be read: {why.partition(': ')[2]}")
        return ConfigError(told(text))

    def views(self) -> Iterator[View]:
        """Everything that can be asked, as it is asked most."""
        rows = {table: self._counted(table) for table in TABLES}
        rows["units"] = [1] * len(self._units)
        newest = [bool(unit["newest"]) for unit in self._units]
        for name, counts in rows.items():
            yield View(name, self._columns(name), sum(compress(counts, newest)))
        for name, counts in rows.items():
            yield View(f"all_{name}", self._columns(f"all_{name}"), sum(counts))

    def _columns(self, name: str) -> tuple[tuple[str, str], ...]:
        types = self._connection.sql(f"DESCRIBE {name}").fetchall()
        return tuple((str(row[0]), str(row[1])) for row in types)

    def _counted(self, table: str) -> list[int]:
        """The rows of each unit, by the ends of its files, which are not kept in memory."""
        files, above = _opened_by(self._store)

        def count(unit: dict[str, Any]) -> int:
            names = [name for name in unit["files"] if name.startswith(f"{table}/")]
            return sum(pq.read_metadata(above + name, filesystem=files).num_rows for name in names)

        with ThreadPoolExecutor(READ_AT_ONCE) as pool:
            return list(pool.map(count, self._units))


def told(text: str) -> str:
    """What DuckDB says, without the names of its errors."""
    kind, colon, rest = text.strip().partition(" Error: ")
    if kind == "Permission":
        return "a query sees the results alone: it can open and write no files, nor load extensions"
    return redact(rest if colon else text)


def committed_units(store: Store) -> list[dict[str, Any]]:
    """What the commit files of all finished units say, of every job."""

    def read(name: str) -> bytes:
        try:
            return store.read(name)
        except OutputError:
            if store.exists(name):
                raise
            return b""  # a job that runs has just replaced it

    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        return [json.loads(told) for told in pool.map(read, store.names(UNITS)) if told]


def _mark_newest(store: Store, units: list[dict[str, Any]]) -> None:
    """Notes in each unit whether it is of the newest job, and of its video as it is now."""
    if not store.exists(JOB):
        message = (
            f"{store.location()}: no results of `witness batch` lie there ({JOB} is missing);"
            " give the folder or bucket that was its --out"
        )
        raise ConfigError(message)
    config_hash = json.loads(store.read(JOB))["config_hash"]
    versions: dict[str, list[dict[str, Any]]] = {}
    for unit in units:
        unit["newest"] = False
        if unit["config_hash"] == config_hash:
            versions.setdefault(unit["source"], []).append(unit)

    def committed_s(unit: dict[str, Any]) -> float:
        return store.written_s(f"{UNITS}/{unit['key']}.json")

    for them in versions.values():
        (them[0] if len(them) == 1 else max(them, key=committed_s))["newest"] = True


def _opened_by(store: Store) -> tuple[FileSystem, str]:
    """What opens a store's files for Arrow, and what goes before their names."""
    from pyarrow.fs import FSSpecHandler, LocalFileSystem, PyFileSystem

    system, above = store.arrow()
    return (LocalFileSystem() if system is None else PyFileSystem(FSSpecHandler(system))), above


def _mark(unit: dict[str, Any]) -> ds.Expression:
    """What a unit says of itself, as columns that all rows of its files share."""
    same = [ds.field(column) == _told(unit, column) for column, _ in (*_FIRST, *_LAST)]
    return reduce(and_, same)


def _dataset(
    store: Store, marked: Iterable[tuple[ds.Expression, list[str]]], table: str, schema: pa.Schema
) -> ds.Dataset:
    """The units' files of one table, with their marks for columns."""
    files, above = _opened_by(store)
    form = ds.ParquetFileFormat()
    fragments = [
        form.make_fragment(above + name, files, mark)
        for mark, names in marked
        for name in names
        if name.startswith(f"{table}/")
    ]
    within = [field for field in schema if field.name not in ("source", "stream")]
    return ds.FileSystemDataset(fragments, pa.schema([*_FIRST, *within, *_LAST]), form, files)


def _units_table(units: Iterable[dict[str, Any]]) -> ds.Dataset:
    schema = pa.schema([*UNITS_SCHEMA, *_LAST])
    rows = [{name: _told(unit, name) for name in schema.names} for unit in units]
    return ds.dataset(pa.Table.from_pylist(rows, schema=schema))


def _told(unit: dict[str, Any], column: str) -> Any:
    if column == "address":
        return redact(unit["address"])
    return unit.get(column, "unknown" if column == "day" else None)

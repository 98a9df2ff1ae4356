"""Lists and manifests: text with an address a line, CSV and Parquet with a column of addresses."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath
from typing import IO, Any

from pipeline.batch.naming import SAFE
from pipeline.errors import ConfigError, SourceError
from pipeline.media.bucket import BucketFile, is_bucket
from pipeline.redaction import redact

TEXT_ENDINGS, TABLE_ENDINGS = frozenset({".txt", ".lst"}), frozenset({".csv", ".parquet"})
ADDRESS_COLUMNS = ("address", "path", "url")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]+://")
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of a list: what opens it and how it is written; "" for what is not told."""

    address: str
    written: str
    source: str = ""
    day: str = ""


def is_list(address: str) -> bool:
    """True for an address that, by its ending or its `@`, is a list of videos."""
    return address.startswith("@") or _ending(address) in TEXT_ENDINGS | TABLE_ENDINGS


def check_list(address: str) -> None:
    """Nothing, or ConfigError as `path:line` for the first thing that is wrong in a list."""
    sources: set[int] = set()
    for where, listed in _lines(address.removeprefix("@")):
        if listed.source and not SAFE.fullmatch(listed.source):
            message = (
                f"{where}: source {redact(listed.source)!r} cannot be a name in the results; use"
                " letters, digits, `-`, `_` and `.`, at most 200"
            )
            raise ConfigError(message)
        if listed.source and hash(listed.source) in sources:
            message = f"{where}: another row has the source {listed.source!r} already"
            raise ConfigError(message)
        sources.add(hash(listed.source))
        if listed.day and not _is_day(listed.day):
            message = f"{where}: day {listed.day!r} is no date; write it as 2026-11-01"
            raise ConfigError(message)


def listed_in(address: str) -> Iterator[Listed]:
    """The videos of a list that was checked."""
    for _, listed in _lines(address.removeprefix("@")):
        yield listed


def _lines(address: str) -> Iterator[tuple[str, Listed]]:
    """Each video of a list, after where it stands."""
    reader = {".csv": _csv, ".parquet": _parquet}.get(_ending(address), _text)
    try:
        with _opened(address) as file:
            yield from reader(address, file)
    except UnicodeDecodeError as error:
        message = f"{redact(address)}: not UTF-8 text ({error.reason}); save it as UTF-8"
        raise ConfigError(message) from None
    except (OSError, SourceError) as error:
        if isinstance(error, ConfigError):
            raise
        what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        message = f"{redact(address)}: the list cannot be read: {redact(what)}"
        raise ConfigError(message) from None


def _opened(address: str) -> IO[bytes]:
    if is_bucket(address):
        return io.BufferedReader(BucketFile(address))
    return Path(address).open("rb")


def _text(address: str, file: IO[bytes]) -> Iterator[tuple[str, Listed]]:
    with io.TextIOWrapper(file, encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            written = line.strip()
            if written and not written.startswith("#"):
                yield f"{redact(address)}:{number}", Listed(_joined(address, written), written)


def _csv(address: str, file: IO[bytes]) -> Iterator[tuple[str, Listed]]:
    with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines, strict=True)
        try:
            column = _address_column(rows.fieldnames or (), f"{redact(address)}:1")
            for row in rows:
                where = f"{redact(address)}:{rows.line_num}"
                if None in row or None in row.values():
                    message = f"{where}: the row has not as many fields as the first line has names"
                    raise ConfigError(message)
                yield where, _listed(address, row, column, where)
        except csv.Error as error:
            message = f"{redact(address)}:{rows.line_num}: not CSV: {error}"
            raise ConfigError(message) from None


def _parquet(address: str, file: IO[bytes]) -> Iterator[tuple[str, Listed]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file)
    except pa.ArrowInvalid as error:
        message = f"{redact(address)}: not Parquet: {error}"
        raise ConfigError(message) from None
    names = table.schema_arrow.names
    column = _address_column(names, f"{redact(address)}:1")
    wanted = [name for name in (column, "source", "day") if name in names]
    number = 0
    for batch in table.iter_batches(_ROWS_AT_ONCE, columns=wanted):
        for row in batch.to_pylist():
            number += 1
            where = f"{redact(address)}:{number}"
            yield where, _listed(address, row, column, where)


def _address_column(names: Sequence[str], where: str) -> str:
    for column in ADDRESS_COLUMNS:
        if column in names:
            return column
    found = ", ".join(names) or "none"
    message = f"{where}: no column `address` (nor `path`, nor `url`); the columns are: {found}"
    raise ConfigError(message)


def _listed(address: str, row: dict[str, Any], column: str, where: str) -> Listed:
    written = str(row[column] or "").strip()
    if not written:
        message = f"{where}: the row has no {column}"
        raise ConfigError(message)
    source, day = (str(row.get(name) or "").strip() for name in ("source", "day"))
    return Listed(_joined(address, written), written, source, day)


def _joined(address: str, written: str) -> str:
    """A relative address is meant from where the list lies."""
    if _SCHEME.match(written) or written.startswith(("/", "file:")):
        return written
    if is_bucket(address):
        return f"{address.rpartition('/')[0]}/{written}"
    return str(Path(address).absolute().parent / written)


def _ending(address: str) -> str:
    return PurePosixPath(address).suffix.lower()


def _is_day(day: str) -> bool:
    try:
        return date.fromisoformat(day).isoformat() == day
    except ValueError:
        return False

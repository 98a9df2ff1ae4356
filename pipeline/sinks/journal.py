"""What a stream without end leaves behind: JSON lines that grow, one file for each hour."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

from pipeline.errors import OutputError
from pipeline.whole import output_error

HELD_RECORDS = 20_000
"""So many records wait for a disk that takes nothing; then the oldest are given up."""
TRY_AGAIN_S = 2.0
"""So often such a disk is tried: each time with all that waits."""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far a journal was written: its newest file, None if it has none, and that one's size.

    `later` are files of hours that lie ahead, from before somebody set the clock back.
    """

    file: str | None
    size: int
    later: frozenset[str] = frozenset()


class NotOnDiskError(OutputError):
    """The disk did not take what was written since the last `sync`: it was taken back."""


class Journal:
    """Appends records to `FOLDER/2026-11-22T10.jsonl`, named for the hour (UTC) of writing.

    A record is a line and is written whole: half a line that a power cut left at the end is
    removed when the journal is opened again. OutputError when the folder cannot be written.
    """

    def __init__(self, folder: Path, since: Bookmark | None = None) -> None:
        self._folder = folder
        self._file: FileIO | None = None
        self._name: str | None = None
        self._size = self._certain = 0
        self._unsure = self._torn = False
        self._later: frozenset[str] = frozenset()
        if since is not None:
            self._back_to(since)
        newest = max(folder.glob("*.jsonl"), default=None)
        self._before = Bookmark(None, 0)
        if newest is not None:
            self._before = Bookmark(newest.name, newest.stat().st_size)

    @property
    def bookmark(self) -> Bookmark:
        """Where it ends now."""
        return Bookmark(self._name, self._size, self._later) if self._name else self._before

    def write(self, records: Sequence[Mapping[str, Any]], now: datetime | None = None) -> None:
        """Appends the records, in one piece."""
        if not records:
            return
        name = f"{(now or datetime.now(UTC)):%Y-%m-%dT%H}.jsonl"
        lines = [
            json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records
        ]
        data = ("\n".join(lines) + "\n").encode()
        try:
            if self._torn:
                self._cut()
            if name != self._name:
                self._turn_to(name)
            assert self._file is not None
            written = self._file.write(data)
            if written != len(data):
                raise OSError(28, "No space left on device")
        except NotOnDiskError:
            raise
        except OSError as error:
            self._take_back()
            raise output_error(self._folder / name, error) from error
        self._size += len(data)
        self._unsure = True

    def sync(self) -> None:
        """Returns when all that was written is on the disk; NotOnDiskError when it is not.

        A disk that failed once says nothing of that when it is asked again.
        """
        if self._file is None or not self._unsure:
            return
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            self._size, self._unsure = self._certain, False
            self._take_back()
            told = output_error(self._folder / str(self._name), error)
            raise NotOnDiskError(str(told)) from error
        self._certain, self._unsure = self._size, False

    def close(self) -> None:
        """All is on the disk, and the file is closed."""
        self.sync()
        if self._file is not None:
            self._file.close()
            self._file = self._name = None

    def _turn_to(self, name: str) -> None:
        before = self.bookmark
        self.close()
        self._before = before  # holds should the next file not open
        path = self._folder / name
        self._folder.mkdir(parents=True, exist_ok=True)
        _end_at_line(path)
        self._file = FileIO(str(path), "a")
        self._name, self._size = name, path.stat().st_size
        self._certain = self._size
        names = (other.name for other in self._folder.glob("*.jsonl"))
        self._later = frozenset(other for other in names if other > name)

    def _take_back(self) -> None:
        """Removes what a failed write left of a record, now or before the next one."""
        self._torn = True
        with suppress(OSError):
            self._cut()

    def _cut(self) -> None:
        if self._file is not None:
            self._file.truncate(self._size)
        self._torn = False

    def _back_to(self, since: Bookmark) -> None:
        """Forgets what was written after the bookmark: it is going to be written again."""
        for path in self._folder.glob("*.jsonl"):
            if path.name not in since.later and (since.file is None or path.name > since.file):
                path.unlink()
        if since.file is None:
            return
        path = self._folder / since.file
        if path.exists() and path.stat().st_size > since.size:
            os.truncate(path, since.size)


class HeldJournal:
    """A journal whose records wait in memory while the disk takes nothing.

    `since` is where it is to go on: the disk may be away when that is asked for, too.
    """

    def __init__(self, folder: Path, since: Bookmark | None) -> None:
        self.held: list[dict[str, Any]] = []
        self.given_up = 0
        self.problem = ""
        self._folder = folder
        self._since = since
        self._journal: Journal | None = None
        self._unsure: list[dict[str, Any]] = []
        self._try_at = 0.0
        self.flush()

    @property
    def bookmark(self) -> Bookmark | None:
        """Where it ends now, or is to go on; None before that could be seen."""
        return self._journal.bookmark if self._journal else self._since

    def write(self, records: Sequence[dict[str, Any]]) -> None:
        """Writes these records and those that wait; `problem` says why not, or nothing."""
        self.held += records
        if self.problem and time.monotonic() < self._try_at:
            self._hold()
        else:
            self.flush()

    def flush(self) -> None:
        """Tries to write what waits, at once."""
        try:
            self._opened().write(self.held)
        except OSError as error:
            self._failed(error)
            return
        self._unsure += self.held
        self.held, self.problem = [], ""

    def sync(self) -> None:
        """Puts what was written on the disk; what cannot be put there waits again."""
        if self._journal is None:
            return
        try:
            self._journal.sync()
        except OSError as error:
            self._failed(error)
        else:
            self._unsure = []

    def close(self) -> None:
        """Lets go of the file."""
        if self._journal is not None:
            with suppress(OSError):
                self._journal.close()

    def _opened(self) -> Journal:
        if self._journal is None:
            self._journal = Journal(self._folder, self._since)
        return self._journal

    def _failed(self, error: OSError) -> None:
        if isinstance(error, NotOnDiskError):
            self.held, self._unsure = self._unsure + self.held, []
        self.problem = str(output_error(self._folder, error))
        self._try_at = time.monotonic() + TRY_AGAIN_S
        self._hold()

    def _hold(self) -> None:
        self.given_up += max(0, len(self.held) - HELD_RECORDS)
        del self.held[:-HELD_RECORDS]


def _end_at_line(path: Path) -> None:
    """Cuts off what stands after the last end of a line."""
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(path, whole)

"""Files that appear whole or not at all: the one place for write-aside-and-rename."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.errors import OutputError, WitnessError


def part_of(path: Path) -> Path:
    """Where a file is written until it is whole; the ending stays, muxers look at it."""
    return path.with_name(f".{path.stem}.part{path.suffix}")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to, renamed to `path` when the block ends and removed when it raises."""
    part = part_of(path)
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield part
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.replace(path)
        except WitnessError:  # a source that is missing, say: an OSError too, but not of this file
            raise
        except OSError as error:
            raise output_error(path, error) from error
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def output_error(path: Path, error: OSError) -> OutputError:
    """The same failure, told for the person who chose the folder."""
    if isinstance(error, OutputError):
        return error
    what = {
        errno.ENOSPC: "the disk is full; free some space or choose another folder with --out",
        errno.EDQUOT: "the disk quota is used up; choose another folder with --out",
        errno.EACCES: "no permission to write there; choose another folder with --out",
        errno.EPERM: "no permission to write there; choose another folder with --out",
        errno.EROFS: "the file system is read-only; choose another folder with --out",
        errno.ENOTDIR: "a part of the path is a file, not a folder; choose another --out",
        errno.EEXIST: "a part of the path is a file, not a folder; choose another --out",
    }.get(error.errno or 0, error.strerror or str(error))
    return OutputError(f"{path}: cannot be written: {what}")


class WholeFile:
    """A binary file to write to for a long time; it becomes `path` on `finish`, or never.

    Like a Python file as far as pyarrow wants one. `close` does nothing on purpose: garbage
    collection may call it, and must not publish half a file.
    """

    closed = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._part = part_of(path).open("wb")
        except OSError as error:
            raise output_error(path, error) from error

    def write(self, data: Any) -> int:
        """Bytes taken; OutputError when the disk is full, say. Ignored once abandoned."""
        if self._part.closed:
            return len(data)
        try:
            taken = self._part.write(data)
        except OSError as error:
            raise output_error(self._path, error) from error
        self._size += taken
        return taken

    def tell(self) -> int:
        """Bytes written so far."""
        return self._size

    def flush(self) -> None:
        """Does nothing: only a whole file is of use to anybody."""

    def close(self) -> None:
        """Does nothing; see the class."""

    def finish(self) -> None:
        """Renames the file to its own name, once its bytes are on the disk."""
        try:
            self._part.flush()
            os.fsync(self._part.fileno())
            self._part.close()
            part_of(self._path).replace(self._path)
        except OSError as error:
            self.abandon()
            raise output_error(self._path, error) from error

    def abandon(self) -> None:
        """Removes what was written."""
        with suppress(OSError):
            self._part.close()
        with suppress(OSError):
            part_of(self._path).unlink(missing_ok=True)

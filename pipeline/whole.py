"""Files that appear whole or not at all, alone or as a set: the one place for write-and-rename."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
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
    """A binary file of a `WholeSet` to write to for a long time, hidden until the set appears.

    Like a Python file as far as pyarrow wants one. `close` does nothing on purpose: garbage
    collection may call it, and half a file must not count as whole.
    """

    closed = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._size = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._part = part_of(path).open("wb")
        except OSError as error:
            raise output_error(path, error) from error

    def write(self, data: Any) -> int:
        """Bytes taken; OutputError when the disk is full, say. Ignored once sealed or abandoned."""
        if self._part.closed:
            return len(data)
        try:
            taken = self._part.write(data)
        except OSError as error:
            raise output_error(self.path, error) from error
        self._size += taken
        return taken

    def tell(self) -> int:
        """Bytes written so far."""
        return self._size

    def flush(self) -> None:
        """Does nothing: only a whole file is of use to anybody."""

    def close(self) -> None:
        """Does nothing; see the class."""

    def seal(self) -> None:
        """Puts every byte on the disk, where a full one is noticed at last; takes no more."""
        if self._part.closed:
            return
        try:
            self._part.flush()
            os.fsync(self._part.fileno())
            self._part.close()
        except OSError as error:
            raise output_error(self.path, error) from error

    def abandon(self) -> None:
        """Removes what was written."""
        with suppress(OSError):
            self._part.close()
        with suppress(OSError):
            part_of(self.path).unlink(missing_ok=True)


class WholeSet:
    """Files of one folder that appear together or not at all.

    Until then an earlier set stays in its place. Only a machine that stops between two renames
    can leave a folder in which neither is whole; the hidden files then still hold both.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[WholeFile] = []

    def file(self, name: str) -> WholeFile:
        """A new file of the set; OutputError when it cannot be made."""
        self._files.append(WholeFile(self._folder / name))
        return self._files[-1]

    def finish(self, outdated: Iterable[str] = ()) -> None:
        """Every file under its own name, and no file of an earlier set that is in `outdated`.

        OutputError when that cannot be: then nothing of this set stays, and all of the earlier.
        """
        try:
            for file in self._files:
                file.seal()
            self._appear({self._folder / name for name in outdated})
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Removes what was written."""
        for file in self._files:
            file.abandon()

    def _appear(self, outdated: set[Path]) -> None:
        mine = [file.path for file in self._files]
        moves = [(path, _aside(path)) for path in sorted(outdated.union(mine)) if path.is_file()]
        moves += [(part_of(path), path) for path in mine]
        moved: list[tuple[Path, Path]] = []
        try:
            for here, there in moves:
                try:
                    here.replace(there)
                except OSError as error:
                    raise output_error(there, error) from error
                moved.append((here, there))
        except BaseException:
            for here, there in reversed(moved):
                with suppress(OSError):
                    there.replace(here)
            raise
        for path in outdated.union(mine):
            with suppress(OSError):
                _aside(path).unlink(missing_ok=True)


def _aside(path: Path) -> Path:
    """Where a file of an earlier set waits until it is certain that nobody wants it back."""
    return path.with_name(f".{path.stem}.old{path.suffix}")

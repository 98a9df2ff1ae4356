"""Files that appear whole or not at all, alone or as a set: the one place for write-and-rename."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from pipeline.errors import OutputError, WitnessError

_OWN_PART = re.compile(r"\..+\.part-[0-9a-f]{12}(\..*)?")
UNLOCKED_AGE_S = 3600.0
"""A part that was not written to for so long has no writer, where locks cannot tell."""


def part_of(path: Path, writer: str = "") -> Path:
    """Where a file is written until it is whole; the ending stays, muxers look at it."""
    return path.with_name(f".{path.stem}.part{writer}{path.suffix}")


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
        errno.EIO: "the disk fails (EIO); look at the system's log, or choose another --out",
        errno.ENAMETOOLONG: "the name is too long for this file system; choose a shorter --out",
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
        self.part = part_of(path)
        self._size = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._part = self.part.open("wb")
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
            self.part.unlink(missing_ok=True)


class LoneFile(WholeFile):
    """A binary file that appears by itself, and that several processes may write at once.

    Each has a part of its own, whose lock says that it is still written; the last that appears
    stays. What appeared is there after a power cut too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._size = 0
        try:
            make_folders(path.parent)
            while True:
                self.part = part_of(path, f"-{token_hex(6)}")
                self._part = self.part.open("xb")
                with suppress(OSError):  # not every file system has locks
                    fcntl.flock(self._part, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(self._part.fileno()).st_nlink:
                    break
                self._part.close()  # swept away before it was locked
        except OSError as error:
            raise output_error(path, error) from error

    def seal(self) -> None:
        """Puts every byte on the disk; the lock stays until the file appears."""
        if self._part.closed:
            return
        try:
            self._part.flush()
            os.fsync(self._part.fileno())
        except OSError as error:
            raise output_error(self.path, error) from error

    def appear(self) -> None:
        """The file under its own name, in the place of an earlier one."""
        self.seal()
        try:
            self.part.replace(self.path)
            sync_folder(self.path.parent)
            self._part.close()
        except OSError as error:
            raise output_error(self.path, error) from error

    def appear_first(self) -> bool:
        """True when the file now has its name; False, and it is gone, when another one has it."""
        self.seal()
        try:
            os.link(self.part, self.path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
                message = f"{self.path}: its file system knows no hard links; choose another --out"
                raise OutputError(message) from error
            raise output_error(self.path, error) from error
        else:
            sync_folder(self.path.parent)
            return True
        finally:
            self.abandon()


def make_folders(folder: Path) -> None:
    """Makes a folder and those above it, so that they are there after a power cut too."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Puts the names in a folder on the disk: without it a renamed file may be lost again."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep_parts(folder: Path) -> int:
    """How many parts of lone files, in the folder and below, were removed for want of a writer."""
    swept = 0
    for place, _, names in os.walk(folder):
        for name in names:
            if _OWN_PART.fullmatch(name) and _abandoned(Path(place) / name):
                swept += 1
    return swept


def _abandoned(part: Path) -> bool:
    """True when nobody wrote the part any more, and it is gone."""
    try:
        with part.open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            except OSError:
                if time.time() - os.fstat(file.fileno()).st_mtime < UNLOCKED_AGE_S:
                    return False
            part.unlink()
    except OSError:
        return False
    return True


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

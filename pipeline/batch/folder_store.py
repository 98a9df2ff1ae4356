"""Results in a folder of this machine, or of a disk that several machines share."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.batch.store import Store, checked
from pipeline.errors import OutputError
from pipeline.whole import LoneFile, WholeFile, output_error, sweep_parts, sync_folder


class FolderStore(Store):
    """Files are written beside their place, put on the disk, renamed, and their folder synced."""

    def __init__(self, address: str) -> None:
        self._root = Path(re.sub(r"^file:(//)?", "", address)).absolute()
        self.address = str(self._root)

    def exists(self, name: str) -> bool:
        """Whether the whole file is there."""
        return self._path(name).is_file()

    def names(self, folder: str = "") -> Iterator[str]:
        """The names of all whole files in a folder and below, in no certain order."""
        above = f"{checked(folder)}/" if folder else ""
        try:
            entries = os.scandir(self._path(folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise self._unreadable(folder, error) from error
        with entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    yield from self.names(above + entry.name)
                else:
                    yield above + entry.name

    def read(self, name: str) -> bytes:
        """What the file holds; OutputError also when it is not there."""
        try:
            return self._path(name).read_bytes()
        except OSError as error:
            raise self._unreadable(name, error) from error

    def create(self, name: str, data: bytes) -> bool:
        """True when the file is now there with this content; False when there was one already."""
        path = self._path(name)
        if path.exists():
            return False
        file = LoneFile(path)
        try:
            file.write(data)
            return file.appear_first()
        finally:
            file.abandon()

    @contextmanager
    def whole(self, name: str) -> Iterator[WholeFile]:
        """A file to write to for a long time; it appears when the block ends without an error."""
        file = LoneFile(self._path(name))
        try:
            yield file
            file.appear()
        finally:
            file.abandon()

    def written_s(self, name: str) -> float:
        """When the file appeared, in seconds since 1970."""
        try:
            return self._path(name).stat().st_mtime
        except OSError as error:
            raise self._unreadable(name, error) from error

    def remove(self, name: str) -> None:
        """The file is not there any more."""
        path = self._path(name)
        try:
            path.unlink()
            sync_folder(path.parent)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise output_error(path, error) from error

    def remove_folder(self, name: str) -> None:
        """Nothing is there any more under this name."""
        if not checked(name).strip("/."):
            message = "a store itself is not removed"
            raise ValueError(message)
        path = self._path(name)
        try:
            shutil.rmtree(path)
            sync_folder(path.parent)
        except FileNotFoundError:
            return
        except OSError as error:
            raise output_error(path, error) from error

    def location(self, name: str = "") -> str:
        """The name's full path."""
        return str(self._path(name))

    def sweep(self) -> int:
        """How many leftovers of killed writers were removed; what is still written stays."""
        return sweep_parts(self._root)

    def arrow(self) -> tuple[None, str]:
        """Nothing: pyarrow opens the local disk itself; and the folder."""
        return None, f"{self._root}/"

    def _path(self, name: str) -> Path:
        return self._root / checked(name)

    def _unreadable(self, name: str, error: OSError) -> OutputError:
        what = error.strerror or str(error)
        return OutputError(f"{self.location(name)}: cannot be read: {what}")

"""Results in a bucket of an object store, where a file appears whole by nature."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pipeline.batch.store import Store, checked
from pipeline.errors import ConfigError, OutputError, SourceError
from pipeline.media.bucket import file_system, listed, path_of, trouble
from pipeline.redaction import redact
from pipeline.whole import LoneFile, WholeFile, sweep_parts

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


class BucketStore(Store):
    """Long files wait on the local disk until they are whole, and are sent then."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        file_system(self.address)

    def exists(self, name: str) -> bool:
        """Whether the whole file is there."""
        try:
            return bool(self._system().info(self._path(name))["type"] == "file")
        except FileNotFoundError:
            return False
        except Exception as error:
            self._refused(name, "read", error)

    def names(self, folder: str = "") -> Iterator[str]:
        """The names of all whole files in a folder and below, in no certain order."""
        above = f"{self._path('')}/"
        try:
            for file in listed(self._address(folder)):
                name = file.path.removeprefix(above)
                if not name.rpartition("/")[2].startswith("."):
                    yield name
        except SourceError as error:
            raise OutputError(str(error)) from None

    def read(self, name: str) -> bytes:
        """What the file holds; OutputError also when it is not there."""
        try:
            return bytes(self._system().cat_file(self._path(name)))
        except FileNotFoundError:
            message = f"{self.location(name)}: cannot be read: there is no such file"
            raise OutputError(message) from None
        except Exception as error:
            self._refused(name, "read", error)

    def write(self, name: str, data: bytes) -> None:
        """Puts a file there, in the place of an earlier one."""
        try:
            self._system().pipe_file(self._path(name), data)
        except Exception as error:
            self._refused(name, "written", error)

    def create(self, name: str, data: bytes) -> bool:
        """True when the file is now there with this content; False when there was one already."""
        try:
            self._system().pipe_file(self._path(name), data, mode="create")
        except FileExistsError:
            return False
        except Exception as error:
            self._refused(name, "written", error)
        return True

    @contextmanager
    def whole(self, name: str) -> Iterator[WholeFile]:
        """A file to write to for a long time; it appears when the block ends without an error."""
        waiting = hashlib.sha256(self._address(name).encode()).hexdigest()[:24]
        file = LoneFile(spool() / waiting)
        try:
            yield file
            file.seal()
            try:
                self._system().put_file(str(file.part), self._path(name))
            except Exception as error:
                self._refused(name, "written", error)
        finally:
            file.abandon()

    def written_s(self, name: str) -> float:
        """When the file appeared, in seconds since 1970 by the store's clock."""
        try:
            return float(self._system().modified(self._path(name)).timestamp())
        except Exception as error:
            self._refused(name, "read", error)

    def remove(self, name: str) -> None:
        """The file is not there any more."""
        try:
            self._system().rm_file(self._path(name))
        except FileNotFoundError:
            return
        except Exception as error:
            self._refused(name, "removed", error)

    def remove_folder(self, name: str) -> None:
        """Nothing is there any more under this name."""
        if not checked(name).strip("/."):
            message = "a store itself is not removed"
            raise ValueError(message)
        try:
            self._system().rm(self._path(name), recursive=True)
        except FileNotFoundError:
            return
        except Exception as error:
            self._refused(name, "removed", error)

    def location(self, name: str = "") -> str:
        """The name's full address as it may be told."""
        return redact(self._address(name))

    def sweep(self) -> int:
        """How many files of killed writers were removed from where they wait on this machine."""
        return sweep_parts(spool())

    def arrow(self) -> tuple[AbstractFileSystem, str]:
        """What opens the files for pyarrow, and what goes before a name."""
        return self._system(), f"{self._path('')}/"

    def _system(self) -> AbstractFileSystem:
        return file_system(self.address)

    def _address(self, name: str) -> str:
        return f"{self.address}/{checked(name)}" if name else self.address

    def _path(self, name: str) -> str:
        return path_of(self._address(name))

    def _refused(self, name: str, done: str, error: Exception) -> NoReturn:
        if isinstance(error, OutputError | ConfigError):
            raise error
        message = f"{self.location(name)}: cannot be {done}: {trouble(error)}"
        raise OutputError(message) from None


def spool() -> Path:
    """Where files of this user wait until they are sent to a bucket."""
    return Path(tempfile.gettempdir()) / f"witness-spool-{os.getuid()}"

"""Where results lie: files that appear whole or not at all, in a folder or in a bucket.

Names are relative, with `/` between their parts: `events/source=a/KEY.parquet`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pipeline.whole import WholeFile

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


class Store(ABC):
    """Whole files under one address. Plain data: it may travel to other processes.

    Any number of processes may use it at once, also for the same name: the last whole file stays.
    What cannot be done raises OutputError.
    """

    address: str

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Whether the whole file is there."""

    @abstractmethod
    def names(self, folder: str = "") -> Iterator[str]:
        """The names of all whole files in a folder and below, in no certain order."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """What the file holds; OutputError also when it is not there."""

    @abstractmethod
    def create(self, name: str, data: bytes) -> bool:
        """True when the file is now there with this content; False when there was one already.

        Of several that create the same name at once, one is told True.
        """

    @abstractmethod
    def whole(self, name: str) -> AbstractContextManager[WholeFile]:
        """A file to write to for a long time; it appears when the block ends without an error."""

    @abstractmethod
    def written_s(self, name: str) -> float:
        """When the file appeared, in seconds since 1970 by the store's clock."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """The file is not there any more."""

    @abstractmethod
    def remove_folder(self, name: str) -> None:
        """Nothing is there any more under this name."""

    @abstractmethod
    def location(self, name: str = "") -> str:
        """The name's full address as it may be told."""

    @abstractmethod
    def sweep(self) -> int:
        """How many leftovers of killed writers were removed; what is still written stays."""

    @abstractmethod
    def arrow(self) -> tuple[AbstractFileSystem | None, str]:
        """What opens the files for pyarrow (None: the local disk), and what goes before a name."""

    def write(self, name: str, data: bytes) -> None:
        """Puts a file there, in the place of an earlier one."""
        with self.whole(name) as file:
            file.write(data)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.location()})"


def checked(name: str) -> str:
    """The name; ValueError for one that leads out of the store or that is hidden."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or any(part.startswith(".") for part in parts):
        message = f"{name!r} is no name in a store: it is absolute, hidden, or leads out of it"
        raise ValueError(message)
    return name

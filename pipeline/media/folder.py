"""The files that a recorder leaves in a folder, one after the other, as they become whole."""

from __future__ import annotations

import time
from pathlib import Path

from pipeline.errors import SourceAbsent, SourceMissing

QUIET_S = 2.0
"""A newest file that did not grow for so long is taken for whole."""


class Segments:
    """Gives each file of a folder once, in the order of names; begins with the newest.

    A file is whole when a newer one is there, or when it has not grown for a while. Hidden files
    and empty ones are passed over.
    """

    def __init__(self, folder: Path, shown: str) -> None:
        self._folder = folder
        self._shown = shown
        self._last: str | None = None
        self._grew: tuple[str, int, float] = ("", 0, 0.0)

    def next(self) -> Path:
        """The next whole file; SourceAbsent while there is none, SourceMissing without a folder."""
        try:
            names = sorted(path.name for path in self._folder.iterdir() if _counts(path))
        except OSError as error:
            message = f"{self._shown}: the folder cannot be read ({error.strerror}); check the path"
            raise SourceMissing(message) from error
        if self._last is None:
            names = names[-1:]
        waiting = [name for name in names if self._last is None or name > self._last]
        if not waiting or (len(waiting) == 1 and self._grows(waiting[0])):
            message = f"{self._shown}: no new file yet"
            raise SourceAbsent(message)
        self._last = waiting[0]
        return self._folder / waiting[0]

    def _grows(self, name: str) -> bool:
        size = (self._folder / name).stat().st_size
        now = time.monotonic()
        if self._grew[:2] != (name, size):
            self._grew = (name, size, now)
        return now - self._grew[2] < QUIET_S


def _counts(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_file() and path.stat().st_size > 0

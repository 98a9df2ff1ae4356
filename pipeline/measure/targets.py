"""The file that tells Prometheus which pages there are (`file_sd`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Literal

from pipeline.errors import OutputError
from pipeline.whole import whole_file

FILE = "prometheus_targets.json"
END_S = 1.0
AGAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where a page is, and whose it is: the driver's or a node's."""

    address: str
    page: Literal["driver", "node"]
    scheme: str = "http"


class TargetsFile:
    """Writes the latest targets, whole each time, in a thread: its disk may hang.

    At the end of the block the file names none, so that nobody is missed who ended in order; who
    was killed is. What cannot be written is told once, and tried again.
    """

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        self._path = path
        self._tell = tell
        self._wanted: Queue[Sequence[Target] | None] = Queue()
        self._told = ""
        self._thread = Thread(target=self._write_on, name="targets", daemon=True)

    def __enter__(self) -> TargetsFile:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._wanted.put([])
        self._wanted.put(None)
        self._thread.join(END_S)

    def want(self, targets: Sequence[Target]) -> None:
        """Has these written, and no others."""
        self._wanted.put(targets)

    def _write_on(self) -> None:
        unwritten: Sequence[Target] | None = None
        while True:
            try:
                unwritten = self._wanted.get(timeout=None if unwritten is None else AGAIN_S)
                if unwritten is None:
                    return
            except Empty:
                pass
            if unwritten is not None and self._write(unwritten):
                unwritten = None

    def _write(self, targets: Sequence[Target]) -> bool:
        try:
            with whole_file(self._path) as part:
                part.write_text(told(targets), encoding="utf-8")
        except OutputError as error:
            if str(error) != self._told:
                self._told = str(error)
                self._tell(f"metrics: {error}")
            return False
        self._told = ""
        return True


def told(targets: Sequence[Target]) -> str:
    """The targets as Prometheus reads them, one group for each, in order."""
    groups = [
        {
            "targets": [target.address],
            # Not `role`: processes have one, and Prometheus would call theirs another name.
            "labels": {"page": target.page}
            | ({"__scheme__": target.scheme} if target.scheme != "http" else {}),
        }
        for target in targets
    ]
    return json.dumps(groups, indent=2) + "\n"

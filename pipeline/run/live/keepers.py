"""The keepers of many live streams in one process."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.lane import Lane
from pipeline.records import Failure, Prediction
from pipeline.run.live.keeper import Kept, LiveKeeper, Marks, Note


class LiveKeepers:
    """The keepers of many live streams in one process; one that fails harms no other."""

    def __init__(self) -> None:
        self._keepers: dict[str, LiveKeeper] = {}

    def ready(self) -> None:
        """Returns once it can be called."""

    def open(
        self,
        stream: str,
        lanes: Sequence[Lane],
        out: Path,
        max_wait_s: float | None,
        about: dict[str, Any],
        marks: Marks = None,
        tables: bool = False,
    ) -> None:
        """Begins a stream; its journals go on after the marks, of events and of the timeline.

        So a keeper that is told to begin what another one began writes nothing twice.
        """
        self._keepers[stream] = LiveKeeper(
            stream, lanes, out, max_wait_s, about, marks, tables=tables
        )

    def settle(self, stream: str, lane: str, answers: Sequence[Prediction | Failure]) -> Kept:
        """Settles answers of one lane."""
        return self._keepers[stream].settle(lane, answers)

    def note(self, stream: str, note: Note) -> Kept:
        """Takes what a reader said."""
        return self._keepers[stream].note(note)

    def finish(self, stream: str, note: Note) -> Kept:
        """Ends a stream."""
        return self._keepers.pop(stream).finish(note)

    def close(self) -> None:
        """Lets go of all files, as they are."""
        for keeper in self._keepers.values():
            keeper.close()

    def checkpoint(self) -> bytes:
        """What `restore` needs; all that it covers is on the disk."""
        known = {name: keeper.snapshot() for name, keeper in self._keepers.items()}
        # An hour of a busy stream takes more than a second: one of all of them at a time.
        any(keeper.tabulate() for keeper in self._keepers.values())
        return pickle.dumps(known)

    def restore(self, checkpoint: bytes) -> None:
        """Takes over from a keeper process that is no more; the bytes are that process's own."""
        snapshots: dict[str, bytes] = pickle.loads(checkpoint)
        self._keepers = {name: LiveKeeper.revived(known) for name, known in snapshots.items()}

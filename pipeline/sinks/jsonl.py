"""Events as JSON lines, one event a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pipeline.records import Event
from pipeline.sinks.rows import event_from, row_from
from pipeline.whole import WholeFile


class JsonlSink:
    """Writes `events.jsonl`; it appears with the other outputs of its stream."""

    def __init__(self, file: WholeFile) -> None:
        self._file = file

    def write(self, event: Event) -> None:
        """Adds one line."""
        line = json.dumps(row_from(event), ensure_ascii=False, separators=(",", ":"))
        self._file.write(line.encode() + b"\n")

    def close(self) -> None:
        """Every line is on the disk."""
        self._file.seal()

    def abandon(self) -> None:
        """Removes what was written."""
        self._file.abandon()


def read_events(path: Path) -> Iterator[Event]:
    """The events of a file that a JsonlSink wrote, in its order."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield event_from(json.loads(line))

"""What takes events: the protocol of a sink."""

from __future__ import annotations

from typing import Protocol

from pipeline.records import Event


class Sink(Protocol):
    """Takes the events of one stream in the timeline's order and makes one output of them."""

    def write(self, event: Event) -> None:
        """Takes one event; OutputError when it cannot be written."""

    def close(self) -> None:
        """Makes the output complete; a file appears later, with the others of its stream."""

    def abandon(self) -> None:
        """Removes what was written; nothing stays behind."""

"""What the driver of a job on Ray knows of a source under way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.cut import Progress, ReadReport
from pipeline.records import StreamInfo
from pipeline.run.job import Source


@dataclass(slots=True)
class Underway:
    """A source from its opening until its result; `reader` is the actor that reads it.

    `member` is the number of the pool member that keeps its cached states, `in_flight` how many
    batches were read and not yet settled. `lost` says why reading ended before the source did.
    """

    source: Source
    reader: Any
    member: int
    started: float
    waiting_since: float
    info: StreamInfo | None = None
    reading: bool = True
    in_flight: int = 0
    progress: Progress = field(default_factory=Progress.nothing)
    report: ReadReport | None = None
    lost: str | None = None

    def may_read(self, in_flight: int) -> bool:
        """True when its reader is idle, has more, and fewer batches than that are under way."""
        idle = self.info is not None and not self.reading and self.report is None
        return idle and self.in_flight < in_flight

"""What all streams of a fleet share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.lane import Lane

READERS_IMPORT = ("pipeline.run.live.reader", "pipeline.lanes")
"""What the process of a reader imports, for a crew that can have it ready."""
STREAMS_PER_KEEPER = 200


@dataclass(frozen=True, slots=True)
class Fleet:
    """What all streams share: lanes for the pool, its size, and where results go.

    `in_flight` batches of one stream may be under way at once. `max_wait_s` is how long, in media
    time, the timeline waits for a lane that has fallen silent. With `tables`, finished hours are
    written as Parquet too. With `spare` a process more has the networks loaded, for when one is
    lost. Streams are divided among the `keepers` by their names.
    """

    lanes: tuple[Lane, ...]
    out: Path
    members: int = 1
    threads: int | None = None
    in_flight: int = 6
    max_wait_s: float | None = 2.0
    about: dict[str, Any] | None = None
    tables: bool = False
    spare: bool = True
    keepers: int = 1


def keepers_for(streams: int) -> int:
    """How many keepers so many streams want."""
    return max(1, math.ceil(streams / STREAMS_PER_KEEPER))

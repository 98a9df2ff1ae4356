"""What an earlier watch left in a stream's folder, and where the next one goes on after it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.media.pulse import Reached
from pipeline.records import Medium
from pipeline.run.aside import Aside
from pipeline.run.job import SUMMARY
from pipeline.run.live.keeper import Marks
from pipeline.run.live.reader import Begin
from pipeline.sinks.journal import Journal

ABSENT = "witness was not watching"


@dataclass(frozen=True, slots=True)
class Earlier:
    """Where media time goes on, and how far the journals of events and timeline were written.

    No marks where that could not be seen: what may lie there is not to be cut off.
    """

    begin: Begin = field(default_factory=Begin)
    marks: Marks = None


class Looks:
    """Looks at what earlier watches left, aside: the disk may hang.

    What was seen of a stream is kept until it is asked for: looking changes what lies there.
    """

    def __init__(self) -> None:
        self._looks: dict[str, Aside[Earlier]] = {}

    def begin(self, name: str, folder: Path) -> None:
        """Has it looked at a stream's folder, if that is not done or under way already."""
        if name not in self._looks:
            self._looks[name] = Aside(f"look at {name}", partial(earlier, folder))

    def found(self, name: str) -> Earlier | None:
        """What was seen, once; None before it is."""
        return self._looks.pop(name).result() if self._looks[name].done else None


def earlier(folder: Path) -> Earlier:
    """What lies in a stream's folder; a beginning at media time 0 where nothing does.

    Its summary is moved to `summary-TIME.json`, for the time (UTC) of its writing: the books that
    are opened now are others. Never raises: what cannot be read is taken for nothing.
    """
    begin = Begin()
    path = folder / SUMMARY
    with suppress(OSError):
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        with suppress(ValueError, LookupError, TypeError, AttributeError, OverflowError):
            begin = _begin_after(json.loads(path.read_bytes()))
        path.replace(path.with_stem(f"{path.stem}-{written:%Y-%m-%dT%H%M%S.%f}"))
    try:
        marks = (Journal(folder / "events").bookmark, Journal(folder / "timeline").bookmark)
    except OSError:
        return Earlier(begin, None)
    return Earlier(begin, marks)


def _begin_after(summary: Mapping[str, Any]) -> Begin:
    if not summary["epoch"]:
        return Begin()
    # Up to the next millisecond: what is written as decimals may lie a little before the truth.
    media: tuple[Medium, ...] = ("video", "audio")
    ends = {
        medium: Fraction(math.ceil(float(summary["ends_s"][medium]) * 1000), 1000)
        for medium in media
        if medium in summary["ends_s"]
    }
    epoch_s = datetime.fromisoformat(summary["epoch"]).timestamp()
    return Begin(Reached(ends, int(summary["frames"]), epoch_s), {}, ABSENT)

"""What runs inside the Ray actors, as plain classes that know nothing of Ray."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.cut import Cut, Progress, Reader, ReadReport
from pipeline.errors import WitnessError
from pipeline.lane import Lane
from pipeline.ledger import Ledger
from pipeline.records import Digest, Failure, Mark, Prediction, StreamInfo, Window
from pipeline.run.keeper import Keeper


@dataclass(frozen=True, slots=True)
class Opened:
    """What came of opening a source: its header and lanes, or `error`."""

    info: StreamInfo | None
    lanes: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()
    error: str | None = None
    error_type: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One batch as the driver sees it: whose windows they are, without pixels.

    The last step of a source has no marks; it brings the reader's `report`.
    """

    lane: str
    marks: tuple[Mark, ...]
    progress: Progress
    report: ReadReport | None = None


class SourceReader:
    """A Reader that is asked for one batch at a time."""

    def __init__(self, address: str, stream: str, lanes: Sequence[Lane]) -> None:
        self._address = address
        self._stream = stream
        self._lanes = lanes
        self._reader: Reader | None = None
        self._cuts: Iterator[Cut] = iter(())

    def open(self) -> Opened:
        """The source's header, or why it cannot be opened."""
        try:
            self._reader = reader = Reader(self._address, self._stream, self._lanes)
        except WitnessError as error:
            return Opened(None, error=str(error), error_type=type(error).__name__)
        self._cuts = reader.cuts()
        idle = tuple(lane.name for lane in reader.idle_lanes)
        return Opened(reader.info, tuple(lane.name for lane in reader.lanes), idle)

    def step(self) -> tuple[Step, list[Window]]:
        """The next batch: what the driver sees of it, and the windows for a pool member."""
        cut = next(self._cuts, None)
        if cut is None:
            report = self.report()
            return Step("", (), report.progress, report), []
        marks = tuple(window.mark for window in cut.windows)
        return Step(cut.lane, marks, cut.progress), cut.windows

    def report(self) -> ReadReport:
        """The reader's side of the books so far."""
        if self._reader is None:
            message = f"stream {self._stream} was never opened"
            raise WitnessError(message)
        return self._reader.report()


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of settling some answers: events in small form and the books, or `error`.

    Settling took `settle_s`, the outputs `sink_s`.
    """

    digests: list[Digest]
    ledger: Ledger | None
    summary: dict[str, Any] | None = None
    error: str | None = None
    settle_s: float = 0.0
    sink_s: float = 0.0


class KeeperHost:
    """The keepers of many streams in one process; one that fails harms no other."""

    def __init__(self) -> None:
        self._keepers: dict[str, Keeper] = {}

    def open(
        self, info: StreamInfo, lanes: Sequence[Lane], out: Path, outputs: Sequence[str]
    ) -> Settled:
        """Starts a stream's outputs."""
        try:
            self._keepers[info.stream] = Keeper(info, lanes, out, outputs)
        except WitnessError as error:
            return Settled([], None, error=str(error))
        return Settled([], None)

    def settle(self, stream: str, lane: str, answers: Sequence[Prediction | Failure]) -> Settled:
        """Settles answers of one lane, as `Keeper.settle`; a failure ends the stream."""
        keeper = self._keepers.get(stream)
        if keeper is None:
            return Settled([], None, error=f"stream {stream} is closed")
        began, wrote_s = time.perf_counter(), keeper.sink_s
        try:
            digests = keeper.settle(lane, answers)
        except WitnessError as error:
            self.abandon(stream)
            return Settled([], None, error=str(error))
        sink_s = keeper.sink_s - wrote_s
        settle_s = time.perf_counter() - began - sink_s
        return Settled(digests, keeper.ledger, settle_s=settle_s, sink_s=sink_s)

    def finish(
        self, stream: str, report: ReadReport, about: dict[str, Any], lost: str | None
    ) -> Settled:
        """The last events and the summary; every output is whole afterwards."""
        keeper = self._keepers[stream]
        try:
            digests, summary = keeper.finish(report, about, lost)
        except WitnessError as error:
            self.abandon(stream)
            return Settled([], None, error=str(error))
        del self._keepers[stream]
        return Settled(digests, keeper.ledger, summary)

    def abandon(self, stream: str) -> None:
        """Leaves no output of a stream behind."""
        keeper = self._keepers.pop(stream, None)
        if keeper is not None:
            keeper.abandon()

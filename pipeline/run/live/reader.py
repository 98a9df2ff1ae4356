"""The Reader of a live stream: a thread that decodes, and batches for whoever asks for them.

Imports PyAV and NumPy, never torch.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from threading import Lock, Thread

from pipeline.cut import Progress, medium_of, units_of
from pipeline.lane import Lane
from pipeline.lanes.throttle import Governor
from pipeline.media.address import LiveAddress
from pipeline.media.lateness import Tie
from pipeline.media.live import LiveSource
from pipeline.media.pulse import Reached, State
from pipeline.records import Gap, Item, Mark, Medium, StreamInfo, Window
from pipeline.run.live.outbox import Outbox, Policy


@dataclass(frozen=True, slots=True)
class Begin:
    """Where a reader begins: at the beginning, or where the one before it came to.

    `indices` are the numbers of the next windows by lane, `outage` says why there is a reader
    before this one no more, and `goes_on` that it was one of the same watch.
    """

    reached: Reached = field(default_factory=Reached)
    indices: dict[str, int] = field(default_factory=dict)
    outage: str = ""
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """How a stream is read: what to do with more than can be analysed, and how late is too late.

    At most `most_windows` wait for each lane. One that keeps its rate gives up the oldest windows
    instead of sampling fewer.
    """

    overload: Policy = "lower_rate"
    max_lag_s: float | None = 5.0
    most_windows: int = 32
    keeps_rate: bool = False


@dataclass(frozen=True, slots=True)
class Beat:
    """What a live reader says of itself, with the marks of the windows it hands out, if any.

    `progress` and `handed` (units handed out by lane) are totals of this reader; `gaps` are new.
    What was decoded and is in none of the totals waits inside the reader, the oldest of it for
    `waited_s`. The newest packet came at `newest_at` (Unix time). `outages` counts by why the
    stream broke off, `outage_s` is how long it was away: totals of this reader, too.
    """

    state: State
    silent_s: float
    late_s: float
    reason: str
    attempts: int
    connections: int
    progress: Progress
    handed: dict[str, int]
    reached: Reached
    tie: Tie | None
    sender: Tie | None
    info: StreamInfo | None
    lane: str = ""
    marks: tuple[Mark, ...] = ()
    gaps: tuple[Gap, ...] = ()
    troubles: dict[str, int] = field(default_factory=dict)
    waited_s: float = 0.0
    newest_at: float | None = None
    outages: dict[str, int] = field(default_factory=dict)
    outage_s: float = 0.0
    ended: bool = False

    def waiting(self, lane: Lane) -> int:
        """Units of a lane that wait inside the reader."""
        name, progress = lane.name, self.progress
        known = progress.not_sampled.get(name, 0) + progress.gated.get(name, 0)
        dropped = sum(progress.dropped.get(name, {}).values())
        offered = progress.decoded.get(lane.medium, 0)
        return offered - known - dropped - self.handed.get(name, 0)


class LiveReader:
    """Reads one stream for ever; `step` gives what is ready, and signs of life in any case."""

    def __init__(
        self,
        address: LiveAddress,
        stream: str,
        lanes: Sequence[Lane],
        rules: ReadingRules,
        begin: Begin,
    ) -> None:
        self._lanes = tuple(lanes)
        if address.unpaced:  # it waits for us, so nothing of it is given up
            rules = replace(rules, overload="block", max_lag_s=None)
        media: set[Medium] = {lane.medium for lane in lanes}
        self._source = LiveSource(
            address,
            stream,
            media,
            begin.reached,
            outage=begin.outage,
            goes_on=begin.goes_on,
            max_lag_s=rules.max_lag_s,
            vectors=any(lane.vectors for lane in lanes),
        )
        self._outbox = Outbox(
            {lane.name: lane.batch for lane in lanes},
            rules.overload,
            most_windows=rules.most_windows,
            max_lag_s=rules.max_lag_s,
            unbroken={lane.name for lane in lanes if lane.medium == "audio"},
            first_index=begin.indices,
            governor=Governor(most=0) if rules.keeps_rate else None,
        )
        self._windowers = {lane.name: lane.make_windower(stream) for lane in lanes}
        if "cv2" in sys.modules:  # of a gate; many readers share the cores
            sys.modules["cv2"].setNumThreads(1)
        self._lock = Lock()
        self._decoded: Counter[str] = Counter()
        self._handed: Counter[str] = Counter()
        self._position = Fraction(0)
        self._gaps: list[Gap] = []
        self._error: BaseException | None = None
        self._thread = Thread(target=self._read, name=f"read {stream}", daemon=True)
        self._thread.start()

    def step(self, wait_s: float, level: int = 0, rivals: int = 1) -> tuple[Beat, list[Window]]:
        """The next batch as soon as one is ready, or none after `wait_s`, with a beat.

        `level` is by how much the rate is to be lowered, where that is the stream's policy, and
        `rivals` how many streams wait for the pool: then they share each of its batches.
        """
        self._outbox.set_level(level)
        taken = self._outbox.take(wait_s, rivals)
        if taken is None and self._error is not None:
            raise self._error
        if taken is None:
            return self._beat("", ()), []
        marks = tuple(window.mark for window in taken.windows)
        self._handed[taken.lane] += sum(mark.units for mark in marks)
        return self._beat(taken.lane, marks), taken.windows

    def idle(self, wait_s: float, level: int = 0, _rivals: int = 1) -> tuple[Beat, list[Window]]:
        """A beat and nothing else, after `wait_s`: for when there is no room for a batch."""
        self._outbox.set_level(level)
        self._thread.join(wait_s)
        return self._beat("", ()), []

    def stop(self) -> None:
        """Ends reading; what was cut by then still comes out, and the last beat says `ended`."""
        self._source.stop()

    def _beat(self, lane: str, marks: tuple[Mark, ...]) -> Beat:
        pulse = self._source.pulse
        with self._lock:
            gaps, self._gaps = tuple(self._gaps), []
            progress = Progress.of(
                self._position,
                self._decoded,
                self._windowers,
                self._outbox.dropped,
                self._source.decode_s.copy(),
            )
            reached = self._source.reached
        return Beat(
            state=pulse.state,
            silent_s=pulse.silent_s,
            late_s=pulse.late_s,
            reason=pulse.reason,
            attempts=pulse.attempts,
            connections=pulse.connections,
            progress=progress,
            handed=dict(self._handed),
            reached=reached,
            tie=self._source.tie,
            sender=self._source.sender,
            info=self._source.info,
            lane=lane,
            marks=marks,
            gaps=gaps,
            troubles=self._troubles(),
            waited_s=self._outbox.lag_s,
            newest_at=pulse.newest_at,
            outages=self._source.outages.totals,
            outage_s=self._source.outages.seconds,
            ended=not self._thread.is_alive() and not any(self._outbox.waiting.values()),
        )

    def _troubles(self) -> dict[str, int]:
        counts = self._source.troubles.copy()
        return {f"{medium}_{kind}": count for (medium, kind), count in counts.items()}

    def _read(self) -> None:
        try:
            for item in self._source.items():
                with self._lock:
                    cut = self._offer(item)
                self._put(cut)
            with self._lock:
                cut = [
                    (lane, window)
                    for lane, cutter in self._windowers.items()
                    for window in cutter.flush()
                ]
            self._put(cut)
        except BaseException as error:  # it is raised where somebody listens
            self._error = error
        finally:
            self._outbox.close()

    def _offer(self, item: Item) -> list[tuple[str, Window]]:
        medium = medium_of(item)
        if isinstance(item, Gap):
            if item.span.duration:
                self._gaps.append(item)
        else:
            self._decoded[medium] += units_of(item)
            self._position = max(self._position, item.span.end)
        cut: list[tuple[str, Window]] = []
        for lane in self._lanes:
            if lane.medium == medium:
                windower = self._windowers[lane.name]
                windower.set_level(self._outbox.level)
                cut += [(lane.name, window) for window in windower.push(item)]
        return cut

    def _put(self, cut: Iterable[tuple[str, Window]]) -> None:
        with self._source.pulse.excused():  # it may wait for room, for as long as that takes
            for lane, window in cut:
                self._outbox.put(lane, window)

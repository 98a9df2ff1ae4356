"""The keeper of live streams: settles answers, writes events as they come, owns the books.

What it knows can be taken as a checkpoint and given to another keeper, which then is told the
calls since: what this one wrote after its checkpoint is cut off and written again, the same.
"""

from __future__ import annotations

import json
import pickle
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipeline.cut import Progress, ReadReport
from pipeline.errors import OutputError
from pipeline.lane import Lane
from pipeline.ledger import Ledger
from pipeline.media.lateness import Tie
from pipeline.media.pulse import Reached
from pipeline.records import Digest, Event, Failure, Gap, Prediction
from pipeline.run.job import SUMMARY
from pipeline.run.live.stamps import at, span, utc, when
from pipeline.settle import Settler
from pipeline.sinks.hourly import write_finished_hours
from pipeline.sinks.journal import Bookmark, HeldJournal
from pipeline.sinks.rows import ROWS_VERSION, row_from
from pipeline.whole import whole_file

Marks = tuple[Bookmark | None, Bookmark | None] | None
"""Where the journals of events and of the timeline go on."""
GAPS_KEPT = 200
"""So many gaps stand in the books; all of them stand in the timeline's journal."""
TIES_KEPT = 8


@dataclass(frozen=True, slots=True)
class Note:
    """What a stream's reader said: totals over all its readers, and what is new.

    `tie` is media time against this machine's clock, `sender` against the sender's.
    """

    progress: Progress
    reached: Reached
    tie: Tie | None
    sender: Tie | None = None
    troubles: dict[str, int] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    state: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of a call: events in small form, how late each was written, and the counts.

    `problem` says why nothing can be written now; so many records are `waiting` for that. Settling
    took `settle_s`, writing `sink_s`, 0 where there was nothing to write.
    """

    digests: list[Digest]
    delays_s: list[float]
    ledger: Ledger
    problem: str = ""
    waiting: int = 0
    settle_s: float = 0.0
    sink_s: float = 0.0


class LiveKeeper:
    """Keeps one live stream; everything lies in `out`, and grows there.

    `events/` has the events, `timeline/` gaps, states and how media time is tied to wall time, and
    summary.json the books as of the latest checkpoint. With `tables`, each finished hour of events
    is there as Parquet too. Raises OutputError.
    """

    def __init__(
        self,
        stream: str,
        lanes: Sequence[Lane],
        out: Path,
        max_wait_s: float | None,
        about: dict[str, Any],
        marks: Marks = None,
        *,
        tables: bool = False,
    ) -> None:
        self._arguments = {
            "stream": stream,
            "lanes": tuple(lanes),
            "out": out,
            "max_wait_s": max_wait_s,
            "about": about,
            "tables": tables,
        }
        self._stream = stream
        self._out = out
        self._about = about
        self._tables = tables
        self._grew: str | None = ""
        self._settler = Settler(stream, lanes, [], max_wait_s)
        self._events = HeldJournal(out / "events", marks[0] if marks else None)
        self._timeline = HeldJournal(out / "timeline", marks[1] if marks else None)
        self._unsaved = ""
        self._ties: list[Tie] = []
        self._sender: Tie | None = None
        self._reached = Reached()
        self._counts: Counter[str] = Counter()
        self._state = ("", "")
        self._noted: Note | None = None
        self._saved = b""
        self._warm_s = {lane.name: Fraction(lane.warm_s) for lane in lanes}
        self._warm_from: dict[str, Fraction] = {}

    @property
    def _tie(self) -> Tie | None:
        return self._ties[-1] if self._ties else None

    def _tie_before(self, gap: Gap) -> Tie | None:
        """How media time was tied to wall time when the gap began: a new connection's is rough."""
        return next((tie for tie in reversed(self._ties) if tie.media <= gap.span.start), None)

    @property
    def ledger(self) -> Ledger:
        """The books so far."""
        return self._settler.ledger

    def settle(self, lane: str, answers: Sequence[Prediction | Failure]) -> Kept:
        """The events that these answers made certain, written."""
        began = time.perf_counter()
        for answer in answers:
            if answer.mark.fresh:  # nothing before it is known to the network any more
                self._warm_from[lane] = answer.mark.span.start + self._warm_s[lane]
        self._noted, self._saved = None, b""
        events = self._settler.settle(lane, answers)
        return self._write(events, settle_s=time.perf_counter() - began)

    def note(self, note: Note) -> Kept:
        """Takes what the reader said into the books and the timeline's journal."""
        if note != self._noted or note.gaps:
            self._noted, self._saved = note, b""
        records: list[dict[str, Any]] = []
        if note.tie is not None and note.tie != self._tie:
            self._ties = [*self._ties, note.tie][-TIES_KEPT:]
            records.append({"kind": "tie", "by": "arrival", **at(note.tie)})
        if note.sender is not None and note.sender != self._sender:
            self._sender = note.sender
            records.append({"kind": "tie", "by": "sender", **at(note.sender)})
        for gap in note.gaps:
            records.append(
                {
                    "kind": "gap",
                    "medium": gap.medium,
                    **span(gap.span.start, gap.span.end, self._tie, self._tie_before(gap)),
                    "reason": gap.reason,
                }
            )
        if note.state and (note.state, note.reason) != self._state:
            self._state = (note.state, note.reason)
            now = utc(time.time())
            records.append(
                {"kind": "state", "state": note.state, "reason": note.reason, "utc": now}
            )
        self._timeline.write(records)
        self._reached = note.reached
        ledger = self.ledger
        ledger.troubles = Counter(note.troubles)
        ledger.gaps += [record for record in records if record["kind"] == "gap"]
        del ledger.gaps[:-GAPS_KEPT]
        return self._write(self._settler.read(note.progress))

    def finish(self, note: Note) -> Kept:
        """The last events, and the books, which close if nothing is in flight any more."""
        self.note(note)
        report = ReadReport(note.progress, note.troubles, (), None)
        kept = self._write(self._settler.finish(report, "stopped"))
        for _ in range(2):  # what turned out not to be on the disk is written once more
            self._events.flush()
            self._timeline.flush()
            problem = self.sync() or self._problem
        self.close()
        problem = problem or self._tabulate_all()
        return replace(kept, problem=problem)

    def close(self) -> None:
        """Lets go of the files, as they are."""
        self._events.close()
        self._timeline.close()

    def sync(self) -> str:
        """Puts everything on the disk, the books too; why it cannot be done, or nothing.

        What was not put there waits to be written again.
        """
        summary = {
            "rows_version": ROWS_VERSION,
            "stream": self._stream,
            **self._about,
            "written": utc(time.time()),
            "media_s": round(float(self._reached.position), 6),
            "ends_s": {name: round(float(end), 6) for name, end in self._reached.ends.items()},
            "frames": self._reached.frames,
            "epoch": utc(self._reached.epoch_s) if self._reached.epoch_s else None,
            "counts": dict(self._counts),
            "records_given_up": self._events.given_up + self._timeline.given_up,
            "ledger": self.ledger.to_json(),
        }
        self._events.sync()
        self._timeline.sync()
        self._unsaved = ""
        try:
            with whole_file(self._out / SUMMARY) as part:
                part.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        except OutputError as error:
            self._unsaved = str(error)
        return self._problem

    def tabulate(self) -> bool:
        """True when a finished hour was just written as Parquet, where that is wanted."""
        mark = self._events.bookmark
        growing = mark.file if mark else self._grew
        if not self._tables or growing == self._grew:
            return False
        try:
            written = write_finished_hours(self._out / "events", growing, most=1)
        except OutputError:  # the journals beside it tell of a disk that takes nothing
            return False
        if not written:
            self._grew = growing
        return bool(written)

    def _tabulate_all(self) -> str:
        try:
            if self._tables:
                write_finished_hours(self._out / "events", None)
        except OutputError as error:
            return str(error)
        return ""

    def snapshot(self) -> bytes:
        """What `revived` needs to go on here; what it covers is on the disk, or waits in it.

        Where nothing was said since the one before, that one holds, and the disk is left alone.
        """
        if self._saved:
            return self._saved
        problem = self.sync()
        marks = (self._events.bookmark, self._timeline.bookmark)
        held = (self._events.held, self._timeline.held)
        told = (self._ties, self._sender, self._reached, self._state)
        known = (told, self._counts, self._warm_from, held)
        all_of_it = (self._arguments, marks, known, self._settler.snapshot())
        snapshot = pickle.dumps(all_of_it, protocol=5)
        self._saved = b"" if problem else snapshot
        return snapshot

    @classmethod
    def revived(cls, snapshot: bytes) -> LiveKeeper:
        """The keeper as it was at a snapshot, its journals cut back to then."""
        arguments, marks, known, settler = pickle.loads(snapshot)
        keeper = cls(**arguments, marks=marks)
        told, keeper._counts, keeper._warm_from, held = known
        keeper._ties, keeper._sender, keeper._reached, keeper._state = told
        keeper._events.held, keeper._timeline.held = held
        keeper._settler.restore(settler)
        return keeper

    def _write(self, events: Sequence[Event], settle_s: float = 0.0) -> Kept:
        tie, began = self._tie, time.perf_counter()
        rows = [
            {**row_from(event), **when(event, tie), "warming_up": self._warming_up(event)}
            for event in events
        ]
        self._events.write(rows)
        sink_s = time.perf_counter() - began if rows else 0.0
        now = time.time()
        decided = [e.span.end if e.decided is None else e.decided for e in events]
        delays = [now - tie.wall_of(media) for media in decided] if tie else []
        self._counts.update(f"{event.lane} {event.label}" for event in events)
        digests = [Digest.of(event) for event in events]
        ledger, waiting = self.ledger.counts(), len(self._events.held) + len(self._timeline.held)
        return Kept(digests, delays, ledger, self._problem, waiting, settle_s, sink_s)

    @property
    def _problem(self) -> str:
        """Why something waits to be written; of several reasons always the same one."""
        return self._events.problem or self._timeline.problem or self._unsaved

    def _warming_up(self, event: Event) -> bool:
        warm = self._warm_from.get(event.lane)
        return warm is not None and event.span.start < warm

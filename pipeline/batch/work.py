"""Runs units, one after the other: all that a worker of an offline job does.

The same reader, networks and settler as in `witness run`; what is different is where results go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

from pipeline.batch.answers import AnswerWriter, told
from pipeline.batch.attempts import Attempts
from pipeline.batch.cutter import believed_length
from pipeline.batch.features import FeatureTables
from pipeline.batch.job import BatchJob
from pipeline.batch.passes import Heard, Starts, joined, passes_over
from pipeline.batch.result import Result, committed
from pipeline.batch.stitch import Stitcher, part_name, part_told
from pipeline.batch.stretch import StretchReader
from pipeline.batch.tables import FailureRow
from pipeline.batch.unit import Outcome, Part, State, Unit, key_of
from pipeline.batch.verdict import broken, cut_short
from pipeline.batch.watchdog import Watchdog
from pipeline.cut import Cut, Progress, Reader, ReadReport
from pipeline.errors import OutputError, SourceError
from pipeline.media.probe import probe
from pipeline.media.scan_audit import audit_of
from pipeline.predict import PoolMember
from pipeline.records import Failure, Prediction
from pipeline.redaction import redact
from pipeline.run.ahead import Ahead
from pipeline.settle import Settler

BATCHES_AHEAD = 3


@dataclass(frozen=True, slots=True)
class Note:
    """How far a unit has come, in seconds of media time of its own."""

    name: str
    media_s: float


class UnitWorker:
    """Owns the networks and runs units; whatever a video does, it is written down and no more.

    OutputError when results cannot be written: then the unit is not done, and the job should stop.
    LaneError when the networks cannot be loaded. A unit that hangs takes the process with it.
    """

    def __init__(self, job: BatchJob) -> None:
        self._job = job
        self._lanes = job.lanes()
        self._member = PoolMember(self._lanes, job.threads)
        self._store = job.store
        self._attempts = Attempts(self._store, job.run)
        self._watchdog = Watchdog(job.stall_s)
        self._stitcher = Stitcher(job, self._store, self._lanes, self._member)

    def run(self, unit: Unit) -> Generator[Note | Outcome]:
        """Notes of its progress, and last its outcome. A unit that is done is not done again."""
        started = time.perf_counter()
        key = key_of(unit.video, self._job.config_hash)
        known = committed(self._store, key) or self._joined(unit, key)
        if known is not None:
            yield replace(known, name=unit.name)
            return
        lost = self._attempts.given_up(unit, key)
        source, missing = unit.video.source, unit.video.trouble
        if missing:
            outcome = self._give_up(unit, key, FailureRow(source, "SourceMissing", missing))
        elif lost is not None:
            outcome = self._give_up(unit, key, FailureRow(source, "worker_lost", lost))
        else:
            try:
                run = self._whole if unit.part is None else self._part
                outcome = yield from run(unit, key)
            except OutputError:
                raise
            except Exception as error:  # whatever one video brings about, the others go on
                reason = redact(f"{type(error).__name__}: {error}")
                outcome = self._give_up(unit, key, FailureRow(source, "error", reason))
        self._attempts.forget(unit, key)
        yield replace(outcome, name=unit.name, seconds=round(time.perf_counter() - started, 3))

    def watched(self, unit: Unit) -> AbstractContextManager[None]:
        """Watches over a block that opens the unit's source."""
        key = key_of(unit.video, self._job.config_hash)
        return self._watchdog.over(partial(self._hung, unit, key))

    def _joined(self, unit: Unit, key: str) -> Outcome | None:
        """What came of a part that was answered before; None when it was not."""
        part = unit.part
        if part is None or not self._store.exists(part_name(self._job, key, part.number, "json")):
            return None
        return self._stitch(unit, part, key, 0.0)

    def _whole(self, unit: Unit, key: str) -> Generator[Note, None, Outcome]:
        """Notes; returns what came of a video that is run in one piece."""
        video = unit.video
        ended: list[FailureRow] = []
        reports: list[ReadReport] = []
        with ExitStack() as stack:
            try:
                with self.watched(unit):
                    info = probe(video.address)
                passes = passes_over(info, self._lanes, self._job.scan)
            except SourceError as error:
                return self._give_up(unit, key, _unopened(unit, error))
            result = stack.enter_context(Result(self._job, self._store, key, unit))
            lanes = [lane for each in passes for lane in each]
            starts = Starts(lanes)
            settler = Settler(video.source, lanes, [*result.sinks(), starts])
            heard = Heard(video.source, passes)
            count = 0
            for each in passes:
                scan = heard.wakes(each, self._job.scan)
                make = partial(Reader, video.address, video.source, each, scan=scan)
                with ExitStack() as reading:
                    reader = self._open(unit, make, reading)
                    for cut in self._cuts(unit, key, reader, ended):
                        answers = self._answers(cut, result.features)
                        heard.take(cut.lane, answers)
                        count += len(settler.settle(cut.lane, answers))
                        yield Note(unit.name, float(cut.progress.position))
                    reports.append(reader.report())
            report = joined(reports)
            failures = ended or broken(video.source, report)
            failures += cut_short(video.source, report.progress.position, believed_length(info))
            count += len(settler.finish(report, ended[0].kind if ended else None))
            settler.close()
            position = float(report.progress.position)
            failures += result.draw(info, lanes, settler.ledger, position)
            state: State = "partial" if failures else "done"
            if not report.progress.decoded:
                state = "failed"
            audit = audit_of(report.scan, starts.spans) if self._job.scan else None
            return result.finish(
                state, position, count, settler.ledger, failures, report.scan, audit
            )

    def _answers(self, cut: Cut, features: FeatureTables | None) -> Sequence[Prediction | Failure]:
        if features is None:
            return self._member.predict(cut.lane, cut.windows).answers
        seen = self._member.see(cut.lane, cut.windows)
        features.take(seen)
        return self._member.follow(cut.lane, seen)

    def _part(self, unit: Unit, key: str) -> Generator[Note, None, Outcome]:
        """Notes; returns what came of a part: its answers wait in the store for the others."""
        part, video = unit.part, unit.video
        assert part is not None
        with ExitStack() as stack:
            make = partial(StretchReader, video.address, video.source, self._lanes, part)
            try:
                reader = self._open(unit, make, stack)
            except SourceError as error:
                return self._give_up(unit, key, _unopened(unit, error))
            file = stack.enter_context(
                self._store.whole(part_name(self._job, key, part.number, "arrow"))
            )
            writer = AnswerWriter(file)
            ended: list[FailureRow] = []
            for cut in self._cuts(unit, key, reader, ended):
                for known in self._member.see(cut.lane, cut.windows):
                    writer.write(known)
                yield Note(unit.name, max(0.0, float(cut.progress.position - part.begin)))
            writer.close()
            report = reader.report()
            length = believed_length(reader.info)
        failures = ended or broken(video.source, report, part.number)
        return self._record(unit, part, key, report, failures, length=length, opened=True)

    def _open(self, unit: Unit, make: Callable[[], Reader], stack: ExitStack) -> Reader:
        """The reader; what is cached of its stream goes when the block ends."""
        with self.watched(unit):
            reader = stack.enter_context(closing(make()))
        self._member.forget(unit.video.source)
        stack.callback(self._member.forget, unit.video.source)
        return reader

    def _cuts(self, unit: Unit, key: str, reader: Reader, ended: list[FailureRow]) -> Iterator[Cut]:
        """What is read, a few batches in advance; `ended` gets why it is not all of it."""
        latest = time.perf_counter() + self._job.timeout_s
        hung = partial(self._hung, unit, key)
        with self._watchdog.over(hung, reader.moved), Ahead(reader.cuts(), BATCHES_AHEAD) as cuts:
            for cut in self._watchdog.waited_for(iter(cuts)):
                yield cut
                if time.perf_counter() > latest:
                    at = float(cut.progress.position)
                    reason = f"it took longer than {self._job.timeout_s:g} s; what was read is kept"
                    row = FailureRow(unit.video.source, "timeout", reason, _number(unit), at, True)
                    ended.append(row)
                    return

    def _hung(self, unit: Unit, key: str) -> None:
        """In the watchdog's thread: what there is to say of a unit that hangs."""
        reason = f"nothing was read for {self._job.stall_s:g} s; its process was ended"
        self._give_up(unit, key, FailureRow(unit.video.source, "hung", reason, _number(unit)))

    def _give_up(self, unit: Unit, key: str, failure: FailureRow) -> Outcome:
        """Writes down that nothing came of a unit."""
        if unit.part is not None:
            nothing = ReadReport(Progress.nothing(), {}, (), failure.reason)
            return self._record(unit, unit.part, key, nothing, [failure], opened=False)
        with Result(self._job, self._store, key, unit) as result:
            return result.finish("failed", 0.0, failures=[failure])

    def _record(
        self,
        unit: Unit,
        part: Part,
        key: str,
        report: ReadReport,
        failures: list[FailureRow],
        *,
        opened: bool,
        length: Fraction | None = None,
    ) -> Outcome:
        record = part_told(part.medium, report, failures, opened=opened, length=length)
        self._store.write(part_name(self._job, key, part.number, "json"), told(record))
        read = max(Fraction(0), report.progress.position - part.begin)
        return self._stitch(unit, part, key, float(read))

    def _stitch(self, unit: Unit, part: Part, key: str, read_s: float) -> Outcome:
        """What came of the part, and of its video if this was the last of the parts."""
        joined = self._stitcher.join(unit, key, part.of)
        # The sound lies beside the pictures: the video is no longer for it.
        media_s = read_s if part.medium == "video" else 0.0
        size = unit.video.size_bytes // part.of
        if joined is not None:
            return replace(joined, media_s=media_s, size_bytes=size)
        return Outcome(key, unit.video.source, unit.name, None, media_s, size, 0, 0.0)


def _unopened(unit: Unit, error: SourceError) -> FailureRow:
    kind = type(error).__name__
    return FailureRow(unit.video.source, kind, str(error), _number(unit), 0.0)


def _number(unit: Unit) -> int | None:
    return None if unit.part is None else unit.part.number

"""Joins the parts of a long video: one settler hears all that the networks said, in order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from fractions import Fraction
from typing import Any

from pipeline.batch.answers import Known, read_answers
from pipeline.batch.job import BatchJob
from pipeline.batch.result import Result, committed
from pipeline.batch.store import Store
from pipeline.batch.tables import FailureRow
from pipeline.batch.unit import Outcome, State, Unit
from pipeline.batch.verdict import cut_short
from pipeline.cut import Progress, ReadReport
from pipeline.errors import OutputError
from pipeline.lane import Lane
from pipeline.media.probe import probe
from pipeline.predict import PoolMember
from pipeline.records import Gap, Medium, Span
from pipeline.settle import Settler

PARTS = "parts"


def part_name(job: BatchJob, key: str, number: int, ending: str) -> str:
    """Where the answers (`arrow`) or the record (`json`) of one part lie until it is joined."""
    return f"{folder_of(job, key)}/{number:05d}.{ending}"


def folder_of(job: BatchJob, key: str) -> str:
    """Where the parts of one video lie, cut as this job cuts."""
    return f"{PARTS}/{key}/{job.segment_s.numerator}-{job.segment_s.denominator}"


class Stitcher:
    """Makes one result of the parts of a video, as if it had been run in one pass.

    Windows are numbered anew; networks that read features in order do it here; tracker,
    hysteresis and timeline see what they would have seen.
    """

    def __init__(
        self, job: BatchJob, store: Store, lanes: tuple[Lane, ...], member: PoolMember
    ) -> None:
        self._job = job
        self._store = store
        self._lanes = lanes
        self._member = member

    def join(self, unit: Unit, key: str, of: int) -> Outcome | None:
        """What came of the video once each of its parts has a record; None before that.

        Two workers may come to it at the same time: both write the same.
        """
        folder = folder_of(self._job, key)
        there = sum(name.endswith(".json") for name in self._store.names(folder))
        if there < of:
            return committed(self._store, key)
        try:
            outcome = self._join(unit, key, of)
        except OutputError:
            known = committed(self._store, key)
            if known is None:
                raise
            outcome = known  # another worker was first, and has tidied up
        self._store.remove_folder(f"{PARTS}/{key}")
        return outcome

    def _join(self, unit: Unit, key: str, of: int) -> Outcome:
        stream = unit.video.source
        records = [self._record(key, number) for number in range(of)]
        media = {medium for record in records for medium in record["media"]}
        lanes = [lane for lane in self._lanes if lane.medium in media]
        report = _joined(records)
        failures = [FailureRow(**told) for record in records for told in record["failures"]]
        lengths = [Fraction(record["length"]) for record in records if record["length"]]
        failures += cut_short(stream, report.progress.position, max(lengths, default=None))
        if not any(record["opened"] for record in records):
            with Result(self._job, self._store, key, unit) as result:
                return result.finish("failed", 0.0, failures=failures)
        with Result(self._job, self._store, key, unit) as result:
            settler = Settler(stream, lanes, result.sinks())
            self._member.forget(stream)
            count = 0
            # Sound first: it is one part, and its few events wait until the pictures have come.
            opened = [number for number in range(of) if records[number]["opened"]]
            for number in sorted(opened, key=lambda n: (records[n]["medium"] != "audio", n)):
                for seen in self._seen(key, number, stream, settler):
                    lane = seen.mark.lane
                    if result.features is not None:
                        result.features.take([seen])
                    answers = self._member.follow(lane, [seen])
                    count += len(settler.settle(lane, answers))
            lost = "part_lost" if failures else None
            count += len(settler.finish(report, lost))
            settler.close()
            self._member.forget(stream)
            media_s = float(report.progress.position)
            if self._job.also:
                failures += result.draw(probe(unit.video.address), lanes, settler.ledger, media_s)
            state: State = "partial" if failures else "done"
            return result.finish(state, media_s, count, settler.ledger, failures)

    def _seen(self, key: str, number: int, stream: str, settler: Settler) -> Iterator[Known]:
        """What the networks saw in a part, each numbered as the settler expects it next."""
        data = self._store.read(part_name(self._job, key, number, "arrow"))
        for known in read_answers(data, stream):
            index = settler.expects(known.mark.lane)
            yield replace(known, mark=replace(known.mark, index=index))

    def _record(self, key: str, number: int) -> dict[str, Any]:
        name = part_name(self._job, key, number, "json")
        known: dict[str, Any] = json.loads(self._store.read(name))
        return known


def part_told(
    medium: Medium,
    report: ReadReport,
    failures: Sequence[FailureRow],
    *,
    opened: bool,
    length: Fraction | None = None,
) -> dict[str, Any]:
    """The record of a part, as plain data."""
    progress = report.progress
    return {
        "medium": medium,
        "opened": opened,
        "length": None if length is None else str(length),
        "media": sorted(progress.decoded),
        "position": str(progress.position),
        "decoded": progress.decoded,
        "not_sampled": progress.not_sampled,
        "failures": [asdict(failure) for failure in failures],
        "damage": report.troubles,
        "gaps": [
            {
                "medium": gap.medium,
                "start": str(gap.span.start),
                "end": str(gap.span.end),
                "reason": gap.reason,
            }
            for gap in report.gaps
        ],
    }


def _joined(records: list[dict[str, Any]]) -> ReadReport:
    progress = Progress(
        max(Fraction(record["position"]) for record in records),
        dict(sum((Counter(record["decoded"]) for record in records), Counter())),
        dict(sum((Counter(record["not_sampled"]) for record in records), Counter())),
    )
    gaps = [
        Gap(told["medium"], Span(Fraction(told["start"]), Fraction(told["end"])), told["reason"])
        for record in records
        for told in record["gaps"]
    ]
    damage = sum((Counter(record["damage"]) for record in records), Counter[str]())
    return ReadReport(progress, dict(damage), tuple(gaps), None)

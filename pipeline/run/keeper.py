"""The Keeper: one stream's settler, its sinks, and the summary that is written at the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pipeline.cut import ReadReport
from pipeline.lane import Lane
from pipeline.ledger import Ledger
from pipeline.records import Digest, Event, Failure, Prediction, StreamInfo
from pipeline.run.job import FILES, SUMMARY
from pipeline.settle import Settler
from pipeline.sinks.base import Sink
from pipeline.sinks.jsonl import JsonlSink
from pipeline.sinks.parquet import ParquetSink
from pipeline.sinks.rows import ROWS_VERSION
from pipeline.whole import WholeSet


class Keeper:
    """Keeps one stream's results; everything it writes lies in `out`.

    Rows and summary appear together when the stream ends, and what an earlier run left in `out`
    goes at that moment, pictures too: they showed other rows. Raises OutputError when `out`
    cannot be written; then nothing of this run stays there, and all of the earlier one.
    """

    def __init__(
        self, info: StreamInfo, lanes: Sequence[Lane], out: Path, outputs: Sequence[str]
    ) -> None:
        self._info = info
        self._lanes = tuple(lanes)
        self._counts: dict[str, Counter[str]] = {lane.name: Counter() for lane in lanes}
        self._tracks: dict[str, set[int]] = {lane.name: set() for lane in lanes}
        self._files = WholeSet(out)
        try:
            self._settler = Settler(info.stream, lanes, self._sinks(outputs))
        except BaseException:
            self._files.abandon()
            raise

    @property
    def ledger(self) -> Ledger:
        """The books so far; they close once `finish` was called."""
        return self._settler.ledger

    @property
    def sink_s(self) -> float:
        """How long the outputs took so far."""
        return self._settler.sink_s

    def settle(self, lane: str, answers: Iterable[Prediction | Failure]) -> list[Digest]:
        """The events that these answers made certain, now written, in small form."""
        return self._count(self._settler.settle(lane, answers))

    def finish(
        self, report: ReadReport, about: dict[str, Any], lost: str | None = None
    ) -> tuple[list[Digest], dict[str, Any]]:
        """The last events, and the summary with `about` in it; now every file is there."""
        last = self._count(self._settler.finish(report, lost))
        self._settler.close()
        summary = {
            "rows_version": ROWS_VERSION,
            "stream": self._info.stream,
            "source": self._info.source,
            "complete": report.error is None and about.get("interrupted") is not True,
            "error": report.error,
            **about,
            "media_s": round(float(report.progress.position), 6),
            "lanes": [
                {
                    "name": lane.name,
                    "model": lane.card.name,
                    "sha256": lane.card.sha256,
                    "labels": list(lane.card.labels),
                }
                for lane in self._lanes
            ],
            "counts": {lane: dict(counts) for lane, counts in self._counts.items()},
            "tracks": {lane: len(ids) for lane, ids in self._tracks.items() if ids},
            "ledger": self.ledger.to_json(),
        }
        if about.get("wall_s"):
            summary["speed"] = round(float(report.progress.position) / about["wall_s"], 2)
        told = json.dumps(summary, indent=2) + "\n"
        self._files.file(SUMMARY).write(told.encode())
        self._files.finish(outdated=FILES.values())
        return last, summary

    def abandon(self) -> None:
        """Leaves no output behind."""
        self._settler.abandon()
        self._files.abandon()

    def _sinks(self, outputs: Sequence[str]) -> list[Sink]:
        sinks: list[Sink] = []
        if "jsonl" in outputs:
            sinks.append(JsonlSink(self._files.file(FILES["jsonl"])))
        if "parquet" in outputs:
            note = {"stream": self._info.stream}
            sinks.append(ParquetSink(self._files.file(FILES["parquet"]), note))
        return sinks

    def _count(self, events: Sequence[Event]) -> list[Digest]:
        digests = [Digest.of(event) for event in events]
        for digest in digests:
            self._counts[digest.lane][digest.label] += 1
            if digest.track_id is not None:
                self._tracks[digest.lane].add(digest.track_id)
        return digests

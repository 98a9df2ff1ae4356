"""The results of one video in the store: whole tables, and last the record that says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from types import TracebackType
from typing import Self

from pipeline.batch.also import FEATURES, Also
from pipeline.batch.answers import told
from pipeline.batch.features import FeatureTables
from pipeline.batch.job import BatchJob
from pipeline.batch.store import Store
from pipeline.batch.tables import (
    EventsSink,
    FailureRow,
    failures_bytes,
    gops_bytes,
    ledger_bytes,
)
from pipeline.batch.unit import Outcome, State, Unit
from pipeline.errors import SourceError
from pipeline.lane import Lane
from pipeline.ledger import Ledger
from pipeline.media.gops import GopRow
from pipeline.media.scan_audit import Audit
from pipeline.records import StreamInfo
from pipeline.redaction import redact
from pipeline.sinks.base import Sink
from pipeline.whole import WholeFile

UNITS = "units"
FAILURES = "failures"


def commit_name(key: str) -> str:
    """Where the record lies that says that a video is finished, well or badly."""
    return f"{UNITS}/{key}.json"


def committed(store: Store, key: str) -> Outcome | None:
    """What came of a video that is finished; None when it is not."""
    name = commit_name(key)
    if not store.exists(name):
        return None
    known = json.loads(store.read(name))
    return Outcome(
        key=key,
        source=known["source"],
        name=known["source"],
        state=known["state"],
        media_s=known["media_s"],
        size_bytes=known["size_bytes"],
        events=known["events"],
        seconds=0.0,
        error=known["error"],
    )


def forget_failed(store: Store, config_hash: str) -> int:
    """How many videos that had failed, in whole or in part, are to be done again."""
    count = 0
    for name in list(store.names(UNITS)):
        known = json.loads(store.read(name))
        if known["config_hash"] == config_hash and known["state"] != "done":
            # The record first: without its tables it would still count as finished.
            for file in (name, *known["files"]):
                store.remove(file)
            count += 1
    return count


def forget(store: Store, key: str) -> None:
    """Removes the results of a video that has newer ones: first the tables, then the record.

    Whoever is killed in between finds the record again, and goes on from there.
    """
    name = commit_name(key)
    if store.exists(name):
        for file in (*json.loads(store.read(name))["files"], name):
            store.remove(file)


class Result:
    """What is being written of one video. Nothing of it counts before `finish`.

    Use it as a context manager; a block that raises, or does not finish, leaves nothing behind.
    `features` takes those of its frames, when the job wants them.
    """

    def __init__(self, job: BatchJob, store: Store, key: str, unit: Unit) -> None:
        self._job = job
        self._store = store
        self._key = key
        self._video = unit.video
        self._replaces = unit.replaces
        self._exit = ExitStack()
        self._files: list[str] = []
        self._also = Also(job.also, store, self._named, self._exit)
        wanted = FEATURES in job.also
        self.features = FeatureTables(unit.video.source, self._feature_file) if wanted else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._exit.__exit__(kind, error, trace)
        finally:
            self._also.close()

    def sinks(self) -> list[Sink]:
        """Where the video's events go; once."""
        file = self._exit.enter_context(self._store.whole(self._named("events")))
        return [EventsSink(file), *self._also.sinks()]

    def draw(
        self, info: StreamInfo, lanes: Sequence[Lane], ledger: Ledger, media_s: float
    ) -> list[FailureRow]:
        """Draws what is to be drawn, once the sinks are closed; why it cannot be, if so."""
        try:
            self._also.draw(self._video.address, info, lanes, ledger, round(media_s, 6))
        except SourceError as error:
            reason = f"it cannot be drawn: {error}"
            return [FailureRow(self._video.source, "not_drawn", reason, None, None, True)]
        return []

    def finish(
        self,
        state: State,
        media_s: float,
        events: int = 0,
        ledger: Ledger | None = None,
        failures: Sequence[FailureRow] = (),
        scan: Sequence[GopRow] = (),
        audit: Audit | None = None,
    ) -> Outcome:
        """What came of the video, now that all of it is in the store."""
        media_s = round(media_s, 6)
        if self.features is not None:
            self.features.close()
        self._exit.close()
        source = self._video.source
        if ledger is not None:
            self._store.write(self._named("ledger"), ledger_bytes(source, ledger, media_s))
        if failures:
            self._store.write(self._named(FAILURES), failures_bytes(failures))
        if scan:
            self._store.write(self._named("gops"), gops_bytes(source, scan))
        error = failures[0].reason if failures else None
        commit = {
            **asdict(self._video),
            "address": redact(self._video.address),
            "key": self._key,
            "config_hash": self._job.config_hash,
            "state": state,
            "media_s": media_s,
            "events": events,
            "error": error,
            "files": sorted(self._files),
        }
        self._store.write(commit_name(self._key), told(commit))
        for key in self._replaces:
            forget(self._store, key)
        size = self._video.size_bytes
        outcome = Outcome(self._key, source, source, state, media_s, size, events, 0.0, error)
        return outcome if audit is None else replace(outcome, **asdict(audit))

    def _feature_file(self, lane: str) -> WholeFile:
        return self._exit.enter_context(self._store.whole(self._named(FEATURES, f"{lane}.parquet")))

    def _named(self, table: str, ending: str = "parquet") -> str:
        of = self._video.source if self._job.partition == "source" else self._video.day
        name = f"{table}/{self._job.partition}={of}/{self._key}.{ending}"
        self._files.append(name)
        return name

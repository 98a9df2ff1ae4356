"""The Ray engine: a Reader process per source, a pool of members, a keeper; one loop drives them.

The driver handles references and small numbers only. Pixels go from the Reader to the object store
and from there to a pool member; predictions go from the member to the keeper.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import ray
from ray.exceptions import RayError

from pipeline.cut import ReadReport
from pipeline.errors import LaneError
from pipeline.measure.values import Metrics
from pipeline.records import StreamInfo
from pipeline.run.backlog import Backlog, Task
from pipeline.run.interrupt import ctrl_c_noted
from pipeline.run.job import Job, Source, StreamResult, Watcher, about_run
from pipeline.run.ray_cluster import brief, start_ray
from pipeline.run.ray_pool import RayPool
from pipeline.run.underway import Underway
from pipeline.run.workers import KeeperHost, Opened, Settled, SourceReader, Step

POLL_S = 0.5
ABANDON_S = 5.0


def run_ray(job: Job, watcher: Watcher, metrics: Metrics) -> tuple[list[StreamResult], bool]:
    """One result a source, in order, and whether Ctrl-C ended the job early.

    After the first Ctrl-C nothing more is read and what is under way is settled and kept; after
    a second one KeyboardInterrupt leaves this function.
    """
    try:
        start_ray(job)
        return _Drive(job, watcher, metrics).run()
    except RayError as error:
        message = f"Ray lost a process that the job cannot go on without: {brief(error)}"
        raise LaneError(message) from error
    finally:
        ray.shutdown()


class _Drive:
    """One job on Ray: every wait happens in `run`, every bound is checked where work is sent."""

    def __init__(self, job: Job, watcher: Watcher, metrics: Metrics) -> None:
        self._job = job
        self._watcher = watcher
        self._metrics = metrics
        metrics.runs("ray", job.lanes)
        self._pool = RayPool(job, metrics)
        self._keepers = ray.remote(KeeperHost).options(num_cpus=0.1).remote()
        self._backlog = Backlog(job.lanes)
        self._todo = deque(job.sources)
        self._streams: dict[str, Underway] = {}
        self._waits: dict[Any, Callable[[Any], None]] = {}
        self._results: dict[str, StreamResult] = {}
        self._interrupted = False

    def run(self) -> tuple[list[StreamResult], bool]:
        """Drives every source to its end, once every member has loaded its networks."""
        self._pool.load()
        try:
            with ctrl_c_noted() as noted:
                while self._todo or self._streams:
                    if noted.is_set() and not self._interrupted:
                        self._interrupt()
                    self._send_work()
                    self._take_answers()
        except BaseException:
            self._abandon_all()
            raise
        results = [self._results[s.stream] for s in self._job.sources if s.stream in self._results]
        return results, self._interrupted

    def _send_work(self) -> None:
        while self._todo and len(self._streams) < self._job.config.pool.readers:
            self._open(self._todo.popleft())
        for name, stream in self._streams.items():
            if stream.may_read(self._job.config.pool.in_flight):
                self._read(name, stream)
        for member in range(len(self._pool)):
            while self._pool.has_room(member) and (tasks := self._backlog.take(member)):
                cost, answers = self._pool.predict(member, tasks)
                self._waits[cost] = partial(self._predicted, member, tasks, answers)

    def _take_answers(self) -> None:
        ready, _ = ray.wait(list(self._waits), num_returns=1, timeout=POLL_S)
        for reference in ready:
            self._waits.pop(reference)(reference)
        now = time.monotonic()
        for name, stream in list(self._streams.items()):
            if (
                stream.reading
                and now - stream.waiting_since > self._job.config.pool.stall_timeout_s
            ):
                ray.kill(stream.reader)
                self._reader_lost(name, "brought nothing", "reader_stalled")

    def _open(self, source: Source) -> None:
        now = time.monotonic()
        member = len(self._results) + len(self._streams)
        actor = ray.remote(SourceReader).options(num_cpus=0.1)
        reader = actor.remote(source.address, source.stream, self._job.lanes)
        stream = Underway(source, reader, member % len(self._pool), time.perf_counter(), now)
        self._streams[source.stream] = stream
        self._waits[reader.open.remote()] = partial(self._opened, source.stream)

    def _opened(self, name: str, reference: Any) -> None:
        stream = self._streams.get(name)
        if stream is None:
            return
        stream.reading = False
        try:
            opened: Opened = ray.get(reference)
        except RayError as error:
            opened = Opened(None, error=f"{name}: the reader could not start: {brief(error)}")
        if opened.info is None:
            self._close(name, None, opened.error, opened.error_type or "reader_lost")
            return
        self._metrics.begin(name)
        lanes = tuple(lane for lane in self._job.lanes if lane.name in opened.lanes)
        out = self._job.out / name
        made = self._keepers.open.remote(opened.info, lanes, out, self._job.config.outputs)
        self._watcher.opened(opened.info, opened.idle)
        stream.started = time.perf_counter()
        self._waits[made] = partial(self._kept, name, opened.info)

    def _kept(self, name: str, info: StreamInfo | None, reference: Any) -> None:
        settled: Settled = ray.get(reference)
        if name not in self._streams:
            return
        if settled.error:
            self._close(name, None, settled.error, "OutputError")
        else:
            self._streams[name].info = info

    def _read(self, name: str, stream: Underway) -> None:
        stream.reading = True
        stream.waiting_since = time.monotonic()
        step, windows = stream.reader.step.options(num_returns=2).remote()
        self._waits[step] = partial(self._stepped, name, windows)

    def _stepped(self, name: str, windows: Any, reference: Any) -> None:
        stream = self._streams.get(name)
        if stream is None or stream.report:
            return
        stream.reading = False
        try:
            step: Step = ray.get(reference)
        except RayError as error:
            self._reader_lost(name, f"died ({brief(error)})", "reader_lost")
            return
        stream.progress = step.progress
        self._metrics.read(name, step.progress)
        self._watcher.reached(name, step.progress.position)
        if step.report is not None:
            stream.report = step.report
            self._finish_if_done(name)
            return
        stream.in_flight += 1
        self._backlog.add(Task(name, stream.member, step, windows))
        self._metrics.queued(step.lane, len(step.marks))

    def _predicted(
        self, member: int, tasks: list[Task], answers: list[Any], reference: Any
    ) -> None:
        lane = tasks[0].step.lane
        answers = self._pool.predicted(member, tasks, answers, reference)
        for task, answer in zip(tasks, answers, strict=True):
            settled = self._keepers.settle.remote(task.stream, lane, answer)
            self._waits[settled] = partial(self._settled, task.stream, lane)

    def _settled(self, name: str, lane: str, reference: Any) -> None:
        settled: Settled = ray.get(reference)
        stream = self._streams.get(name)
        if stream is None:
            return
        stream.in_flight -= 1
        if settled.error:
            self._close(name, None, settled.error, "OutputError")
            return
        self._tell(name, settled)
        self._metrics.settled(lane, settled.settle_s, settled.sink_s)
        wall = time.perf_counter() - stream.started
        self._metrics.put("speed_ratio", float(stream.progress.position) / wall, name)
        self._finish_if_done(name)

    def _finish_if_done(self, name: str) -> None:
        stream = self._streams[name]
        if stream.report is None or stream.in_flight:
            return
        wall = time.perf_counter() - stream.started
        about = about_run(self._job, "ray", wall, interrupted=stream.lost == "interrupted")
        done = self._keepers.finish.remote(name, stream.report, about, stream.lost)
        self._waits[done] = partial(self._finished, name)

    def _finished(self, name: str, reference: Any) -> None:
        settled: Settled = ray.get(reference)
        self._tell(name, settled)
        if settled.ledger is not None:
            self._metrics.closed(settled.ledger)
        stream = self._streams[name]
        error = stream.report.error if stream.report else None
        reason = "OutputError" if settled.error else stream.lost or "SourceLost"
        self._close(name, settled.summary, settled.error or error, reason)

    def _tell(self, name: str, settled: Settled) -> None:
        self._metrics.wrote(settled.digests)
        self._watcher.found(settled.digests)
        if settled.ledger is not None:
            self._metrics.books(name, settled.ledger)

    def _reader_lost(self, name: str, what: str, reason: str) -> None:
        stream = self._streams[name]
        stream.reading = False
        error = f"{name}: the reader {what}; what it had read is kept"
        if stream.info is None:
            self._close(name, None, error, reason)
            return
        stream.report = ReadReport(stream.progress, {}, (), error)
        stream.lost = reason
        self._finish_if_done(name)

    def _interrupt(self) -> None:
        """Reads nothing more; what was read is still settled and written."""
        self._interrupted = True
        self._todo.clear()
        for name, stream in list(self._streams.items()):
            if stream.info is None:
                self._close(name, None, "interrupted before it was opened", "interrupted")
            elif stream.report is None:
                stream.report = ReadReport(stream.progress, {}, (), None)
                stream.lost = "interrupted"
                stream.reading = False
                self._finish_if_done(name)

    def _abandon_all(self) -> None:
        left = [self._keepers.abandon.remote(name) for name in self._streams]
        with suppress(RayError):
            ray.get(left, timeout=ABANDON_S)

    def _close(
        self, name: str, summary: dict[str, Any] | None, error: str | None, reason: str
    ) -> None:
        stream = self._streams.pop(name)
        ray.kill(stream.reader)
        for task in self._backlog.drop(name):
            self._metrics.queued(task.step.lane, -len(task.step.marks))
        self._pool.forget(name)
        if error is not None:
            self._metrics.add("sources_failed", reason)
        self._metrics.read_to_end(name)
        if summary is None:
            self._keepers.abandon.remote(name)
        result = StreamResult(stream.source, self._job.out / name, stream.info, summary, error)
        self._results[name] = result
        self._watcher.closed(result)

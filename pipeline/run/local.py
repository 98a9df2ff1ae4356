"""The local engine: the whole spine in one process, one source after the other.

The source is decoded in a thread, a few batches ahead of the networks; all else is one loop.
"""

from __future__ import annotations

import time

from models.card import CheckpointError
from pipeline.cut import Reader, ReadReport
from pipeline.errors import LaneError, WitnessError
from pipeline.measure.values import Metrics
from pipeline.predict import PoolMember
from pipeline.run.ahead import Ahead
from pipeline.run.job import Job, Source, StreamResult, Watcher, about_run
from pipeline.run.keeper import Keeper

BATCHES_AHEAD = 3


def run_local(job: Job, watcher: Watcher, metrics: Metrics) -> tuple[list[StreamResult], bool]:
    """One result a source, in order, and whether Ctrl-C ended the job early.

    After Ctrl-C the source under way is finished with what was read of it; later ones are not
    begun. LaneError when a network's weights do not fit.
    """
    try:
        member = PoolMember(job.lanes, job.config.pool.threads)
    except (CheckpointError, TypeError, ValueError) as error:  # or a card of another version
        message = f"the networks cannot be loaded: {error}"
        raise LaneError(message) from error
    metrics.runs("local", job.lanes)
    metrics.pool(1, 1, [lane.name for lane in job.lanes], {})
    results: list[StreamResult] = []
    for source in job.sources:
        result, interrupted = _run_source(job, source, member, watcher, metrics)
        results.append(result)
        watcher.closed(result)
        if interrupted:
            return results, True
    return results, False


def _run_source(
    job: Job, source: Source, member: PoolMember, watcher: Watcher, metrics: Metrics
) -> tuple[StreamResult, bool]:
    out = job.out / source.stream
    try:
        reader = Reader(source.address, source.stream, job.lanes)
    except WitnessError as error:
        metrics.add("sources_failed", type(error).__name__)
        return StreamResult(source, out, None, None, str(error)), False
    metrics.begin(source.stream)
    try:
        return _run_stream(job, source, reader, member, watcher, metrics)
    except WitnessError as error:
        metrics.add("sources_failed", type(error).__name__)
        return StreamResult(source, out, reader.info, None, str(error)), False
    finally:
        reader.close()
        member.forget(source.stream)
        metrics.read_to_end(source.stream)


def _run_stream(
    job: Job,
    source: Source,
    reader: Reader,
    member: PoolMember,
    watcher: Watcher,
    metrics: Metrics,
) -> tuple[StreamResult, bool]:
    out = job.out / source.stream
    keeper = Keeper(reader.info, reader.lanes, out, job.config.outputs)
    watcher.opened(reader.info, [lane.name for lane in reader.idle_lanes])
    started = time.perf_counter()
    interrupted = False
    try:
        try:
            _pump(source.stream, reader, member, keeper, watcher, metrics)
        except KeyboardInterrupt:
            interrupted = True
        report: ReadReport = reader.report()
        about = about_run(job, "local", time.perf_counter() - started, interrupted=interrupted)
        last, summary = keeper.finish(report, about, "interrupted" if interrupted else None)
    except BaseException:
        keeper.abandon()
        raise
    watcher.found(last)
    metrics.wrote(last)
    metrics.read(source.stream, report.progress)
    metrics.books(source.stream, keeper.ledger)
    metrics.closed(keeper.ledger)
    if report.error:
        metrics.add("sources_failed", "SourceLost")
    return StreamResult(source, out, reader.info, summary, report.error), interrupted


def _pump(
    stream: str,
    reader: Reader,
    member: PoolMember,
    keeper: Keeper,
    watcher: Watcher,
    metrics: Metrics,
) -> None:
    started = time.perf_counter()
    with Ahead(reader.cuts(), BATCHES_AHEAD) as cuts:
        for cut in cuts:
            answers = member.predict(cut.lane, cut.windows)
            began, wrote_s = time.perf_counter(), keeper.sink_s
            digests = keeper.settle(cut.lane, answers.answers)
            sink_s = keeper.sink_s - wrote_s
            metrics.settled(cut.lane, time.perf_counter() - began - sink_s, sink_s)
            metrics.answered(cut.lane, len(cut.windows), answers.seconds)
            metrics.read(stream, cut.progress)
            metrics.wrote(digests)
            metrics.books(stream, keeper.ledger)
            taken_s = time.perf_counter() - started
            metrics.put("speed_ratio", float(cut.progress.position) / taken_s, stream)
            watcher.reached(stream, cut.progress.position)
            watcher.found(digests)
